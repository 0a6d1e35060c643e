//! What kind of place a channel is. A message says it; a mention, a command and a button do not, and the id of a group of people without a
//! name looks like a channel's.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde::Deserialize;
use tokio::time;

use super::{
    api::{Api, ApiError},
    refusal::is_passing,
};
use crate::adapter::ChatKind;

/// Channels that are remembered. Beyond it all are asked for anew.
const KINDS_MAX: usize = 2048;
/// Slack wants what it says acknowledged within three seconds.
const ASK_WITHIN: Duration = Duration::from_millis(1500);
/// What the name of a group of people without one begins with.
const GROUP_NAME: &str = "mpdm-";

#[derive(Debug, Default)]
pub(super) struct Kinds {
    known: Mutex<HashMap<String, ChatKind>>,
    may_not_ask: AtomicBool,
}

#[derive(Deserialize)]
struct Answer {
    channel: Info,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Info {
    is_mpim: bool,
}

impl Kinds {
    /// A message says what kind of place it stands in.
    pub(super) fn told(&self, channel: &str, kind: &str) -> Option<ChatKind> {
        let kind = match kind {
            "im" => ChatKind::Direct,
            "mpim" => ChatKind::Group,
            "channel" | "group" | "private_channel" => ChatKind::Channel,
            _ => return by_id(channel),
        };
        if kind != ChatKind::Direct {
            self.learn(channel, kind);
        }
        Some(kind)
    }

    /// What kind of place it is, by its name where that is known. An app that may not ask takes what is neither told nor named for a
    /// channel.
    pub(super) async fn of(&self, api: &Api, channel: &str, name: &str) -> Option<ChatKind> {
        let looks = by_id(channel)?;
        if looks == ChatKind::Direct {
            return Some(looks);
        }
        if name.starts_with(GROUP_NAME) {
            self.learn(channel, ChatKind::Group);
            return Some(ChatKind::Group);
        }
        let known = self.lock().get(channel).copied();
        if known.is_some() || self.may_not_ask.load(Ordering::Relaxed) {
            return known.or(Some(looks));
        }
        let which = [("channel", channel)];
        let asked = api.query::<Answer>("conversations.info", &which);
        let kind = match time::timeout(ASK_WITHIN, asked).await {
            Ok(Ok(answer)) if answer.channel.is_mpim => ChatKind::Group,
            Ok(Ok(_)) => looks,
            Ok(Err(ApiError::Refused(refused))) if refused.status < 400 && !is_passing(&refused) => {
                if refused.word == "missing_scope" {
                    tracing::info!(
                        "the app may not ask what kind of place a channel is: give it the scopes channels:read, groups:read and mpim:read"
                    );
                    self.may_not_ask.store(true, Ordering::Relaxed);
                }
                looks
            }
            // Asked again the next time.
            Ok(Err(_)) | Err(_) => return Some(looks),
        };
        self.learn(channel, kind);
        Some(kind)
    }

    fn learn(&self, channel: &str, kind: ChatKind) {
        let mut known = self.lock();
        if known.len() >= KINDS_MAX && !known.contains_key(channel) {
            known.clear();
        }
        known.insert(channel.to_owned(), kind);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, ChatKind>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn by_id(channel: &str) -> Option<ChatKind> {
    match channel.chars().next()? {
        'D' => Some(ChatKind::Direct),
        'G' | 'C' => Some(ChatKind::Channel),
        _ => None,
    }
}
