//! `sessions.patchMany`: each session as `sessions.patch` would change it.

use gatehouse_proto::session::v1 as proto;

use crate::error::Error;
use crate::sessions::grpc as sessions;
use crate::turns::Engine;
use crate::viewer::Viewer;

pub(super) async fn patch(
    engine: &Engine,
    viewer: &Viewer,
    request: proto::PatchSessionsRequest,
) -> Result<proto::PatchSessionsResponse, Error> {
    let proto::PatchSessionsRequest { targets, patch } = request;
    let patch = patch.unwrap_or_default();
    let mut outcomes = Vec::with_capacity(targets.len());
    for target in targets {
        let (key, agent_id) = (target.key.clone(), target.agent_id.clone());
        let changed = sessions::patch(engine, viewer, of_one(target, patch.clone())).await;
        outcomes.push(proto::PatchOutcome {
            ok: changed.is_ok(),
            key,
            agent_id,
            error: changed.err().map(sessions::run_error),
        });
    }
    Ok(proto::PatchSessionsResponse { outcomes })
}

fn of_one(target: proto::PatchTarget, patch: proto::SessionChanges) -> proto::PatchSessionRequest {
    let proto::PatchTarget {
        key,
        agent_id,
        expected_session_id,
        expected_lifecycle_revision,
    } = target;
    let proto::SessionChanges {
        label,
        display_name,
        model,
        thinking_level,
        queue_mode,
        archived,
        pinned,
        unread,
        category,
        icon,
        color,
        verbose_level,
        reasoning_level,
        response_usage,
        send_policy,
        null_fields,
    } = patch;
    proto::PatchSessionRequest {
        key,
        label,
        display_name,
        model,
        thinking_level,
        queue_mode,
        archived,
        pinned,
        unread,
        agent_id,
        category,
        icon,
        color,
        verbose_level,
        reasoning_level,
        response_usage,
        send_policy,
        expected_session_id,
        expected_lifecycle_revision,
        expected_marked_unread_at: None,
        null_fields,
    }
}
