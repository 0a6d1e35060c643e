//! A WebSocket to a platform, with bounds. Whatever comes is bytes that the platform was heard by.

use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use tokio::{net::TcpStream, time};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::client::WebError;

/// Finding the way and the upgrade.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
/// A frame that is not taken for so long: the way is gone.
const SEND_WITHIN: Duration = Duration::from_secs(15);
/// The other side need not finish the close handshake.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);
/// The longest message, in bytes: the largest servers of Discord are said in a few megabytes.
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::platform) enum Frame {
    Text(String),
    /// Nothing that says something: a ping, an answer to one.
    Sign,
    /// It is over, with this code if one was said.
    Closed(Option<u16>),
}

/// One connection.
#[derive(Debug)]
pub(in crate::platform) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    platform: &'static str,
}

impl Socket {
    /// Connects. The address may carry a ticket and is never told.
    pub(in crate::platform) async fn connect(
        platform: &'static str,
        address: &str,
    ) -> Result<Self, WebError> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let connecting = connect_async_with_config(address, Some(config), true);
        match time::timeout(CONNECT_WITHIN, connecting).await {
            Ok(Ok((stream, _))) => Ok(Self { stream, platform }),
            Ok(Err(error)) => {
                let reason = reason(&error);
                let words = format!("the socket of {platform} cannot be opened: {reason}");
                Err(WebError::Unreachable(words))
            }
            Err(_) => {
                let words = format!("the socket of {platform} was not opened in time");
                Err(WebError::Unreachable(words))
            }
        }
    }

    /// The next that comes.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped.
    pub(in crate::platform) async fn next(&mut self) -> Frame {
        match self.stream.next().await {
            Some(Ok(Message::Text(text))) => Frame::Text(text.as_str().to_owned()),
            Some(Ok(Message::Close(frame))) => Frame::Closed(frame.map(|frame| frame.code.into())),
            Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                Frame::Sign
            }
            Some(Err(error)) => {
                tracing::debug!(reason = reason(&error), "the socket of a platform broke");
                Frame::Closed(None)
            }
            None => Frame::Closed(None),
        }
    }

    pub(in crate::platform) async fn say(&mut self, text: String) -> Result<(), WebError> {
        self.put(Message::text(text)).await
    }

    pub(in crate::platform) async fn ping(&mut self) -> Result<(), WebError> {
        self.put(Message::Ping(Bytes::new())).await
    }

    async fn put(&mut self, message: Message) -> Result<(), WebError> {
        match time::timeout(SEND_WITHIN, self.stream.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(WebError::Broken(format!(
                "the socket of {} broke: {}",
                self.platform,
                reason(&error)
            ))),
            Err(_) => Err(WebError::Broken(format!(
                "the socket of {} takes nothing any more",
                self.platform
            ))),
        }
    }

    /// Says goodbye with this code, and does not insist on an answer.
    pub(in crate::platform) async fn close(mut self, code: u16) {
        let frame = CloseFrame {
            code: CloseCode::from(code),
            reason: "".into(),
        };
        let _ = time::timeout(CLOSE_WITHIN, self.stream.close(Some(frame))).await;
    }
}

/// What went wrong, without the address that some of these errors repeat.
fn reason(error: &Error) -> String {
    match error {
        Error::Io(error) => error.kind().to_string(),
        Error::Http(response) => format!("HTTP {}", response.status().as_u16()),
        Error::Tls(_) => "TLS failed".to_owned(),
        Error::Url(_) | Error::HttpFormat(_) => "the address is not an address of a socket".to_owned(),
        Error::Capacity(_) => "a message is too large".to_owned(),
        Error::Protocol(_) | Error::Utf8(_) | Error::AttackAttempt | Error::WriteBufferFull(_) => {
            "what came is not a WebSocket".to_owned()
        }
        Error::ConnectionClosed | Error::AlreadyClosed => "it was closed".to_owned(),
    }
}
