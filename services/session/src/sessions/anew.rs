//! Beginning a conversation anew.

use super::SessionRecord;
use crate::error::Error;
use crate::id::{EntryId, SessionId};
use crate::key::SessionKey;
use crate::rows::plain;
use crate::transcripts::{EntryExtra, NewEntry, Role};
use crate::turns::Engine;

/// Begins a new transcript under the same key, after what runs was stopped. `reason` is `new` or `reset`.
///
/// # Errors
/// When the current transcript is not the expected one, and when the store fails.
pub(crate) async fn reset(
    engine: &Engine,
    key: &SessionKey,
    expected: Option<SessionId>,
    reason: Option<&str>,
) -> Result<SessionRecord, Error> {
    let sessions = &engine.stores().sessions;
    // Before anything is aborted; the store looks once more.
    if let Some(expected) = &expected
        && sessions
            .find(key)
            .await?
            .is_none_or(|session| session.session_id != *expected)
    {
        return Err(Error::SessionMoved(key.clone()));
    }
    engine.abort(key.clone(), None).await?;
    let now = engine.now();
    let boundary = NewEntry {
        id: EntryId::generate(),
        role: Role::System,
        content: plain(match reason {
            Some("new") => "New session",
            Some(_) | None => "Session reset",
        }),
        preview: String::new(),
        timestamp: now,
        run: None,
        boundary: true,
        in_context: false,
        extra: EntryExtra::default(),
    };
    engine
        .change(key.clone(), "reset", async {
            let (session, row) = sessions.reset(key, boundary, expected, now).await?;
            engine.announce_row(&row, &session);
            Ok((session.clone(), Some(session)))
        })
        .await
}
