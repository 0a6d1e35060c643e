//! Beginning a session with what was said in another one.

use gatehouse_core::Caller;
use gatehouse_proto::session::v1 as proto;
use uuid::Uuid;

use crate::error::Error;
use crate::id::EntryId;
use crate::key::SessionKey;
use crate::rows::text_of;
use crate::sessions::grpc as sessions;
use crate::sessions::{ForkFrom, Forked, Once, SessionPatch, SessionRef};
use crate::transcripts::Role;
use crate::turns::Engine;
use crate::viewer::{Viewer, owner_of_new};

/// `sessions.fork`.
pub(super) async fn at_row(
    engine: &Engine,
    caller: Option<&Caller>,
    request: proto::ForkSessionRequest,
) -> Result<proto::ForkSessionResponse, Error> {
    let proto::ForkSessionRequest {
        session_key,
        agent_id,
        entry_id,
    } = request;
    let viewer = Viewer::behind(caller);
    let source = SessionRef::new(session_key, agent_id)
        .resolve_to_act(engine, &viewer)
        .await?;
    let name = format!("agent:{}:dashboard:{}", source.agent(), Uuid::new_v4());
    let key = SessionRef::new(name, None).key(&engine.policy()?.agents)?;
    let from = ForkFrom::Row(EntryId::new(entry_id));
    let like = engine.stores().sessions.find(&source).await?;
    let mut patch = like.as_ref().map(sessions::like).unwrap_or_default();
    patch.user = owner_of_new(caller, &key);
    let Forked { session, left_out } = fork(engine, &viewer, &source, &key, from, patch, None).await?;
    let person = left_out.filter(|entry| entry.row.role == Role::User);
    Ok(proto::ForkSessionResponse {
        session_key: session.key.to_string(),
        editor_text: person.map(|entry| text_of(&entry.row.content)),
    })
}

/// Makes a session that begins with what was said in another one, and says so.
///
/// # Errors
/// When there is no such session or row, or it belongs to what still runs or waits.
pub(crate) async fn fork(
    engine: &Engine,
    viewer: &Viewer,
    source: &SessionKey,
    key: &SessionKey,
    from: ForkFrom,
    patch: SessionPatch,
    once: Option<Once>,
) -> Result<Forked, Error> {
    let now = engine.now_ms();
    let store = &engine.stores().sessions;
    engine
        .change(key.clone(), "fork", async {
            let forked = store.fork(source, key, from, patch, once, now).await?;
            let session = forked.session.clone();
            viewer.check(&session)?; // somebody else may have begun it since it was looked for
            Ok((forked, Some(session)))
        })
        .await
}
