//! The groups that people put sessions into. A group is a name and a place; which sessions are in it, their own rows say.
//!
//! The list is one for all, as it stands in every side bar. What a session is put into is its owner's business: whoever renames or deletes a
//! group moves the sessions that he may see, and those of other users stay as they are. A name that only a session's own row has is in no
//! list.

use async_trait::async_trait;

use crate::error::Error;
use crate::key::SessionKey;
use crate::viewer::Viewer;

/// The groups there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupsOf {
    /// Their names, in their order.
    pub(crate) names: Vec<String>,
    /// The order of everything that a side bar shows.
    pub(crate) sections: Vec<String>,
}

/// A change of the groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GroupChange {
    /// These are the groups. No sections: as they were.
    Put(GroupsOf),
    Rename {
        name: String,
        to: String,
    },
    Delete(String),
}

/// The store of groups.
#[async_trait]
pub(crate) trait Groups: Send + Sync + std::fmt::Debug {
    async fn groups(&self) -> Result<GroupsOf, Error>;

    /// Makes a change. Answers the groups after it, and the sessions whose group became another one: those that this viewer may see.
    async fn change_groups(
        &self,
        change: GroupChange,
        viewer: Viewer,
    ) -> Result<(GroupsOf, Vec<SessionKey>), Error>;
}
