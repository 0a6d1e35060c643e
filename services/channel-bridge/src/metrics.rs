//! Counters whose sum closes: for each channel and direction, accepted = delivered + refused + failed + expired + deduped
//! + dropped + handled + what still waits.

use std::{fmt, sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use crate::{
    adapter::AccountKey,
    inbox::store::INBOX_WAITING_MAX,
    outbox::store::{Counts, OUTBOX_WAITING_MAX},
};
use gatehouse_core::{Timestamp, metrics::Histograms};

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

/// Bounded by the accounts that are configured and three states.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReportLabels {
    channel: String,
    account: String,
    state: &'static str,
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

/// Bounded by the channels that exist and two directions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WayLabels {
    channel: String,
    direction: Direction,
}

/// From a service beside this one to a platform that was away for an hour.
const SECONDS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 3_600.0,
];

/// The instruments. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    messages: Family<Labels, Counter>,
    seconds: Histograms<WayLabels>,
    parts: Family<AccountLabels, Counter>,
    plain: Family<AccountLabels, Counter>,
    previews: Family<AccountLabels, Counter>,
    restarts: Family<AccountLabels, Counter>,
    inbox: Family<AccountLabels, Gauge>,
    inbox_max: Gauge,
    up: Family<AccountLabels, Gauge>,
    waiting: Family<AccountLabels, Gauge>,
    waiting_max: Gauge,
    waiting_parts: Family<AccountLabels, Gauge>,
    oldest: Family<AccountLabels, Gauge<f64, AtomicU64>>,
    dead: Family<AccountLabels, Gauge>,
    reported: Family<ReportLabels, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            messages: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            parts: Family::default(),
            plain: Family::default(),
            previews: Family::default(),
            restarts: Family::default(),
            inbox: Family::default(),
            inbox_max: Gauge::default(),
            up: Family::default(),
            waiting: Family::default(),
            waiting_max: Gauge::default(),
            waiting_parts: Family::default(),
            oldest: Family::default(),
            dead: Family::default(),
            reported: Family::default(),
        }
    }
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "gatehouse_channel_messages",
            "Messages by channel, direction and fate",
            self.messages.clone(),
        );
        registry.register(
            "gatehouse_channel_seconds",
            "From when the bridge took a message to when session, or the platform, had taken all of it",
            self.seconds.clone(),
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
        registry.register(
            "inbox_waiting_max",
            "How many may wait of one account: more are not acknowledged to the platform",
            self.inbox_max.clone(),
        );
        self.inbox_max.set(INBOX_WAITING_MAX);
        registry.register("up", "Whether an account is connected", self.up.clone());
        registry.register(
            "waiting",
            "Replies that wait for the platform of an account",
            self.waiting.clone(),
        );
        registry.register(
            "waiting_max",
            "How many may wait of one account: more are refused",
            self.waiting_max.clone(),
        );
        self.waiting_max.set(OUTBOX_WAITING_MAX);
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
        registry.register(
            "reported_parts",
            "Parts of the last days by what the platform said of them after it took them",
            self.reported.clone(),
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
        self.reported.clear();
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
            for (state, parts) in [
                ("delivered", counts.delivered),
                ("read", counts.read),
                ("not_delivered", counts.not_delivered),
            ] {
                let AccountLabels { channel, account } = labels.clone();
                let labels = ReportLabels {
                    channel,
                    account,
                    state,
                };
                self.reported.get_or_create(&labels).set(parts);
            }
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
        self.count_many(channel, direction, fate, 1);
    }

    pub(crate) fn count_many(&self, channel: &str, direction: Direction, fate: Fate, count: u64) {
        self.messages
            .get_or_create(&Labels {
                channel: channel.to_owned(),
                direction,
                fate,
            })
            .inc_by(count);
    }

    /// How long a message took that reached where it was to go.
    pub(crate) fn took(&self, channel: &str, direction: Direction, time: Duration) {
        self.seconds
            .get_or_create(&WayLabels {
                channel: channel.to_owned(),
                direction,
            })
            .observe(time.as_secs_f64());
    }

    /// What was counted of a channel and direction beside what was accepted: the ways in which a message ends.
    #[cfg(test)]
    pub(crate) fn ended(&self, channel: &str, direction: Direction) -> u64 {
        let fates = [
            Fate::Delivered,
            Fate::Refused,
            Fate::Failed,
            Fate::Expired,
            Fate::Deduped,
            Fate::Dropped,
            Fate::Handled,
        ];
        fates.map(|fate| self.get(channel, direction, fate)).iter().sum()
    }

    #[cfg(test)]
    pub(crate) fn markup_refusals(&self, account: &AccountKey) -> u64 {
        self.plain.get_or_create(&AccountLabels::of(account)).get()
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
