//! Counters whose sum closes: for each channel and direction, accepted = delivered + refused + failed + expired + deduped
//! + dropped + handled + what still waits.

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Direction {
    /// From a platform.
    In,
    /// To a platform.
    Out,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
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
    /// The word for logs.
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
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "gatehouse_channel_messages",
            "Messages by channel, direction and fate",
            self.messages.clone(),
        );
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
