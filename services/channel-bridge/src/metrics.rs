//! Counters whose sum closes: for each channel and direction, accepted = delivered + refused + failed + expired + deduped
//! + dropped + handled + what still waits.

use std::{fmt, sync::atomic::AtomicU64};

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::{adapter::AccountKey, outbox::store::Counts};
use gatehouse_core::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Direction {
    /// From a platform.
    In,
    /// To a platform.
    Out,
}

impl EncodeLabelValue for Direction {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let word = match self {
            Self::In => "in",
            Self::Out => "out",
        };
        word.encode(encoder)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    /// Handed to the bridge.
    Accepted,
    /// Taken over by the session service, or by the platform.
    Delivered,
    /// The sender may not talk.
    Refused,
    /// Given up on.
    Failed,
    /// Too old.
    Expired,
    /// Known already.
    Deduped,
    /// Somebody wanted no more of it.
    Dropped,
    /// A word to the gateway itself, which it has obeyed.
    Handled,
}

impl Fate {
    /// The word for logs and labels.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Deduped => "deduped",
            Self::Dropped => "dropped",
            Self::Handled => "handled",
        }
    }
}

impl EncodeLabelValue for Fate {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.as_str().encode(encoder)
    }
}

/// Bounded by the accounts that are configured.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AccountLabels {
    channel: String,
    account: String,
}

impl AccountLabels {
    fn of(key: &AccountKey) -> Self {
        Self {
            channel: key.channel.clone(),
            account: key.account.clone(),
        }
    }
}

/// How an account is when somebody scrapes.
#[derive(Debug)]
pub(crate) struct AccountState {
    pub(crate) key: AccountKey,
    /// Whether it is connected.
    pub(crate) up: bool,
    /// What waits in its outbox; nothing when the database could not be asked.
    pub(crate) counts: Option<Counts>,
    /// Messages of it that wait for the session service; nothing when the database could not be asked.
    pub(crate) inbox: Option<i64>,
}

/// Bounded by the channels that exist, two directions and eight fates.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    channel: String,
    direction: Direction,
    fate: Fate,
}

/// The instruments. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    messages: Family<Labels, Counter>,
    parts: Family<AccountLabels, Counter>,
    plain: Family<AccountLabels, Counter>,
    previews: Family<AccountLabels, Counter>,
    restarts: Family<AccountLabels, Counter>,
    inbox: Family<AccountLabels, Gauge>,
    up: Family<AccountLabels, Gauge>,
    waiting: Family<AccountLabels, Gauge>,
    waiting_parts: Family<AccountLabels, Gauge>,
    oldest: Family<AccountLabels, Gauge<f64, AtomicU64>>,
    dead: Family<AccountLabels, Gauge>,
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "gatehouse_channel_messages",
            "Messages by channel, direction and fate",
            self.messages.clone(),
        );
        let registry = registry.sub_registry_with_prefix("gatehouse_channel");
        registry.register(
            "parts",
            "Messages or lines that the platform of an account took: parts of replies",
            self.parts.clone(),
        );
        registry.register(
            "markup_refused",
            "Parts whose markup the platform of an account refused: sent again as plain words",
            self.plain.clone(),
        );
        registry.register(
            "previews",
            "How often an answer that was still being written was shown in a chat of an account",
            self.previews.clone(),
        );
        registry.register(
            "restarts",
            "Connections of an account that ended unasked and are made anew",
            self.restarts.clone(),
        );
        registry.register(
            "inbox_waiting",
            "Messages from people that wait for the session service",
            self.inbox.clone(),
        );
        registry.register("up", "Whether an account is connected", self.up.clone());
        registry.register(
            "waiting",
            "Replies that wait for the platform of an account",
            self.waiting.clone(),
        );
        registry.register(
            "waiting_parts",
            "Their parts that the platform has not taken",
            self.waiting_parts.clone(),
        );
        registry.register(
            "oldest_waiting_seconds",
            "How long the oldest reply has waited for the platform",
            self.oldest.clone(),
        );
        registry.register(
            "dead_letters",
            "Replies of the last days that were given up on",
            self.dead.clone(),
        );
    }

    /// How the accounts are at `now`. Those that are no longer configured are on no page.
    pub(crate) fn accounts(&self, accounts: Vec<AccountState>, now: Timestamp) {
        for family in [
            &self.up,
            &self.inbox,
            &self.waiting,
            &self.waiting_parts,
            &self.dead,
        ] {
            family.clear();
        }
        self.oldest.clear();
        for AccountState {
            key,
            up,
            counts,
            inbox,
        } in accounts
        {
            let labels = AccountLabels::of(&key);
            self.up.get_or_create(&labels).set(i64::from(up));
            if let Some(inbox) = inbox {
                self.inbox.get_or_create(&labels).set(inbox);
            }
            let Some(counts) = counts else { continue };
            self.restarts.get_or_create(&labels).inc_by(0); // none is a figure, too
            self.waiting.get_or_create(&labels).set(counts.waiting);
            self.waiting_parts.get_or_create(&labels).set(counts.parts);
            self.dead.get_or_create(&labels).set(counts.dead);
            let waited = counts.oldest_at.map(|since| now.since(since)).unwrap_or_default();
            self.oldest.get_or_create(&labels).set(waited.as_secs_f64());
        }
    }

    /// The platform took a part of a reply.
    pub(crate) fn part(&self, account: &AccountKey) {
        self.parts.get_or_create(&AccountLabels::of(account)).inc();
    }

    /// An answer that is still being written was shown.
    pub(crate) fn preview(&self, account: &AccountKey) {
        self.previews.get_or_create(&AccountLabels::of(account)).inc();
    }

    /// The platform refused the markup of a part.
    pub(crate) fn markup_refused(&self, account: &AccountKey) {
        self.plain.get_or_create(&AccountLabels::of(account)).inc();
    }

    /// A connection ended, and another one will be made.
    pub(crate) fn restart(&self, account: &AccountKey) {
        self.restarts.get_or_create(&AccountLabels::of(account)).inc();
    }

    pub(crate) fn count(&self, channel: &str, direction: Direction, fate: Fate) {
        self.messages
            .get_or_create(&Labels {
                channel: channel.to_owned(),
                direction,
                fate,
            })
            .inc();
    }

    #[cfg(test)]
    pub(crate) fn get(&self, channel: &str, direction: Direction, fate: Fate) -> u64 {
        self.messages
            .get_or_create(&Labels {
                channel: channel.to_owned(),
                direction,
                fate,
            })
            .get()
    }
}

#[cfg(test)]
mod tests;
