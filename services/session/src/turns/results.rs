//! What tools answered to calls of a program's own.

use std::collections::HashSet;

use gatehouse_core::Content;

use super::bring::Bringing;
use super::context::ROWS_MAX;
use crate::error::Error;
use crate::key::SessionKey;
use crate::rows::content_of;
use crate::store::{Role, Stores};

/// Looks whether each result of a tool answers a call that waits for it: the calls of what the assistant said last, as the program tells
/// the conversation, or else as the session holds it.
///
/// # Errors
/// At the first that does not. No model would be told of it.
pub(super) async fn check_results(
    bringing: &Bringing,
    key: &SessionKey,
    stores: &Stores,
) -> Result<(), Error> {
    if bringing.results.is_empty() {
        return Ok(());
    }
    let mut open = HashSet::new();
    if bringing.history.is_empty() || bringing.goes_on {
        let rows = stores.transcripts.context(key, ROWS_MAX).await?;
        for row in rows.iter().filter(|row| !row.waiting) {
            follow(&mut open, row.role, &content_of(&row.content));
        }
    }
    for prior in &bringing.history {
        follow(&mut open, prior.role, &prior.content);
    }
    for (index, result) in bringing.results.iter().enumerate() {
        if !open.remove(&result.call_id) {
            return Err(Error::ToolCallUnknown { index });
        }
    }
    Ok(())
}

/// The calls that wait for a result, behind one more message.
fn follow(open: &mut HashSet<String>, role: Role, content: &Content) {
    match role {
        Role::User => open.clear(),
        Role::Assistant => *open = content.calls().map(|call| call.id.clone()).collect(),
        Role::Tool => content.results().for_each(|result| {
            open.remove(&result.call_id);
        }),
        Role::System => {}
    }
}
