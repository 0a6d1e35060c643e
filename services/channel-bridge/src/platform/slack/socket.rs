//! Socket Mode: frames over a socket that we open, each acknowledged once what it says is committed. Slack asks for a new socket every few
//! hours: it is opened while the old one is still read.

use std::time::Duration;

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use gatehouse_core::Clock;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{sync::mpsc, time};

use super::{
    api::Api,
    buttons::Press,
    event::{Callback, Command},
    inbound::Ear,
    refusal,
};
use crate::{
    adapter::{Ended, InboundSink, Progress},
    platform::web::{
        nulls,
        socket::{Frame, Socket},
        take::commit,
    },
};

/// Slack says hello at once.
const HELLO_WITHIN: Duration = Duration::from_secs(15);
/// How often Slack is asked for a sign.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How long an old socket is still read once there is a new one; Slack closes it before, as a rule.
const OLD_FOR: Duration = Duration::from_secs(60);
/// Requests of sockets to be replaced. Each asks once.
const WISHES_MAX: usize = 4;
const GOODBYE: u16 = 1000;

/// What came over a socket.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    kind: String,
    envelope_id: Option<String>,
    #[serde(default)]
    payload: Value,
    /// Why the socket goes.
    reason: Option<String>,
}

/// How a socket ended.
#[derive(Debug)]
enum Over {
    /// It may be opened anew.
    Lost(&'static str),
    Ended(Ended),
}

/// The sockets of one connection: one, and two while the first is replaced.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sockets<'a> {
    pub(super) api: &'a Api,
    pub(super) ear: Ear<'a>,
    pub(super) inbound: &'a InboundSink,
    pub(super) progress: &'a Progress,
    pub(super) clock: &'a Clock,
}

impl<'a> Sockets<'a> {
    /// Reads until nothing is left to be read.
    pub(super) async fn run(self) -> Ended {
        let (wish, mut wishes) = mpsc::channel(WISHES_MAX);
        let mut read: FuturesUnordered<BoxFuture<'a, Over>> = FuturesUnordered::new();
        let mut opening: Option<BoxFuture<'a, Result<Socket, Ended>>> = Some(self.open().boxed());
        loop {
            tokio::select! {
                opened = opened(&mut opening), if opening.is_some() => {
                    opening = None;
                    match opened {
                        Ok(socket) => {
                            if read.is_empty() {
                                self.progress.connected();
                            }
                            read.push(self.read(socket, wish.clone()).boxed());
                        }
                        Err(ended) if read.is_empty() || matches!(ended, Ended::Failed(_)) => return ended,
                        // The old one is still read, and its end is the next try.
                        Err(ended) => tracing::warn!(reason = %ended, "no new socket of Slack could be opened yet"),
                    }
                }
                Some(()) = wishes.recv(), if opening.is_none() => {
                    tracing::debug!("Slack asks for a new socket");
                    opening = Some(self.open().boxed());
                }
                Some(over) = read.next() => match over {
                    Over::Ended(ended) => return ended,
                    Over::Lost(reason) if read.is_empty() && opening.is_none() => return Ended::Retry(reason.into()),
                    Over::Lost(reason) => tracing::debug!(reason, "an old socket of Slack is gone"),
                },
            }
        }
    }

    /// A socket over which Slack said hello.
    async fn open(self) -> Result<Socket, Ended> {
        let address = self
            .api
            .open_socket()
            .await
            .map_err(|error| refusal::ended(&error))?;
        let socket = Socket::connect("Slack", &address).await;
        let mut socket = socket.map_err(|error| Ended::Retry(error.to_string()))?;
        let hello = async {
            loop {
                match socket.next().await {
                    Frame::Text(text) => return kind(&text),
                    Frame::Sign => {}
                    Frame::Closed(_) => return None,
                }
            }
        };
        match time::timeout(HELLO_WITHIN, hello).await {
            Ok(Some(Envelope { kind, reason, .. })) => match kind.as_str() {
                "hello" => Ok(socket),
                "disconnect" => Err(goes(reason.as_deref().unwrap_or_default())),
                _ => Err(Ended::Retry("Slack did not say hello over the socket".into())),
            },
            Ok(None) => Err(Ended::Retry("Slack closed the socket without a hello".into())),
            Err(_) => Err(Ended::Retry("Slack did not say hello in time".into())),
        }
    }

