//! The gateway: events over a socket, heartbeats, and a session that goes on where it ended. The place moves behind the commit.

use std::time::Duration;

use gatehouse_core::{Clock, Secret};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{self, Instant};
use url::Url;

use super::{
    api::Api,
    channels::Channels,
    event::{self, Channel, Payload, Ready},
    heard::Heard,
    refusal::{self, Next},
    session::{Session, Sessions},
};
use crate::{
    adapter::{Ended, InboundSink, Progress},
    platform::web::{
        socket::{Frame, Socket},
        wording::Wordings,
    },
};

const VERSION: &str = "v=10&encoding=json";
/// Discord says hello at once.
const HELLO_WITHIN: Duration = Duration::from_secs(15);
/// What a heartbeat may be asked for; Discord asks for 41 seconds.
const BEAT: (u64, u64) = (20, 120_000);
/// Connections in a row that were over at once, before the account is connected anew with growing pauses.
const SHORT_MAX: u32 = 3;
/// A connection that lived for so long was one.
const LIVED: Duration = Duration::from_secs(10);
/// A new session begins this much later, and a part of it at random: Discord wants 1 to 5 seconds.
const ANEW_AFTER: Duration = Duration::from_secs(1);
/// Not 1000 nor 1001, which would end the session.
const GOES_ON: u16 = 4000;

const DISPATCH: u8 = 0;
const HEARTBEAT: u8 = 1;
const IDENTIFY: u8 = 2;
const RESUME: u8 = 6;
const RECONNECT: u8 = 7;
const INVALID_SESSION: u8 = 9;
const HELLO: u8 = 10;
const HEARTBEAT_ACK: u8 = 11;

/// What is wanted of the gateway: servers, their messages and reactions, direct messages and reactions there.
const INTENTS: u64 = 1 | 1 << 9 | 1 << 10 | 1 << 12 | 1 << 13;
/// And what the messages say, which an operator has to switch on.
const MESSAGE_CONTENT: u64 = 1 << 15;

/// What one connection listens with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gateway<'a> {
    pub(super) api: &'a Api,
    pub(super) token: &'a Secret,
    /// Our own number.
    pub(super) me: &'a str,
    pub(super) reads_content: bool,
    pub(super) sessions: &'a Sessions,
    pub(super) channels: &'a Channels,
    pub(super) heard: &'a Heard,
    /// Messages of ours that people reacted to.
    pub(super) reacted: &'a Heard,
    /// How the last messages read.
    pub(super) wordings: &'a Wordings,
    pub(super) inbound: &'a InboundSink,
    pub(super) progress: &'a Progress,
    pub(super) clock: &'a Clock,
}

