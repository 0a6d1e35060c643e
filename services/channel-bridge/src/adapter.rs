//! What the bridge asks of a chat platform, and what it gives in return.
//!
//! An adapter knows one account of one platform. It runs one connection at a time and talks through a [`Link`]: what
//! people say goes in through [`Inbound`], which returns only when the message is committed, so that an adapter cannot
//! acknowledge what could still be lost; what the house says comes out as [`SendRequest`]s, one part at a time, each
//! answered by a receipt. An adapter never decides who may talk, never retries, and never reconnects by itself: it ends,
//! and the supervisor starts it anew. That somebody is being answered comes as a [`Typing`] hint, which an adapter shows if
//! its platform can, and drops otherwise.

mod send;
mod typing;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

pub use self::{
    send::{Receipt, SendError, SendPart, SendRequest},
    typing::{Hints, TYPING_MAX, Typing},
};
pub use crate::account::progress::Progress;

/// The longest id, of a message, chat or sender, in bytes. The contract declares the same bound.
pub const ID_BYTES_MAX: usize = 512;
/// The longest text of one message that comes in, in bytes. The contract declares the same bound.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// Which account of which channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountKey {
    /// The channel, for example `irc`.
    pub channel: String,
    /// The account's id in the configuration.
    pub account: String,
}

impl AccountKey {
    /// The key of this account.
    pub fn new(channel: impl Into<String>, account: impl Into<String>) -> Self {
        Self {
            channel: channel.into(),
            account: account.into(),
        }
    }
}

impl fmt::Display for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.channel, self.account)
    }
}

/// What kind of place people talk in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChatKind {
    /// Two people.
    Direct,
    /// A group.
    Group,
    /// A channel or room.
    Channel,
}

/// Something somebody said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundMessage {
    /// The platform's id of the message: with the account it is the key against doubles.
    pub message_id: String,
    /// What kind of place it was said in.
    pub chat_kind: ChatKind,
    /// The platform's stable id of the place; for a direct chat, of the other person.
    pub chat_id: String,
    /// Where an answer goes, in the form that [`SendPart::to`] takes.
    pub reply_to: String,
    /// The thread.
    pub thread_id: Option<String>,
    /// The platform's stable id of the sender. Approvals are bound to it.
    pub sender_id: String,
    /// Further ids that the platform vouches for as much as for `sender_id`.
    pub sender_aliases: Vec<String>,
    /// The sender's name. Names change hands: it is for people to read, and is matched only where an operator asked for it.
    pub sender_name: Option<String>,
    /// What was said.
    pub text: String,
    /// Whether the house was spoken to.
    pub mentioned: bool,
    /// When it was said, milliseconds since 1970.
    pub sent_at: i64,
}

/// What became of a message that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Committed.
    Stored,
    /// Committed earlier under the same id.
    Duplicate,
}

/// Why a message was not committed. The platform must not be told that it was.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// An id or the text is outside its bounds.
    #[error("{0}")]
    Invalid(&'static str),
    /// Too many messages wait already.
    #[error("too many messages wait")]
    Full,
    /// The store failed.
    #[error("the inbox could not be written")]
    Store(#[source] crate::store::StoreError),
}

/// Where messages are committed.
#[async_trait]
pub trait Receive: Send + Sync {
    /// Commits a message.
    async fn receive(&self, account: &AccountKey, message: InboundMessage) -> Result<Received, ReceiveError>;
}

/// The way in, for one account.
#[derive(Clone)]
pub struct Inbound {
    account: AccountKey,
    sink: Arc<dyn Receive>,
    progress: Progress,
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

impl Inbound {
    /// The way in for this account.
    pub fn new(account: AccountKey, sink: Arc<dyn Receive>, progress: Progress) -> Self {
        Self {
            account,
            sink,
            progress,
        }
    }

    /// The account.
    pub fn account(&self) -> &AccountKey {
        &self.account
    }

    /// What to say about the connection.
    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Commits a message; returns when it is committed. Only then may the platform be told.
    ///
    /// # Errors
    /// When it is outside its bounds, when too many wait, or when the store fails.
    pub async fn receive(&self, message: InboundMessage) -> Result<Received, ReceiveError> {
        let ids = [
            &message.message_id,
            &message.chat_id,
            &message.reply_to,
            &message.sender_id,
        ];
        if ids.iter().any(|id| id.is_empty() || id.len() > ID_BYTES_MAX) {
            return Err(ReceiveError::Invalid("an id is empty or longer than 512 bytes"));
        }
        if message
            .thread_id
            .as_ref()
            .is_some_and(|id| id.len() > ID_BYTES_MAX)
        {
            return Err(ReceiveError::Invalid("the thread's id is longer than 512 bytes"));
        }
        if message.text.len() > TEXT_BYTES_MAX {
            return Err(ReceiveError::Invalid("the text is longer than 1 MiB"));
        }
        self.progress.heard();
        let received = self.sink.receive(&self.account, message).await?;
        self.progress.received();
        Ok(received)
    }
}

/// How fast something may go: a bucket of `burst` that refills by `per_second`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// How many at once.
    pub burst: u32,
    /// How many each second in the long run.
    pub per_second: f64,
}

/// By what silence is told from death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liveness {
    /// Nothing heard for this long: degraded.
    pub degraded_after: Duration,
    /// Nothing heard for this long: the connection is dropped and made anew.
    pub dead_after: Duration,
}

