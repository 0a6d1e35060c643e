//! Commands that act on the conversation as a whole.

use super::answers::Said;
use super::speaker::Speaker;
use crate::error::Error;
use crate::key::SessionKey;
use crate::sessions::{self, SessionRecord};
use crate::transcripts::Role;
use crate::turns::{Admission, Engine};

/// Rows that must be there for a summary to be worth the model's time: a question and its answer.
const ROWS_MIN: usize = 2;

/// Begins a new transcript. A conversation that was never begun is new as it is.
pub(super) async fn begin_anew(
    engine: &Engine,
    key: &SessionKey,
    session: Option<&SessionRecord>,
    reason: &str,
) -> Result<(), Error> {
    if session.is_some() {
        sessions::reset(engine, key, None, Some(reason)).await?;
    }
    Ok(())
}

/// Stops what a caller may stop: all of the session, or what goes to the chat in which it was said.
pub(super) async fn stop(
    engine: &Engine,
    speaker: &Speaker,
    admission: &Admission,
) -> Result<&'static str, Error> {
    let key = admission.key.clone();
    let stopped = match speaker {
        Speaker::Client(_) => engine.abort(key, None).await?,
        Speaker::Chat(chatter) => engine.abort_in_chat(key, chatter.target.clone()).await?,
    };
    let said = if stopped.is_empty() {
        Said::NothingToStop
    } else {
        Said::Stopped
    };
    Ok(said.text())
}

/// Whether there is something to sum up.
pub(crate) async fn is_worth_it(engine: &Engine, key: &SessionKey) -> Result<bool, Error> {
    let rows = engine.stores().transcripts.context(key, 8).await?;
    let said = rows.iter().filter(|row| !row.waiting && row.role != Role::System);
    Ok(said.count() >= ROWS_MIN)
}
