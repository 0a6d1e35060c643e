//! What the bridge asks of a chat platform, and what it gives in return.
//!
//! An adapter knows one account of one platform. It runs one connection at a time and talks through a [`Link`]: what
//! people say goes in through [`InboundSink`], which returns only when the message is committed, so that an adapter cannot
//! acknowledge what could still be lost; what the assistant says comes out as [`SendRequest`]s, one part at a time, each
//! answered by a receipt. An adapter never decides who may talk, never cuts a text, never retries, and never reconnects by
//! itself: it ends, and the supervisor starts it anew. What it can do stands in its [`Capabilities`], as data.

mod capabilities;
mod http;
mod inbound;
mod media;
mod message;
mod preview;
mod remarks;
mod report;
mod send;
mod text;
mod typing;

use std::fmt;

use async_trait::async_trait;
pub(crate) use gatehouse_core::Case;
use tokio::sync::mpsc;

pub(crate) use self::{
    capabilities::{Capabilities, Limits, Liveness, Rate, TextLimit, TextShape, TextUnit},
    http::{HttpAnswer, HttpHead, HttpRequest},
    inbound::{InboundSink, Receive, ReceiveError, Received},
    media::{FetchError, Remote},
    message::{ChatKind, InboundMessage, Origin, ParentChat},
    preview::{Preview, PreviewError, Previews, Shown},
    remarks::Remark,
    report::Report,
    send::{Receipt, SendError, SendPart, SendRequest},
    text::{border, overflow},
    typing::{Hints, TYPING_MAX, Typing},
};
pub(crate) use crate::account::progress::Progress;
use crate::id::{Address, MessageId};

/// Which account of which channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AccountKey {
    /// The channel, for example `irc`.
    pub(crate) channel: String,
    /// The account's id in the configuration.
    pub(crate) account: String,
}

impl AccountKey {
    pub(crate) fn new(channel: impl Into<String>, account: impl Into<String>) -> Self {
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

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ended {
    /// It may work again.
    #[error("{0}")]
    Retry(String),
    /// It cannot work until somebody changes the configuration.
    #[error("{0}")]
    Failed(String),
}

/// What one connection talks through.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) inbound: InboundSink,
    /// What to say about the connection.
    pub(crate) progress: Progress,
    /// What to send. Closed when the account is to end.
    pub(crate) outgoing: mpsc::Receiver<SendRequest>,
    /// Where somebody is being answered. Closed from the start where the platform has no [`Capabilities::typing`].
    pub(crate) typing: mpsc::Receiver<Typing>,
}

/// One account of one platform.
#[async_trait]
pub(crate) trait Adapter: Send + Sync + 'static {
    /// What the platform can do. The same for the adapter's whole life.
    fn capabilities(&self) -> Capabilities;

    /// What the platform bears. The same for the adapter's whole life.
    fn limits(&self) -> Limits;

    /// Whether it runs in a process of its own, so that what befalls it there befalls nobody else.
    fn is_isolated(&self) -> bool {
        false
    }

    /// Runs one connection until it ends. Dropping the future closes the socket.
    async fn run(&self, link: Link) -> Ended;

    /// Returns when what the last connection lacked is there: whoever waits before the next one need not wait any longer.
    async fn again(&self) {
        std::future::pending().await
    }

    /// Asks the platform itself, now and by a call of its own, whether it still knows the account. `None`: there is no way to ask but the
    /// connection.
    async fn ask(&self) -> Option<Result<(), Ended>> {
        None
    }

    /// What the platform keeps of a message that came in, by the address that the message names it by.
    async fn fetch(&self, _address: &str) -> Result<Remote, FetchError> {
        Err(FetchError::Never("this platform keeps no files".into()))
    }

    /// Shows the beginning of an answer that is still being written, where the platform has [`Capabilities::previews`]. Called for one
    /// run after the other, never twice at the same time for one run, and never once its answer is about to be sent.
    async fn preview(&self, _preview: &Preview) -> Result<Shown, PreviewError> {
        Err(PreviewError::Never("this platform shows no previews".into()))
    }

    /// Takes a preview back which no answer takes the place of. One that is not there any more is taken back.
    async fn withdraw(
        &self,
        _to: &Address,
        _thread_id: Option<&str>,
        _shown: &str,
    ) -> Result<(), PreviewError> {
        Err(PreviewError::Never("this platform shows no previews".into()))
    }

    /// Reacts to a message that came in, where the platform has [`Capabilities::reactions`]. Whether it is seen changes nothing.
    async fn react(
        &self,
        _to: &Address,
        _thread_id: Option<&str>,
        _message: &MessageId,
        _emoji: &str,
    ) -> Result<(), String> {
        Err("this platform has no reactions".into())
    }

    /// Looks at the head of a request before one byte of its body is read: the most bytes that the body may have, or the answer
    /// that it gets at once. `None`: this platform does not call us.
    fn http_head(&self, _head: &HttpHead, _inbound: &InboundSink) -> Option<Result<usize, HttpAnswer>> {
        None
    }

    /// Takes a request of a platform that calls us. `None`: this platform does not.
    async fn http(&self, _request: HttpRequest, _inbound: &InboundSink) -> Option<HttpAnswer> {
        None
    }
}

#[cfg(test)]
pub(crate) mod contract;
