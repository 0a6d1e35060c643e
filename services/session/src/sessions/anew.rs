//! Beginning a conversation anew.

use super::SessionRecord;
use crate::error::Error;
use crate::id::SessionId;
use crate::key::SessionKey;
use crate::transcripts::NewEntry;
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
    let words = match reason {
        Some("new") => "New session",
        Some(_) | None => "Session reset",
    };
    let boundary = NewEntry::boundary(words, now);
    engine
        .change(key.clone(), "reset", async {
            let (session, row) = sessions.reset(key, boundary, expected, now).await?;
            engine.announce_row(&row, &session);
            Ok((session.clone(), Some(session)))
        })
        .await
}