/// What a platform bears.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The most parts of one message; what is beyond is cut, and the last part says so.
    pub parts_max: usize,
    /// Messages of the account as a whole.
    pub account_rate: Rate,
    /// Messages into one chat.
    pub chat_rate: Rate,
    /// Chats that are sent to at the same time.
    pub concurrency: usize,
    /// Whether the platform recognises a repeated [`SendPart::key`]. If not, a repeat after an unknown outcome may be seen
    /// twice, and is flagged.
    pub idempotent: bool,
    /// How long the platform may take for one part.
    pub send_timeout: Duration,
    /// Unset: the platform calls us, so its silence means nothing.
    pub liveness: Option<Liveness>,
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// It may work again.
    #[error("{0}")]
    Retry(String),
    /// It cannot work until somebody changes the configuration.
    #[error("{0}")]
    Failed(String),
}

/// What one connection talks through.
#[derive(Debug)]
pub struct Link {
    /// The way in.
    pub inbound: Inbound,
    /// What to say about the connection.
    pub progress: Progress,
    /// What to send. Closed when the account is to end.
    pub outgoing: mpsc::Receiver<SendRequest>,
    /// Where somebody is being answered. To be taken out even where the platform cannot show it. Closed like `outgoing`.
    pub typing: mpsc::Receiver<Typing>,
}

/// The head of an HTTP request from the platform, as it came over the edge's port. Nothing about it is trusted.
#[derive(Clone, Debug)]
pub struct HttpHead {
    /// `POST`, ...
    pub method: String,
    /// The path and the query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The peer, as the edge trusts it.
    pub peer: String,
}

/// The whole of it.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// The head.
    pub head: HttpHead,
    /// The body.
    pub body: Bytes,
}

impl HttpHead {
    /// The value of a header that occurs exactly once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self
            .headers
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.as_str());
        values.next().filter(|_| values.next().is_none())
    }

    /// Whether a header occurs at all.
    pub fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(key, _)| key == name)
    }
}

/// What to answer over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// Seconds after which to try again.
    pub retry_after: Option<u64>,
    /// JSON.
    pub body: String,
}

/// One account of one platform.
#[async_trait]
pub trait Adapter: Send + Sync + 'static {
    /// What the platform bears.
    fn limits(&self) -> Limits;

    /// Cuts a text into parts that the platform takes, each at most `reserve` bytes shorter than it could be, so that a
    /// label fits in front. The same input gives the same parts.
    fn split(&self, to: &str, text: &str, reserve: usize) -> Vec<String>;

    /// Runs one connection until it ends. Dropping the future closes the socket.
    async fn run(&self, link: Link) -> Ended;

    /// Looks at the head of a request before one byte of its body is read: the most bytes that the body may have, or the answer
    /// that it gets at once. `None`: this platform does not call us.
    fn http_head(&self, _head: &HttpHead, _inbound: &Inbound) -> Option<Result<usize, HttpAnswer>> {
        None
    }

    /// Takes a request of a platform that calls us. `None`: this platform does not.
    async fn http(&self, _request: HttpRequest, _inbound: &Inbound) -> Option<HttpAnswer> {
        None
    }
}

#[cfg(test)]
pub(crate) mod contract;
