//! What somebody said in a chat, as an adapter hands it over.

use gatehouse_core::{Content, Timestamp};
use serde::{Deserialize, Serialize};

use super::Case;
use crate::id::{Address, ChatId, GuildId, MessageId, RoleId, SenderId, TeamId};

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
