//! What people say, on its way in: an adapter may acknowledge it once [`InboundSink::receive`] has returned.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use gatehouse_core::trace;

use super::{
    AccountKey, Progress,
    message::{InboundMessage, ROLES_MAX},
    remarks::{Remark, Remarks},
    report::Report,
};
use crate::{
    id::{Address, ID_BYTES_MAX},
    step,
    store::StoreError,
};

/// The most that one message says that comes in, in bytes. The contract declares the same bound.
pub(crate) const CONTENT_BYTES_MAX: usize = 1024 * 1024;
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

    /// Keeps how far a message of ours came, by the platform's id of it.
    async fn report(&self, account: &AccountKey, receipt: String, report: Report)
    -> Result<(), ReceiveError>;

    /// Takes what happened beside words, where it is not remembered in this process. `Some`: it is.
    fn remark(&self, _chat: &str, _by: &[&str], remark: Remark) -> Option<Remark> {
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

    /// Something happened beside words, where answers go to `chat`. It waits for whoever speaks next there and is answered. `by`: the
    /// ids of who did it, as of a sender; none where the platform does not tell.
    pub(crate) fn remark(&self, chat: &str, by: &[&str], remark: Remark) {
        self.progress.heard();
        if let Some(remark) = self.inbox.remark(chat, by, remark) {
            self.remarks.note(chat, by, remark);
        }
    }

    /// A message that is going to be answered, with what happened before it, and whether that is anything. `admits`: whether somebody
    /// of these ids may talk there.
    pub(crate) fn with_remarks(
        &self,
        message: InboundMessage,
        admits: impl Fn(&[String]) -> bool,
    ) -> (InboundMessage, bool) {
        self.remarks.beside(message, admits)
    }

    /// What happened in a chat was told.
    pub(crate) fn forget_remarks(&self, chat: &Address) {
        self.remarks.forget(chat.as_str());
    }

    /// The platform says how far a message of ours came, by the id that its receipt has; no other message of the account has the same.
    /// Returns when it is kept.
    ///
    /// # Errors
    /// When the id is outside its bounds, or when the store fails.
    pub(crate) async fn report(&self, receipt: &str, report: Report) -> Result<(), ReceiveError> {
        if receipt.is_empty() || receipt.len() > ID_BYTES_MAX {
            return Err(ReceiveError::Invalid("a message's id must have 1 to 512 bytes"));
        }
        self.progress.heard();
        self.inbox.report(&self.account, receipt.to_owned(), report).await
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
        let mut step = step::receive(&self.account.channel, &self.account.account);
        step.set("messaging.message.id", message.message_id.as_str());
        let received = trace::within(step.context(), self.inbox.receive(&self.account, message)).await;
        match &received {
            Ok(Received::Stored) => self.progress.received(),
            Ok(Received::Duplicate) => {
                step.set("gatehouse.duplicate", true);
                self.progress.received();
            }
            Err(_) => step.fail("not_stored"),
        }
        received
    }
}
