//! A message on its way in.

use std::sync::Arc;

use gatehouse_core::{Content, Timestamp, trace};

use super::{Aborted, Ended, Turn};
use crate::agents::ModelName;
use crate::deliveries::Target;
use crate::id::{RunId, SessionId};
use crate::key::SessionKey;
use crate::routing::PeerKind;
use crate::sessions::Life;
use crate::sessions::{SessionPatch, SessionRecord};
use crate::thinking::Level;
use crate::transcripts::{Entry, NewEntry};
use crate::turns::queue::QueueRule;
use crate::viewer::Viewer;

/// A platform's message: the key against doubles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InboundKey {
    pub(crate) channel: String,
    pub(crate) account: String,
    pub(crate) message: String,
}

/// Where the reply of a new turn goes.
#[derive(Clone, Debug, Default)]
pub(crate) enum Reply {
    /// To the clients that look, and to no chat.
    #[default]
    Clients,
    /// To the chat that asked.
    To(Target),
    /// To the chat of the session as it is at this moment.
    SessionChat,
}

/// What a session that does not exist yet begins with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seed {
    /// The channel it belongs to.
    pub(crate) channel: Option<String>,
    /// What kind of chat it is.
    pub(crate) chat_type: Option<PeerKind>,
    /// The named user whose it is. Unset: nobody's in particular.
    pub(crate) user: Option<String>,
}

/// A message to take.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    pub(crate) key: SessionKey,
    pub(crate) run: RunId,
    pub(crate) entry: NewEntry,
    /// What is asked, as a digest.
    pub(crate) fingerprint: Vec<u8>,
    /// How it joins the queue.
    pub(crate) queue: QueueRule,
    /// Where the reply goes.
    pub(crate) reply: Reply,
    /// Who says it, as far as it matters where: in nobody's session who may not see it.
    pub(crate) viewer: Viewer,
    /// For a new session.
    pub(crate) seed: Seed,
    /// The transcript the client looks at.
    pub(crate) expected_session: Option<SessionId>,
    /// Who says it, by the id of the platform or of the named user. `None`: the owner, or a process.
    pub(crate) sender: Option<String>,
    /// For a message of a channel.
    pub(crate) inbound: Option<InboundKey>,
    /// The model chosen for it.
    pub(crate) model: Option<ModelName>,
    /// How hard to think.
    pub(crate) thinking: Option<Level>,
    /// The longest it may take, in milliseconds.
    pub(crate) timeout_ms: Option<i64>,
    /// What is done instead of answering it. `None`: it is answered.
    pub(crate) task: Option<Task>,
    /// What a program brings with it.
    pub(crate) brought: Brought,
    /// When the conversation is over that it is said in, for what somebody says. `None`: it is no sign that anybody is there.
    pub(crate) life: Option<Arc<Life>>,
    /// The trace it belongs to.
    pub(crate) trace: trace::Context,
    pub(crate) now: Timestamp,
}

/// What a program brings with its message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Brought {
    /// Its tools, parameters and conversation, kept until the turn has ended: `gatehouse.agent.v1.Program`.
    pub(crate) program: Option<Vec<u8>>,
    /// What a transcript that is empty begins with.
    pub(crate) before: Vec<NewEntry>,
    /// Whether that stands in a transcript that is not empty, too, behind what is there.
    pub(crate) goes_on: bool,
    /// How long a session that is made for it is kept after its last turn, in milliseconds. `None`: for ever.
    pub(crate) keep_ms: Option<i64>,
    /// Whether its session was made for it just before.
    pub(crate) is_forked: bool,
}

/// What a turn does instead of answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// The model says in few words what was said so far; from then on models read that.
    Compact,
}

impl Task {
    /// The word in the store.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Compact => "compact",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Compact].into_iter().find(|task| task.word() == word)
    }
}

/// What became of a message.
#[derive(Clone, Debug)]
pub(crate) enum Admitted {
    New(Box<NewTurn>),
    /// Known already, with the same content.
    Known(Box<Turn>),
}

/// What the gateway says to a message, and does for it.
#[derive(Clone, Debug)]
pub(crate) struct GatewayAnswer {
    /// What it changes about the session.
    pub(crate) change: Option<SessionPatch>,
    /// The row of the answer.
    pub(crate) entry: NewEntry,
    /// What its chat reads, when it has one.
    pub(crate) reply: Content,
}

/// What became of a message that came with its answer.
#[derive(Clone, Debug)]
pub(crate) enum Answered {
    /// It was taken, and its turn has ended.
    New(Box<(NewTurn, Ended)>),
    /// Known already, with the same content.
    Known(Box<Turn>),
}

/// A message that was taken.
#[derive(Clone, Debug)]
pub(crate) struct NewTurn {
    /// Its turn; running when it was begun at once.
    pub(crate) turn: Turn,
    pub(crate) entry: Entry,
    /// The session after it.
    pub(crate) session: SessionRecord,
    /// What had to give way.
    pub(crate) gave_way: Aborted,
    /// The row with which a new transcript began, because the one before was over.
    pub(crate) boundary: Option<Entry>,
}