    /// Reads a socket to its end.
    async fn read(self, mut socket: Socket, wish: mpsc::Sender<()>) -> Over {
        let mut ping = time::interval(PING_EVERY);
        let mut goes_at = None;
        loop {
            let gone = async {
                match goes_at {
                    Some(at) => time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let frame = tokio::select! {
                frame = socket.next() => frame,
                _ = ping.tick() => {
                    if socket.ping().await.is_err() {
                        return Over::Lost("the socket of Slack takes nothing any more");
                    }
                    continue;
                }
                () = gone => {
                    socket.close(GOODBYE).await;
                    return Over::Lost("it was replaced");
                }
            };
            self.progress.heard();
            let text = match frame {
                Frame::Text(text) => text,
                Frame::Sign => continue,
                Frame::Closed(_) => return Over::Lost("Slack closed the socket"),
            };
            let Some(envelope) = kind(&text) else {
                tracing::warn!("a frame of Slack is not understood and left out");
                continue;
            };
            if envelope.kind == "disconnect" {
                let reason = envelope.reason.as_deref().unwrap_or_default();
                if !matches!(reason, "warning" | "refresh_requested") {
                    socket.close(GOODBYE).await;
                    return Over::Ended(goes(reason));
                }
                if goes_at.is_none() {
                    goes_at = Some(time::Instant::now() + OLD_FOR);
                    // Full: a new one was asked for already.
                    let _ = wish.try_send(());
                }
                continue;
            }
            self.hear(&envelope).await;
            let Some(id) = envelope.envelope_id else { continue };
            if socket.say(json!({"envelope_id": id}).to_string()).await.is_err() {
                return Over::Lost("the socket of Slack takes nothing any more");
            }
        }
    }

    /// Commits what an envelope says.
    async fn hear(self, envelope: &Envelope) {
        let said = match envelope.kind.as_str() {
            "events_api" => match nulls::read::<Callback>(&envelope.payload) {
                Ok(callback) => {
                    if let Some((chat, remark)) = self.ear.remark(&callback) {
                        let by: Vec<&str> = callback.event.user.as_deref().into_iter().collect();
                        self.inbound.remark(&chat, &by, remark);
                    }
                    self.ear.hear(&callback).await
                }
                Err(error) => {
                    tracing::warn!(%error, "an event of Slack is not understood and left out");
                    None
                }
            },
            "slash_commands" => {
                let command = nulls::read::<Command>(&envelope.payload).unwrap_or_default();
                self.ear.command(&command, self.clock.now_ms()).await
            }
            "interactive" => {
                let press = nulls::read::<Press>(&envelope.payload).unwrap_or_default();
                self.ear.press(&press, self.clock.now_ms()).await
            }
            _ => None,
        };
        if let Some(said) = said {
            commit(self.inbound, said).await;
        }
    }
}

async fn opened(opening: &mut Option<BoxFuture<'_, Result<Socket, Ended>>>) -> Result<Socket, Ended> {
    match opening {
        Some(opening) => opening.await,
        None => std::future::pending().await,
    }
}

fn kind(text: &str) -> Option<Envelope> {
    serde_json::from_str(text).ok()
}

/// What it means that Slack takes the socket away.
fn goes(reason: &str) -> Ended {
    match reason {
        "link_disabled" => Ended::Failed(
            "Socket Mode is switched off for this app: switch it on (api.slack.com/apps, Socket Mode), or set mode: \"http\"".into(),
        ),
        "too_many_websockets" => Ended::Retry(
            "too many programs have a socket of this app (Slack allows ten): stop the others, or give Gatehouse an app of its own".into(),
        ),
        _ => Ended::Retry("Slack took the socket away".into()),
    }
}
