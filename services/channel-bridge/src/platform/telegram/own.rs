//! Our own messages in groups, as far as they are remembered: Telegram tells how somebody reacted to a message and not whose it was.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::chats::{self, Chat, Place};

/// Messages that are remembered. Beyond it all are forgotten, and how people react to them is not told.
const OWN_MAX: usize = 4096;

/// Where answers go, by chat and message. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Own(Arc<Mutex<HashMap<(i64, i64), String>>>);

impl Own {
    pub(super) fn learn(&self, place: &Place, message: i64) {
        let Chat::Id(chat) = place.chat else { return };
        // In a chat of two there is no doubt whose it was.
        if chat > 0 {
            return;
        }
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if own.len() >= OWN_MAX {
            own.clear();
        }
        own.insert((chat, message), chats::address(chat, place.topic));
    }

    /// Where answers go that stand beside a message of ours.
    pub(super) fn address(&self, chat: i64, message: i64) -> Option<String> {
        let own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        own.get(&(chat, message)).cloned()
    }
}
