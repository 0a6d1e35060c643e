//! One connection to a gateway in the role of a node: the handshake with the key, then requests as they come.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::{SinkExt, StreamExt};
use gatehouse_core::{Secret, json};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    task::AbortHandle,
    time::{Instant, interval, timeout},
};
use tokio_tungstenite::tungstenite::Message;

use super::{key::Identity, stats, work::Work};
use crate::{
    client::{self, FRAME_BYTES_MAX, HELLO_TIMEOUT, Socket},
    exit::Failed,
    gateway::Gateway,
};

/// Room for the words around a result.
const RESULT_BYTES_MAX: usize = FRAME_BYTES_MAX - 64 * 1024;
/// How often the figures of the machine are told: as often as OpenClaw's node does.
const STATS: Duration = Duration::from_secs(60);
/// A gateway says something every 30 seconds; one that was silent for twice as long is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// What is done at the same time.
const RUNNING_MAX: usize = 16;

/// Who this node is and what it offers.
#[derive(Debug)]
pub(crate) struct Me {
    pub(crate) name: String,
    pub(crate) identity: Identity,
    pub(crate) commands: Vec<&'static str>,
    pub(crate) caps: Vec<&'static str>,
}

/// Why a connection is over.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Nobody answers, or answers any more.
    Away(String),
    /// The gateway did not let this node in.
    Refused { why: String, next: Option<String> },
}

impl From<Failed> for Ended {
    /// In one line, with what to do.
    fn from(failed: Failed) -> Self {
        Self::Away(match failed.next {
            Some(next) => format!("{}; {next}", failed.message),
            None => failed.message,
        })
    }
}

/// A connection that passed the handshake.
#[derive(Debug)]
pub(crate) struct Link {
    socket: Socket,
    me: String,
    requests: u64,
    /// The token that the gateway gave for this key.
    pub(crate) issued: Option<String>,
}

impl Link {
    pub(crate) async fn connect(gateway: &Gateway, me: &Me, token: Option<&Secret>) -> Result<Self, Ended> {
        let mut link = Self {
            socket: client::open(gateway).await?,
            me: me.identity.id.clone(),
            requests: 0,
            issued: None,
        };
        timeout(HELLO_TIMEOUT, link.handshake(me, token))
            .await
            .map_err(|_| Ended::Away(format!("{} did not finish the handshake", gateway.url)))??;
        Ok(link)
    }

    async fn handshake(&mut self, me: &Me, token: Option<&Secret>) -> Result<(), Ended> {
        let challenge = loop {
            let frame = self.frame().await?;
            if frame["event"] == "connect.challenge" {
                break frame["payload"].clone();
            }
        };
        let connect = json!({
            "type": "req", "id": "connect", "method": "connect", "params": params(me, token, &challenge),
        });
        self.send(&connect).await?;
        loop {
            let frame = self.frame().await?;
            if frame["id"] != "connect" {
                continue;
            }
            if frame["ok"] == true {
                self.issued = frame["payload"]["auth"]["deviceToken"]
                    .as_str()
                    .map(str::to_owned);
                return Ok(());
            }
            return Err(refused(&frame["error"], me));
        }
    }

    async fn send(&mut self, frame: &Value) -> Result<(), Ended> {
        // A gateway that reads no more must not hold this node: it would hear neither silence nor a cancellation.
        let sending = self.socket.send(Message::text(frame.to_string()));
        let sent = timeout(SILENCE, sending).await;
        sent.map_err(|_| Ended::Away("the gateway took nothing for a minute".to_owned()))?
            .map_err(|error| Ended::Away(format!("the connection was lost: {error}")))
    }

    async fn call(&mut self, method: &str, params: Value) -> Result<(), Ended> {
        self.requests += 1;
        let id = self.requests.to_string();
        self.send(&json!({"type": "req", "id": id, "method": method, "params": params}))
            .await
    }

