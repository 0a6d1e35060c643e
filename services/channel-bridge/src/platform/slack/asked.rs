//! Who said the last messages: Slack streams an answer to somebody, and wants to know to whom.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Messages that are remembered: those that are being answered, many times over. Beyond it all are forgotten, and their answers are
/// shown as messages that change.
const ASKED_MAX: usize = 1024;

/// The member id of somebody, and the workspace that they are of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asker {
    pub(super) user: String,
    pub(super) team: String,
}

/// Who said which message, by `<channel>/<ts>`. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked(Arc<Mutex<HashMap<String, Asker>>>);

impl Asked {
    pub(super) fn learn(&self, message: &str, asker: Asker) {
        let mut asked = self.lock();
        if asked.len() >= ASKED_MAX {
            asked.clear();
        }
        asked.insert(message.to_owned(), asker);
    }

    pub(super) fn by(&self, message: &str) -> Option<Asker> {
        self.lock().get(message).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Asker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
