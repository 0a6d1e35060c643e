//! The last message of each chat, for platforms that want one named where somebody is being answered.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Chats whose last message is remembered. Beyond it all are forgotten, and nothing is shown in them until somebody writes again.
const LAST_MAX: usize = 1024;

/// By chat. Clones share it.
#[derive(Clone, Debug, Default)]
pub(in crate::platform) struct Last(Arc<Mutex<HashMap<String, String>>>);

impl Last {
    pub(in crate::platform) fn learn(&self, chat: &str, message: &str) {
        let mut last = self.lock();
        if last.len() >= LAST_MAX {
            last.clear();
        }
        last.insert(chat.to_owned(), message.to_owned());
    }

    pub(in crate::platform) fn of(&self, chat: &str) -> Option<String> {
        self.lock().get(chat).cloned()
    }

    /// The same, once.
    pub(in crate::platform) fn take(&self, chat: &str) -> Option<String> {
        self.lock().remove(chat)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
