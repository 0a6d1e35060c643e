//! What people say, on its way in: an adapter may acknowledge it once [`InboundSink::receive`] has returned.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use gatehouse_core::{Content, Timestamp, trace};
use serde::{Deserialize, Serialize};

use super::{
    AccountKey, Case, Progress,
    remarks::{Remark, Remarks},
};
use crate::{
    id::{Address, ChatId, GuildId, ID_BYTES_MAX, MessageId, RoleId, SenderId, TeamId},
    step,
    store::StoreError,
};

/// The most that one message says that comes in, in bytes. The contract declares the same bound.
pub(crate) const CONTENT_BYTES_MAX: usize = 1024 * 1024;
/// Roles of one sender that are handed on. The contract declares the same bound.
pub(crate) const ROLES_MAX: usize = 250;

/// What kind of place people talk in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ChatKind {
    /// Two people.
    Direct,
    Group,
    /// A channel or room.
    Channel,
}

/// Something somebody said. Its serialised form is what a row of the inbox holds: add to it, and let what is added be absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InboundMessage {
    pub(crate) message_id: MessageId,
    pub(crate) chat_kind: ChatKind,
    pub(crate) chat_id: ChatId,
    /// Other names that the platform knows the chat by: a rule for one of them holds for it too.
    #[serde(default)]
    pub(crate) chat_aliases: Vec<ChatId>,
    /// How the platform tells names apart: rules that an operator typed are compared like that.
    #[serde(default)]
    pub(crate) case: Case,
    /// What the chat belongs to, and what the sender is there: which agent answers may depend on it.
    #[serde(default)]
    pub(crate) origin: Origin,
    /// Where an answer goes.
    pub(crate) reply_to: Address,
    pub(crate) thread_id: Option<String>,
    pub(crate) sender_id: SenderId,
    /// Further ids that the platform vouches for as much as for `sender_id`.
    pub(crate) sender_aliases: Vec<SenderId>,
    /// The sender's name. Names change hands: it is for people to read, and is matched only where an operator asked for it.
    pub(crate) sender_name: Option<String>,
    /// What was said: words and media. Rows of earlier versions hold a `text`.
    #[serde(alias = "text")]
    pub(crate) content: Content,
    /// Whether the assistant was spoken to.
    pub(crate) mentioned: bool,
    /// Whether the platform says that the sender is a program.
    #[serde(default)]
    pub(crate) from_bot: bool,
    /// When it was said.
    pub(crate) sent_at: Timestamp,
}

/// What a chat belongs to. All of it is optional: a platform says what it has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Origin {
    /// Where the chat hangs: the channel of a thread.
    pub(crate) parent: Option<ParentChat>,
    pub(crate) guild_id: Option<GuildId>,
    pub(crate) team_id: Option<TeamId>,
    /// The sender's roles there. At most [`ROLES_MAX`].
    pub(crate) roles: Vec<RoleId>,
}

/// The chat that another one hangs under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ParentChat {
    pub(crate) kind: ChatKind,
    pub(crate) id: ChatId,
}

/// What became of a message that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// Committed.
    Stored,
    /// Committed earlier under the same id.
    Duplicate,
}

/// Why a message was not committed. The platform must not be told that it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiveError {
    /// It is outside its bounds.
    #[error("{0}")]
    Invalid(&'static str),
    #[error("too many messages wait")]
    Full,
    #[error("the inbox could not be written")]
    Store(#[source] StoreError),
}

/// Where messages are committed.
#[async_trait]
pub(crate) trait Receive: Send + Sync {
    /// Commits a message.
    async fn receive(&self, account: &AccountKey, message: InboundMessage) -> Result<Received, ReceiveError>;

    /// Takes what happened beside words, where it is not remembered in this process. `Some`: it is.
    fn remark(&self, _chat: &str, remark: Remark) -> Option<Remark> {
        Some(remark)
    }
}

/// Where one account's messages are committed.
#[derive(Clone)]
pub(crate) struct InboundSink {
    account: AccountKey,
    inbox: Arc<dyn Receive>,
    progress: Progress,
    remarks: Remarks,
}

impl fmt::Debug for InboundSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboundSink")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

impl InboundSink {
    pub(crate) fn new(account: AccountKey, inbox: Arc<dyn Receive>, progress: Progress) -> Self {
        Self {
            account,
            inbox,
            progress,
            remarks: Remarks::default(),
        }
    }

    /// Something happened beside words, where answers go to `chat`. It waits for whoever speaks next there.
    pub(crate) fn remark(&self, chat: &str, remark: Remark) {
        self.progress.heard();
        if let Some(remark) = self.inbox.remark(chat, remark) {
            self.remarks.note(chat, remark);
        }
    }

    /// What to say about the connection.
    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Commits a message; returns when it is committed. Only then may the platform be told.
    ///
    /// # Errors
    /// When it is outside its bounds, when too many wait, or when the store fails.
    pub(crate) async fn receive(&self, message: InboundMessage) -> Result<Received, ReceiveError> {
        if message
            .thread_id
            .as_ref()
            .is_some_and(|id| id.len() > ID_BYTES_MAX)
        {
            return Err(ReceiveError::Invalid("the thread's id is longer than 512 bytes"));
        }
        if message.content.bytes() > CONTENT_BYTES_MAX {
            return Err(ReceiveError::Invalid("the message is larger than 1 MiB"));
        }
        if message.origin.roles.len() > ROLES_MAX {
            return Err(ReceiveError::Invalid("the sender has more than 250 roles"));
        }
        self.progress.heard();
        let chat = message.reply_to.clone();
        let (message, brings_remarks) = self.remarks.beside(message);
        let mut step = step::receive(&self.account.channel, &self.account.account);
        step.set("messaging.message.id", message.message_id.as_str());
        let received = trace::within(step.context(), self.inbox.receive(&self.account, message)).await;
        match &received {
            Ok(Received::Stored) => {
                if brings_remarks {
                    self.remarks.forget(chat.as_str());
                }
                self.progress.received();
            }
            Ok(Received::Duplicate) => {
                step.set("gatehouse.duplicate", true);
                self.progress.received();
            }
            Err(_) => step.fail("not_stored"),
        }
        received
    }
}
