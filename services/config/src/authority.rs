//! What a change may do that comes through a method, beyond what the document may hold: an administrator's token is not the
//! account of the person who owns the machine. The document before the change and the one after it are compared, so it makes
//! no difference by which method, patch or merge the one became the other.
//!
//! - [`mod@reference`]: a method names files within `secrets.dirs` and listed variables only, and cannot widen either list. What
//!   somebody wrote into the file by hand may stay where it stands, as it stands. Nothing has to be remembered for that, over
//!   a restart neither: a file outside of `secrets.dirs` can only have been named by hand, because this refuses the rest, and
//!   one within them is opened without following a link out, whoever named it.
//! - [`destination`]: a credential does not follow its server's address to another server.

mod destination;
mod reference;

use serde_json::Value;

use crate::{issue::Issue, secrets::Sources};

/// A change on its way into the document.
pub(crate) struct Change<'c> {
    /// The document that runs.
    pub(crate) before: &'c Value,
    /// What it would become.
    pub(crate) after: &'c Value,
    /// What the caller sent, marks of hidden secrets included.
    pub(crate) sent: &'c Value,
    pub(crate) sources: &'c Sources,
}

/// Everything that a method may not do and this change does. Judges what is written and opens nothing, so a refusal tells
/// nothing about files and variables.
pub(crate) fn check(change: &Change<'_>) -> Vec<Issue> {
    let mut issues = reference::check(change);
    issues.extend(destination::check(change));
    issues
}

#[cfg(test)]
mod tests;
