//! Changes of the agents: a patch that is made from what runs.

use super::{Configuration, change::Patch, lists::Lists};
use crate::{
    check::rules::model_problem,
    error::Error,
    roster::{self, Change, Done},
    store::Disk,
};

impl<D: Disk> Configuration<D> {
    /// Changes which agents there are.
    pub(crate) fn change_roster(&mut self, change: &Change) -> Result<(super::Patched, Done), Error> {
        self.reload()?;
        let running = self.state().revision;
        let problem = |model: &str| model_problem(running.document(), running.written(), model);
        let planned = roster::plan(running.written(), change, problem)?;
        let patched = self.patch(&Patch {
            raw: planned.patch.to_string(),
            base_hash: Some(running.hash().to_owned()),
            note: Some(planned.note),
            force: false,
            lists: Lists::Whole,
        })?;
        Ok((patched, planned.done))
    }
}