    async fn frame(&mut self) -> Result<Value, Ended> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    if let Ok(frame) = serde_json::from_str(&text) {
                        return Ok(frame);
                    }
                }
                Some(Ok(Message::Close(close))) => {
                    let why = close.map(|close| format!("{} ({})", close.reason, close.code));
                    let why = why.unwrap_or_else(|| "without a word".to_owned());
                    return Err(Ended::Away(format!("the gateway closed the connection: {why}")));
                }
                Some(Ok(_)) => return Ok(Value::Null), // a sign of life; pings are answered by the library
                Some(Err(error)) => return Err(Ended::Away(format!("the connection was lost: {error}"))),
                None => return Err(Ended::Away("the connection was lost".to_owned())),
            }
        }
    }

    /// Does what comes until the connection is over. What is under way then is ended: the gateway takes it for lost.
    pub(crate) async fn serve(mut self, work: &Arc<Work>) -> Ended {
        let (done, mut results) = mpsc::channel::<(String, Value)>(RUNNING_MAX);
        let mut running = Running::default();
        let mut stats = interval(STATS);
        let mut heard = Instant::now();
        loop {
            let sent = tokio::select! {
                frame = self.frame() => match frame {
                    Ok(frame) => {
                        heard = Instant::now();
                        self.take(&frame, work, &mut running, &done).await
                    }
                    Err(ended) => return ended,
                },
                Some((id, result)) = results.recv() => {
                    running.0.remove(&id);
                    self.call("node.invoke.result", result).await
                }
                _ = stats.tick() => {
                    let params = json!({"event": "node.host.stats", "payloadJSON": stats::read().to_string()});
                    self.call("node.event", params).await
                }
                () = tokio::time::sleep_until(heard + SILENCE) => {
                    return Ended::Away("the gateway was silent for a minute".to_owned());
                }
            };
            if let Err(ended) = sent {
                return ended;
            }
        }
    }

    async fn take(
        &mut self,
        frame: &Value,
        work: &Arc<Work>,
        running: &mut Running,
        done: &mpsc::Sender<(String, Value)>,
    ) -> Result<(), Ended> {
        let payload = &frame["payload"];
        let text = |name: &str| payload[name].as_str().unwrap_or_default().to_owned();
        match frame["event"].as_str() {
            Some("node.invoke.request") => {
                let (id, command) = (text("id"), text("command"));
                if running.0.len() >= RUNNING_MAX {
                    let busy = json!({"code": "BUSY", "message": "too much is under way on this node"});
                    let result = json!({"id": id, "nodeId": self.me, "ok": false, "error": busy});
                    return self.call("node.invoke.result", result).await;
                }
                let params = match payload["paramsJSON"].as_str().map(json::read) {
                    Some(Ok(params)) => params,
                    None => Value::Null,
                    Some(Err(error)) => {
                        let message = format!("the parameters cannot be read: {error}");
                        let unread = json!({"code": "INVALID_PARAMS", "message": message});
                        let result = json!({"id": id, "nodeId": self.me, "ok": false, "error": unread});
                        return self.call("node.invoke.result", result).await;
                    }
                };
                let within = payload["timeoutMs"]
                    .as_u64()
                    .map_or(Duration::MAX, Duration::from_millis);
                let (work, me, done, invocation) =
                    (Arc::clone(work), self.me.clone(), done.clone(), id.clone());
                let task = tokio::spawn(async move {
                    let answer = work.invoke(&command, params, within).await;
                    let result = result(
                        &invocation,
                        &me,
                        answer.map_err(|refused| (refused.code, refused.message)),
                    );
                    let _ = done.send((invocation, result)).await;
                });
                running.0.insert(id, task.abort_handle());
            }
            Some("node.invoke.cancel") => {
                if let Some(task) = running.0.remove(&text("invokeId")) {
                    task.abort();
                }
            }
            Some("node.pair.resolved") => {
                crate::output::remark(&format!("what this node offers was {}", text("decision")));
            }
            Some(_) | None => {}
        }
        Ok(())
    }
}

/// What is under way. Dropping it ends all of it, with the programs that it began.
#[derive(Debug, Default)]
struct Running(HashMap<String, AbortHandle>);

impl Drop for Running {
    fn drop(&mut self) {
        for task in self.0.values() {
            task.abort();
        }
    }
}

fn result(id: &str, me: &str, answer: Result<Value, (&'static str, String)>) -> Value {
    let failed = |code: &str, message: &str| json!({"id": id, "nodeId": me, "ok": false, "error": {"code": code, "message": message}});
    match answer {
        Ok(payload) => {
            let text = payload.to_string();
            // Quotes inside the text are escaped once more in the frame.
            if text.len() + text.matches(['"', '\\']).count() > RESULT_BYTES_MAX {
                return failed("RESULT_TOO_LARGE", "the result does not fit into one frame");
            }
            json!({"id": id, "nodeId": me, "ok": true, "payloadJSON": text})
        }
        Err((code, message)) => failed(code, &message),
    }
}

/// The parameters of `connect`, signed.
fn params(me: &Me, token: Option<&Secret>, challenge: &Value) -> Value {
    let (nonce, signed_at) = (
        challenge["nonce"].as_str().unwrap_or_default(),
        challenge["ts"].as_i64().unwrap_or_default(),
    );
    let shown = token.map(Secret::expose).unwrap_or_default();
    let platform = std::env::consts::OS;
    let id = &me.identity.id;
    let signed = format!("v3|{id}|node-host|node|node||{signed_at}|{shown}|{nonce}|{platform}|{platform}");
    let mut params = json!({
        "minProtocol": 4, "maxProtocol": 4, "role": "node", "scopes": [],
        "client": {
            "id": "node-host", "displayName": me.name, "version": env!("CARGO_PKG_VERSION"), "platform": platform,
            "deviceFamily": platform, "mode": "node",
        },
        "caps": me.caps, "commands": me.commands,
        "device": {
            "id": id, "publicKey": me.identity.public_key(), "signature": me.identity.sign(&signed),
            "signedAt": signed_at, "nonce": nonce,
        },
    });
    if let (Some(token), Some(params)) = (token, params.as_object_mut()) {
        params.insert("auth".to_owned(), json!({"token": token.expose()}));
    }
    params
}

/// What a refusal means to whoever started this node.
fn refused(error: &Value, me: &Me) -> Ended {
    let why = error["message"]
        .as_str()
        .unwrap_or("the gateway refused this node")
        .to_owned();
    let details = &error["details"];
    let next = match (details["code"].as_str(), details["requestId"].as_str()) {
        (Some("PAIRING_REQUIRED"), Some(request)) => Some(format!(
            "approve it at the gateway: `gatehouse devices approve {request}` (this node is {})",
            me.identity.id
        )),
        (Some("AUTH_TOKEN_MISSING" | "DEVICE_IDENTITY_REQUIRED"), _) => {
            Some("give it the gateway's token for its first connection: --token or --token-file".to_owned())
        }
        _ => None,
    };
    Ended::Refused { why, next }
}

#[cfg(test)]
mod tests;
