//! A reply on its way out.

use std::time::Duration;

use gatehouse_core::{Content, Timestamp, trace};
use gatehouse_proto::session::v1 as proto;
use serde::{Deserialize, Serialize};

use crate::id::RunId;
use crate::key::SessionKey;

/// How long a reply waits that the bridge has no room for: the longest that any is put off.
pub(crate) const DELIVERY_LATER: Duration = Duration::from_secs(2);

/// Where a reply goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) channel: String,
    /// The account of it.
    pub(crate) account_id: String,
    /// The conversation on the platform.
    pub(crate) to: String,
    /// The thread in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) thread_id: Option<String>,
    /// The message to answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reply_to_id: Option<String>,
}

impl Target {
    /// Whether both are the same chat, whichever message is answered in it.
    pub(crate) fn same_chat(&self, other: &Self) -> bool {
        let Self {
            channel,
            account_id,
            to,
            thread_id,
            reply_to_id: _,
        } = self;
        *channel == other.channel
            && *account_id == other.account_id
            && *to == other.to
            && *thread_id == other.thread_id
    }
}

impl From<proto::Target> for Target {
    fn from(target: proto::Target) -> Self {
        let proto::Target {
            channel,
            account_id,
            to,
            thread_id,
            reply_to_id,
        } = target;
        Self {
            channel,
            account_id,
            to,
            thread_id,
            reply_to_id,
        }
    }
}

impl From<Target> for proto::Target {
    fn from(target: Target) -> Self {
        let Target {
            channel,
            account_id,
            to,
            thread_id,
            reply_to_id,
        } = target;
        Self {
            channel,
            account_id,
            to,
            thread_id,
            reply_to_id,
        }
    }
}

/// A reply on its way to a chat.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Delivery {
    pub(crate) id: i64,
    /// Its key against doubles.
    pub(crate) key: String,
    pub(crate) run: RunId,
    pub(crate) session: SessionKey,
    pub(crate) target: Target,
    pub(crate) content: Content,
    /// When the run ended.
    pub(crate) created_at: Timestamp,
    /// How often it was offered.
    pub(crate) attempts: u32,
    /// The trace of its turn.
    pub(crate) trace: trace::Context,
}

/// Which replies of a session are taken back: all that is set must fit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recalled {
    pub(crate) run: Option<RunId>,
    pub(crate) chat: Option<Target>,
}

/// What became of a delivery.
#[derive(Clone, Debug)]
pub(crate) enum DeliveryOutcome {
    /// The bridge has it.
    Taken { now: Timestamp },
    /// Again, not before this time.
    Later { not_before: Timestamp },
    /// The bridge will never take it.
    Refused { error: String, now: Timestamp },
}
