//! Which chats were told that their conversation has no room for more at this moment: once, and not with each message.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::store::InboxRow;
use crate::{adapter::AccountKey, id::ChatId};

/// Nobody is told again within this time: a full conversation stays full for minutes.
const AGAIN_AFTER: Duration = Duration::from_secs(600);
/// Chats that are remembered. Beyond it those that were told longest ago are forgotten: telling them again harms nobody.
const CHATS_MAX: usize = 1024;

/// The chats that were told, since when. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Told(Arc<Mutex<HashMap<(AccountKey, ChatId), Instant>>>);

impl Told {
    /// Whether the chat of this message is to be told now.
    pub(super) fn tells(&self, row: &InboxRow) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (row.account.clone(), row.message.chat_id.clone());
        if told.get(&place).is_some_and(|at| at.elapsed() < AGAIN_AFTER) {
            return false;
        }
        if told.len() >= CHATS_MAX {
            let oldest = told
                .iter()
                .min_by_key(|(_, at)| **at)
                .map(|(place, _)| place.clone());
            oldest.map(|place| told.remove(&place));
        }
        told.insert(place, Instant::now());
        true
    }
}
