//! `sessions.compact`: what `/compact` does, answered when it is done.

use std::time::Duration;

use gatehouse_core::{Caller, Content, trace};
use gatehouse_proto::session::v1 as proto;

use crate::commands;
use crate::error::Error;
use crate::id::RunId;
use crate::sessions::SessionRef;
use crate::store::{Admission, Brought, NewEntry, Reply, Seed, Task, TurnState};
use crate::turns::destination::Destination;
use crate::turns::{Engine, Submitted};
use crate::viewer::Viewer;

/// How long it is waited for, a little less than the contract's deadline: then the caller is told that it goes on.
const PATIENCE: Duration = Duration::from_secs(880);

/// What stands in the transcript for it: the same as if somebody had typed it.
const TYPED: &str = "/compact";

pub(super) async fn compact(
    engine: &Engine,
    caller: Option<Caller>,
    request: proto::CompactSessionRequest,
) -> Result<proto::CompactSessionResponse, Error> {
    let proto::CompactSessionRequest { key, agent_id } = request;
    let policy = engine.policy()?;
    let viewer = Viewer::behind(caller.as_ref());
    let key = SessionRef::new(key, agent_id)
        .resolve_to_act(engine, &viewer)
        .await?;
    let not = |key: String, reason: &str| proto::CompactSessionResponse {
        ok: true,
        key,
        compacted: false,
        reason: Some(reason.to_owned()),
    };
    let Some(session) = engine.stores().sessions.find(&key).await? else {
        return Ok(not(key.to_string(), "no sessionId"));
    };
    // A summary of half an answer would stand for the whole of it.
    if session.active_run.is_some() {
        return Err(Error::RunActive(key));
    }
    if !commands::is_worth_a_summary(engine, &key).await? {
        return Ok(not(key.to_string(), "no transcript"));
    }
    let Destination { key, queue, .. } = Destination::find(engine.stores(), &policy, key, None, None).await?;
    let (run, now) = (RunId::generate(), engine.now());
    let mut entry = NewEntry::of_person(&Content::text(TYPED), &run, None, now);
    entry.in_context = false;
    let admission = Admission {
        fingerprint: TYPED.as_bytes().to_vec(),
        entry,
        queue,
        reply: Reply::Clients,
        viewer,
        seed: Seed::default(),
        expected_session: Some(session.session_id),
        sender: caller.and_then(|caller| caller.user_id),
        inbound: None,
        model: None,
        thinking: None,
        timeout_ms: None,
        task: Some(Task::Compact),
        brought: Brought::default(),
        life: None,
        trace: trace::current().unwrap_or_default(),
        now,
        key: key.clone(),
        run,
    };
    let Submitted { turn, .. } = engine.submit(admission).await?;
    let turn = engine.wait(&turn.run, PATIENCE).await?;
    let reason = match turn.state {
        TurnState::Done => None,
        TurnState::Queued | TurnState::Leased | TurnState::Running => {
            Some("it is still being written".to_owned())
        }
        TurnState::Failed | TurnState::Aborted | TurnState::Interrupted => {
            Some(turn.error.unwrap_or_else(|| turn.state.word().to_owned()))
        }
    };
    Ok(proto::CompactSessionResponse {
        ok: reason.is_none(),
        key: key.to_string(),
        compacted: reason.is_none(),
        reason,
    })
}
