//! A client of the edge: the plain handshake, requests, answers and events on one WebSocket.
//!
//! Payloads stay the text they came as: a number that is bigger than 2^53, and the order of keys, are printed as the gateway wrote
//! them.

pub(crate) mod follow;
pub(crate) mod grpc;
mod next_step;

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use futures::{SinkExt, StreamExt};
use gatehouse_contract::{Access, Grants, Map, Role};
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_tls_with_config,
    tungstenite::{self, Message, protocol::WebSocketConfig},
};

use crate::{
    exit::{Exit, Failed},
    gateway::Gateway,
    pin,
};

/// A gateway on this machine or in this network accepts within this time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The edge's own deadline for the handshake.
pub(crate) const HELLO_TIMEOUT: Duration = Duration::from_secs(15);

/// The largest frame: what the edge itself announces as the largest payload.
pub(crate) const FRAME_BYTES_MAX: usize = 25 * 1024 * 1024;

/// Events that are kept while an answer is waited for; the oldest go first. A busy gateway has some hundred a second.
const KEPT_MAX: usize = 4_096;

/// A connection to a gateway, before anything was said.
pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Opens one, trusting the certificate alone that is pinned, if one is.
pub(crate) async fn open(gateway: &Gateway) -> Result<Socket, Failed> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX))
        .read_buffer_size(16 * 1024);
    let connector = gateway.pinned.map(pin::connector);
    let connecting = connect_async_tls_with_config(gateway.url.as_str(), Some(config), true, connector);
    match timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(error)) => Err(next_step::unreachable(gateway, &error)),
        Err(_) => Err(next_step::unreachable(
            gateway,
            &tungstenite::Error::Io(std::io::ErrorKind::TimedOut.into()),
        )),
    }
}

/// A connection that passed the handshake.
#[derive(Debug)]
pub(crate) struct Client {
    socket: Socket,
    requests: u64,
    /// What came while an answer was waited for.
    kept: VecDeque<Incoming>,
}

/// What the gateway answered when it did not do what was asked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Refusal {
    /// The protocol's code.
    pub(crate) code: String,
    /// For a person.
    pub(crate) message: String,
    /// For a program.
    pub(crate) details: serde_json::Value,
    /// Whether to try again.
    pub(crate) retryable: bool,
    /// When.
    pub(crate) retry_after_ms: Option<u64>,
}

impl Refusal {
    /// The token was replaced while the connection was open.
    pub(crate) fn is_auth_changed(&self) -> bool {
        self.details.get("code").and_then(serde_json::Value::as_str) == Some("AUTH_CHANGED")
    }
}

/// What came over the socket.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// An answer to the request with this id.
    Answer {
        /// The request.
        id: String,
        /// The payload, or a refusal.
        result: Result<Box<RawValue>, Refusal>,
    },
    /// An event.
    Event {
        /// Its name.
        name: String,
        /// What it says.
        payload: Box<RawValue>,
    },
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
    event: String,
    payload: Option<Box<RawValue>>,
    error: Option<Refusal>,
}

impl Client {
    /// Connects and shows the token, and asks for what these methods need.
    pub(crate) async fn connect(gateway: &Gateway, methods: &[&str]) -> Result<Self, Failed> {
        let mut client = Self {
            socket: open(gateway).await?,
            requests: 0,
            kept: VecDeque::new(),
        };
        client.handshake(gateway, &scopes(methods)).await?;
        Ok(client)
    }

    async fn handshake(&mut self, gateway: &Gateway, scopes: &[&str]) -> Result<(), Failed> {
        let mut params = json!({"role": "operator", "scopes": scopes, "clientId": "cli"});
        if let (Some(token), Some(params)) = (&gateway.token, params.as_object_mut()) {
            params.insert("token".to_owned(), token.expose().into());
        }
        let connect = json!({"method": "connect", "params": params});
        self.socket
            .send(Message::text(connect.to_string()))
            .await
            .map_err(|error| lost(&error.to_string()))?;
        let deadline = Instant::now() + HELLO_TIMEOUT;
        loop {
            let frame = timeout_at(deadline, self.frame()).await.map_err(|_| {
                Failed::new(
                    Exit::Unavailable,
                    format!("{} did not finish the handshake", gateway.url),
                )
            })?;
            match frame {
                Ok(frame) if frame.kind == "hello-ok" => return Ok(()),
                Ok(Frame {
                    error: Some(refusal), ..
                }) => return Err(next_step::handshake_refused(&refusal, gateway)),
                Ok(_) => {} // the challenge of the other dialect
                Err(closed) => return Err(next_step::closed_in_handshake(&closed, gateway)),
            }
        }
    }