impl Gateway<'_> {
    /// Listens until it cannot.
    pub(super) async fn run(self) -> Ended {
        let mut short = 0;
        loop {
            let began = Instant::now();
            let next = match self.connection().await {
                Ok(next) => next,
                Err(ended) => return ended,
            };
            short = if began.elapsed() < LIVED { short + 1 } else { 0 };
            match next {
                Next::Ended(ended) => return ended,
                _ if short > SHORT_MAX => {
                    return Ended::Retry("Discord closes the gateway again and again".into());
                }
                Next::Resume => tracing::debug!("the session with Discord goes on over another connection"),
                Next::Anew => {
                    self.sessions.forget().await;
                    time::sleep(ANEW_AFTER + ANEW_AFTER.mul_f64(random())).await;
                }
            }
        }
    }

    async fn connection(self) -> Result<Next, Ended> {
        let session = self.sessions.read(self.me).await;
        let mut socket = self.open(session.as_ref()).await?;
        let Some(every) = hello(&mut socket).await else {
            return Err(Ended::Retry("Discord did not say hello over the gateway".into()));
        };
        self.progress.heard();
        let first = match &session {
            Some(Session { id, seq, .. }) => {
                json!({"op": RESUME, "d": {"token": self.token.expose(), "session_id": id, "seq": seq}})
            }
            None => self.identify(),
        };
        let said = socket.say(first.to_string()).await;
        said.map_err(|error| Ended::Retry(error.to_string()))?;
        let next = self.listen(&mut socket, every).await;
        if !matches!(next, Next::Ended(Ended::Failed(_))) {
            socket.close(GOES_ON).await;
        }
        Ok(next)
    }

    /// A socket where the session goes on, or where a new one may begin.
    async fn open(self, session: Option<&Session>) -> Result<Socket, Ended> {
        if let Some(session) = session.filter(|session| self.api.is_gateway(&session.url)) {
            match connect(&session.url).await {
                Ok(socket) => return Ok(socket),
                // The session is known elsewhere too.
                Err(reason) => tracing::debug!(reason, "the gateway of this session cannot be reached"),
            }
        }
        let found: Result<event::Gateway, _> = self.api.get(&["gateway", "bot"]).await;
        let found = found.map_err(|error| refusal::ended(&error))?;
        let starts = found.session_start_limit.as_ref();
        if let Some(limit) = starts.filter(|limit| limit.remaining == 0 && session.is_none()) {
            return Err(refusal::no_more_starts(Duration::from_millis(limit.reset_after)));
        }
        if !self.api.is_gateway(&found.url) {
            return Err(Ended::Retry("Discord named a gateway that is not its own".into()));
        }
        connect(&found.url).await.map_err(Ended::Retry)
    }

    fn identify(self) -> Value {
        let intents = if self.reads_content {
            INTENTS | MESSAGE_CONTENT
        } else {
            INTENTS
        };
        let properties = json!({"os": "linux", "browser": "gatehouse", "device": "gatehouse"});
        json!({"op": IDENTIFY, "d": {"token": self.token.expose(), "intents": intents, "properties": properties}})
    }

    async fn listen(self, socket: &mut Socket, every: Duration) -> Next {
        let mut beat_at = Instant::now() + every.mul_f64(random());
        let mut answered = true;
        loop {
            let frame = tokio::select! {
                frame = socket.next() => frame,
                () = time::sleep_until(beat_at) => {
                    if !answered {
                        tracing::warn!("Discord did not answer a heartbeat; the connection is made anew");
                        return Next::Resume;
                    }
                    answered = false;
                    beat_at = Instant::now() + every;
                    if self.beat(socket).await.is_err() {
                        return Next::Resume;
                    }
                    continue;
                }
            };
            let text = match frame {
                Frame::Text(text) => text,
                Frame::Sign => {
                    self.progress.heard();
                    continue;
                }
                Frame::Closed(code) => {
                    if let Some(code) = code {
                        tracing::debug!(code, "Discord closed the gateway");
                    }
                    return refusal::closed(code);
                }
            };
            self.progress.heard();
            let Payload { op, s, t, d } = match serde_json::from_str(&text) {
                Ok(payload) => payload,
                Err(error) if error.is_data() => {
                    tracing::warn!("a frame of Discord is not understood and left out");
                    continue;
                }
                // Cut off or garbled on its way: what it said is behind the place, and is said again.
                Err(_) => {
                    tracing::warn!("a frame of Discord is not whole; the connection is made anew");
                    return Next::Resume;
                }
            };
            match op {
                DISPATCH if !self.event(t.as_deref().unwrap_or_default(), &d, s).await => {
                    return Next::Resume;
                }
                HEARTBEAT if self.beat(socket).await.is_err() => return Next::Resume,
                HEARTBEAT_ACK => answered = true,
                RECONNECT => return Next::Resume,
                INVALID_SESSION if d.as_bool() == Some(true) => return Next::Resume,
                INVALID_SESSION => return Next::Anew,
                _ => {}
            }
        }
    }

    async fn beat(self, socket: &mut Socket) -> Result<(), ()> {
        let beat = json!({"op": HEARTBEAT, "d": self.sessions.seq()});
        socket.say(beat.to_string()).await.map_err(drop)
    }

    /// Takes care of an event; only then its place is passed. False: it has to be said again.
    async fn event(self, kind: &str, data: &Value, seq: Option<u64>) -> bool {
        let seq = seq.unwrap_or_default();
        match kind {
            "READY" => match Ready::deserialize(data) {
                Ok(Ready {
                    session_id: id,
                    resume_gateway_url: url,
                }) => {
                    let bot = self.me.to_owned();
                    self.sessions.begin(Session { id, url, seq, bot }).await;
                    self.progress.connected();
                }
                Err(error) => tracing::warn!(%error, "Discord began a session that is not understood"),
            },
            "RESUMED" => {
                self.sessions.passed(seq);
                self.progress.connected();
            }
            "MESSAGE_CREATE" | "MESSAGE_UPDATE" => {
                let Some(kept) = self.message(data, kind == "MESSAGE_UPDATE").await else {
                    return false;
                };
                self.sessions.passed(seq);
                if kept {
                    self.sessions.keep().await;
                }
            }
            "INTERACTION_CREATE" => {
                let Some(kept) = self.interaction(data).await else {
                    return false;
                };
                self.sessions.passed(seq);
                if kept {
                    self.sessions.keep().await;
                }
            }
            "MESSAGE_REACTION_ADD" | "MESSAGE_REACTION_REMOVE" => {
                self.reaction(data, kind == "MESSAGE_REACTION_ADD");
                self.sessions.passed(seq);
            }
            "MESSAGE_DELETE" | "MESSAGE_DELETE_BULK" => {
                self.deleted(data);
                self.sessions.passed(seq);
            }
            "CHANNEL_CREATE" | "CHANNEL_UPDATE" | "THREAD_CREATE" | "THREAD_UPDATE" => {
                if let Ok(channel) = Channel::deserialize(data) {
                    self.channels.learn(channel);
                }
                self.sessions.passed(seq);
            }
            _ => self.sessions.passed(seq),
        }
        true
    }
}

async fn connect(url: &str) -> Result<Socket, String> {
    let mut address = Url::parse(url).map_err(|_| "its gateway has no address".to_owned())?;
    address.set_query(Some(VERSION));
    let socket = Socket::connect("Discord", address.as_str()).await;
    socket.map_err(|error| error.to_string())
}

/// How often Discord wants a heartbeat.
async fn hello(socket: &mut Socket) -> Option<Duration> {
    let said = async {
        loop {
            match socket.next().await {
                Frame::Text(text) => return serde_json::from_str::<Payload>(&text).ok(),
                Frame::Sign => {}
                Frame::Closed(_) => return None,
            }
        }
    };
    let Payload { op, d, .. } = time::timeout(HELLO_WITHIN, said).await.ok()??;
    let every = d["heartbeat_interval"].as_u64().filter(|_| op == HELLO)?;
    Some(Duration::from_millis(every.clamp(BEAT.0, BEAT.1)))
}

/// From 0 to 1: so that not everybody comes back at the same moment.
fn random() -> f64 {
    let mut byte = [0; 1];
    // Without randomness there is only no spreading.
    let _ = getrandom::fill(&mut byte);
    f64::from(byte[0]) / 255.0
}
