//! Which chat is meant. A chat is a number, or the name of a public one; a topic of a group is written behind it, as the
//! addresses of OpenClaw are: `-1001234567890:topic:42`.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};

use super::update::Message;
use crate::{account::AccountState, store::StoreError};

/// Groups that moved which are remembered; the oldest by their number give way.
const MOVES_MAX: usize = 256;
/// The name under which they are kept.
const MOVES: &str = "moves";
const TOPIC: &str = ":topic:";
/// The topic that every forum has. Telegram takes messages for it without a topic only.
const GENERAL: i64 = 1;

/// A chat as a method takes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Chat {
    Id(i64),
    /// `@name`
    Name(String),
}

impl Chat {
    pub(super) fn value(&self) -> Value {
        match self {
            Self::Id(id) => json!(id),
            Self::Name(name) => json!(name),
        }
    }

    /// Whether several people are there.
    pub(super) fn is_shared(&self) -> bool {
        match self {
            Self::Id(id) => *id < 0,
            Self::Name(_) => true,
        }
    }
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) chat: Chat,
    pub(super) topic: Option<i64>,
}

impl Place {
    /// Reads an address, and the thread beside it if there is one.
    pub(super) fn read(address: &str, thread: Option<&str>) -> Result<Self, String> {
        let address = address.trim();
        let address = ["telegram:", "tg:"]
            .iter()
            .find_map(|prefix| address.strip_prefix(prefix))
            .unwrap_or(address);
        let (chat, topic) = match address.split_once(TOPIC) {
            Some((chat, topic)) => (chat, Some(topic)),
            None => (address, None),
        };
        let chat = match chat.parse() {
            Ok(id) => Chat::Id(id),
            Err(_) if chat.starts_with('@') && chat.len() > 1 => Chat::Name(chat.to_owned()),
            Err(_) => {
                return Err(format!(
                    "{address:?} is not a chat of Telegram: write its number, or @name of a public one"
                ));
            }
        };
        let topic = topic.or(thread).filter(|topic| !topic.is_empty());
        let topic = topic.map(|topic| {
            topic
                .parse::<i64>()
                .map_err(|_| format!("{topic:?} is not a topic: topics are numbers"))
        });
        Ok(Self {
            chat,
            topic: topic.transpose()?.filter(|topic| *topic != GENERAL),
        })
    }
}

/// A group with the topic in which something is said.
pub(super) fn address(chat: i64, topic: Option<i64>) -> String {
    match topic {
        Some(topic) => format!("{chat}{TOPIC}{topic}"),
        None => chat.to_string(),
    }
}

/// Groups that became supergroups: the number that each had first, and the one that it has now. A conversation goes on under the
/// first, and what is said goes to the last.
#[derive(Debug)]
pub(super) struct Moves {
    known: Mutex<BTreeMap<i64, i64>>,
    state: AccountState,
}

impl Moves {
    pub(super) async fn read(state: AccountState) -> Result<Self, StoreError> {
        let kept = state.get(MOVES).await?;
        let known = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(Self {
            known: Mutex::new(known.unwrap_or_default()),
            state,
        })
    }

    /// The number that a chat has now.
    pub(super) fn now(&self, chat: i64) -> i64 {
        self.lock().get(&chat).copied().unwrap_or(chat)
    }

    /// The number that it had first.
    pub(super) fn first(&self, chat: i64) -> i64 {
        let known = self.lock();
        let old = known.iter().find(|(_, now)| **now == chat);
        old.map_or(chat, |(old, _)| *old)
    }

    /// What a message says about the numbers of groups.
    pub(super) async fn heed(&self, message: &Message) -> Result<(), StoreError> {
        let moved = [
            message.migrate_to_chat_id.map(|new| (message.chat.id, new)),
            message.migrate_from_chat_id.map(|old| (old, message.chat.id)),
        ];
        for (old, new) in moved.into_iter().flatten() {
            tracing::info!(chat.id = old, to = new, "a group has another number now");
            self.learn(old, new).await?;
        }
        Ok(())
    }

    /// Remembers that a chat has another number.
    pub(super) async fn learn(&self, old: i64, new: i64) -> Result<(), StoreError> {
        let kept = {
            let mut known = self.lock();
            if old == new || known.get(&old) == Some(&new) {
                return Ok(());
            }
            for now in known.values_mut().filter(|now| **now == old) {
                *now = new;
            }
            known.insert(old, new);
            while known.len() > MOVES_MAX {
                known.pop_last();
            }
            serde_json::to_vec(&*known).map_err(StoreError::Row)?
        };
        self.state.put(MOVES, kept).await
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, i64>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Chat, Place};

    fn place(address: &str, thread: Option<&str>) -> Option<(Chat, Option<i64>)> {
        let place = Place::read(address, thread).ok()?;
        Some((place.chat, place.topic))
    }

    #[test]
    fn a_chat_is_a_number_or_a_public_name_and_a_topic_stands_behind_it_or_beside_it() {
        assert_eq!(place("7", None), Some((Chat::Id(7), None)));
        assert_eq!(place("-100:topic:42", None), Some((Chat::Id(-100), Some(42))));
        assert_eq!(place("-100", Some("42")), Some((Chat::Id(-100), Some(42))));
        assert_eq!(
            place("telegram:-100:topic:42", Some("43")),
            Some((Chat::Id(-100), Some(42)))
        );
        assert_eq!(place("@news", None), Some((Chat::Name("@news".into()), None)));
        assert_eq!(place("-100:topic:1", None), Some((Chat::Id(-100), None)));
        for wrong in ["", "anna", "@", "7:topic:x", "7 8"] {
            assert_eq!(place(wrong, None), None, "{wrong}");
        }
    }
}
