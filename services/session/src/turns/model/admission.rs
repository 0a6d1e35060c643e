//! A message on its way in.

use super::{Aborted, Turn};
use crate::deliveries::Target;
use crate::id::{RunId, SessionId};
use crate::key::SessionKey;
use crate::sessions::SessionRecord;
use crate::transcripts::{Entry, NewEntry};
use crate::turns::queue::QueueRule;

/// A platform's message: the key against doubles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboundKey {
    /// The channel.
    pub channel: String,
    /// The account.
    pub account: String,
    /// The platform's id.
    pub message: String,
}

/// Where the reply of a new turn goes.
#[derive(Clone, Debug, Default)]
pub enum Reply {
    /// To the screens alone.
    #[default]
    Screens,
    /// To the chat that asked.
    To(Target),
    /// To the chat of the session as it is at this moment.
    SessionChat,
}

/// What a session that does not exist yet begins with.
#[derive(Clone, Debug, Default)]
pub struct Seed {
    /// The channel it belongs to.
    pub channel: Option<String>,
    /// `direct`, `group` or `channel`.
    pub chat_type: Option<String>,
}

/// A message to take.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The session.
    pub key: SessionKey,
    /// The run.
    pub run: RunId,
    /// Its row.
    pub entry: NewEntry,
    /// What is asked, as a digest.
    pub fingerprint: Vec<u8>,
    /// How it joins the queue.
    pub queue: QueueRule,
    /// Where the reply goes.
    pub reply: Reply,
    /// For a new session.
    pub seed: Seed,
    /// The transcript the client looks at.
    pub expected_session: Option<SessionId>,
    /// For a message of a channel.
    pub inbound: Option<InboundKey>,
    /// The model chosen for it.
    pub model: Option<String>,
    /// How hard to think.
    pub thinking: Option<String>,
    /// The longest it may take, in milliseconds.
    pub timeout_ms: Option<i64>,
    /// The trace it belongs to.
    pub traceparent: Option<String>,
    /// Now.
    pub now: i64,
}

/// What became of a message.
#[derive(Clone, Debug)]
pub enum Admitted {
    /// Taken.
    New(Box<NewTurn>),
    /// Known already, with the same content.
    Known(Box<Turn>),
}

/// A message that was taken.
#[derive(Clone, Debug)]
pub struct NewTurn {
    /// Its turn; running when it was begun at once.
    pub turn: Turn,
    /// Its row.
    pub entry: Entry,
    /// The session after it.
    pub session: SessionRecord,
    /// What had to give way.
    pub gave_way: Aborted,
}
