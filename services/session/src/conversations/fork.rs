//! Beginning a session with what was said in another one.

use data_encoding::BASE64;
use gatehouse_core::Caller;
use gatehouse_core::content::Block;
use gatehouse_proto::session::v1 as proto;
use uuid::Uuid;

use crate::error::Error;
use crate::id::EntryId;
use crate::key::SessionKey;
use crate::media::MediaId;
use crate::rows::{content_of, text_of};
use crate::sessions::grpc as sessions;
use crate::sessions::{ForkFrom, Forked, Once, SessionPatch, SessionRef};
use crate::transcripts::Role;
use crate::turns::Engine;
use crate::viewer::{Viewer, owner_of_new};

/// Bytes of what belongs to a row that is written anew, in one answer: in base64 they fit into a frame of the edge.
const ATTACHMENTS_BYTES_MAX: u64 = 16 * 1024 * 1024;

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
    let attachments = match &person {
        Some(entry) => attachments(engine, &entry.row.content).await?,
        None => Vec::new(),
    };
    Ok(proto::ForkSessionResponse {
        session_key: session.key.to_string(),
        editor_text: person.map(|entry| text_of(&entry.row.content)),
        editor_attachments: attachments,
    })
}

/// The media of a row, as far as one answer holds them. One that is kept no longer is left out.
async fn attachments(engine: &Engine, content: &str) -> Result<Vec<proto::EditorAttachment>, Error> {
    let content = content_of(content);
    let mut left = ATTACHMENTS_BYTES_MAX;
    let mut attachments = Vec::new();
    for block in content.blocks() {
        let Block::Media(media) = block else { continue };
        let Some(id) = media.source.id().and_then(MediaId::parse) else {
            continue;
        };
        if let Some((row, bytes)) = engine.media().read(&id, left).await? {
            left = left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            attachments.push(proto::EditorAttachment {
                mime_type: row.mime_type,
                data: BASE64.encode(&bytes),
            });
        }
    }
    Ok(attachments)
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
    let now = engine.now();
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