    /// Sends a request and returns its id.
    pub(crate) async fn send(&mut self, method: &str, params: &RawValue) -> Result<String, Failed> {
        self.requests += 1;
        let id = self.requests.to_string();
        let method =
            serde_json::to_string(method).map_err(|error| Failed::new(Exit::Usage, error.to_string()))?;
        let frame = format!(
            r#"{{"type":"req","id":"{id}","method":{method},"params":{}}}"#,
            params.get()
        );
        self.socket
            .send(Message::text(frame))
            .await
            .map_err(|error| lost(&error.to_string()))?;
        Ok(id)
    }

    /// Calls a method and waits for its first answer. What comes in between is kept for [`Client::next`].
    pub(crate) async fn call(
        &mut self,
        method: &str,
        params: &RawValue,
        deadline: Duration,
    ) -> Result<Box<RawValue>, Failed> {
        let id = self.send(method, params).await?;
        self.answer(&id, deadline)
            .await?
            .map_err(|refusal| next_step::refused(method, &refusal))
    }

    /// The next answer to a request. What comes in between is kept for [`Client::next`].
    pub(crate) async fn answer(
        &mut self,
        request: &str,
        deadline: Duration,
    ) -> Result<Result<Box<RawValue>, Refusal>, Failed> {
        let deadline_at = Instant::now() + deadline;
        loop {
            let incoming = timeout_at(deadline_at, self.receive()).await.map_err(|_| {
                Failed::new(
                    Exit::Unavailable,
                    format!("no answer within {} s", deadline.as_secs()),
                )
                .next("`gatehouse status` shows which service is slow; --timeout waits longer")
            })??;
            match incoming {
                Incoming::Answer { id, result } if id == request => return Ok(result),
                other => {
                    if self.kept.len() >= KEPT_MAX {
                        self.kept.pop_front();
                    }
                    self.kept.push_back(other);
                }
            }
        }
    }

    /// The next answer or event.
    ///
    /// # Cancel safety
    /// Safe: a frame is either returned or still to come.
    pub(crate) async fn next(&mut self) -> Result<Incoming, Failed> {
        match self.kept.pop_front() {
            Some(incoming) => Ok(incoming),
            None => self.receive().await,
        }
    }

    async fn receive(&mut self) -> Result<Incoming, Failed> {
        loop {
            let frame = self.frame().await.map_err(|closed| lost(&closed))?;
            match frame.kind.as_str() {
                "res" => {
                    let result = match frame.error {
                        Some(refusal) => Err(refusal),
                        None => Ok(frame.payload.unwrap_or_else(|| RawValue::NULL.to_owned())),
                    };
                    return Ok(Incoming::Answer {
                        id: frame.id.unwrap_or_default(),
                        result,
                    });
                }
                "event" => {
                    let payload = frame.payload.unwrap_or_else(|| RawValue::NULL.to_owned());
                    return Ok(Incoming::Event {
                        name: frame.event,
                        payload,
                    });
                }
                _ => {} // a kind that a newer gateway has
            }
        }
    }

    async fn frame(&mut self) -> Result<Frame, String> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    if let Ok(frame) = serde_json::from_str(&text) {
                        return Ok(frame);
                    }
                }
                Some(Ok(Message::Close(Some(close)))) if !close.reason.is_empty() => {
                    return Err(close.reason.to_string());
                }
                Some(Ok(Message::Close(close))) => {
                    return Err(close.map_or_else(
                        || "closed".to_owned(),
                        |close| format!("closed with {}", close.code),
                    ));
                }
                Some(Ok(_)) => {} // pings are answered by the library
                Some(Err(error)) => return Err(error.to_string()),
                None => return Err("closed".to_owned()),
            }
        }
    }

    /// Says goodbye. Whatever happens, the connection is over.
    pub(crate) async fn close(mut self) {
        let _ = timeout(Duration::from_millis(200), self.socket.close(None)).await;
    }
}

/// The scopes that a caller of these methods needs: the least, as their contract says. A method that only the gateway knows,
/// a plugin's for example, may need any of them.
fn scopes(methods: &[&str]) -> Vec<&'static str> {
    let known: Option<Vec<_>> = methods.iter().map(|name| Map::core().method(name)).collect();
    let Some(known) = known else {
        return Grants::all(Role::Operator).scopes().collect();
    };
    let needed: BTreeSet<_> = known
        .iter()
        .filter_map(|method| method.access.required_scope())
        .collect();
    if needed.is_empty() {
        // A handshake asks for something.
        return Access::Read.required_scope().into_iter().collect();
    }
    needed.into_iter().collect()
}

fn lost(why: &str) -> Failed {
    Failed::new(
        Exit::Unavailable,
        format!("the connection to the gateway was lost: {why}"),
    )
    .next("`gatehouse status` shows whether it is back")
}

/// Parameters as JSON text.
pub(crate) fn params(value: &serde_json::Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

pub(crate) use next_step::{nearest, refused};

#[cfg(test)]
mod tests;
