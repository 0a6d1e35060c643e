//! A Slack workspace with one app: events that are said again until they are acknowledged, sockets that come and go, and faults.

mod messages;
mod serve;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing,
};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle, time::Instant};
use tokio_tungstenite::tungstenite::Message;

use self::serve::{call, file, serve_socket, upload};
pub use crate::fault::Fault;
use crate::{
    fault::{self, Faults},
    hook::hex_hmac,
    socket::{self, Peer},
};

/// The bot.
pub const BOT: &str = "U0GATE";
/// The same as a sender.
pub const BOT_ID: &str = "B0GATE";
/// The workspace.
pub const TEAM: &str = "T1";
/// What Slack cuts a text at, in characters.
const TEXT_MAX: usize = 40_000;

/// One call that was made.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: String,
    /// Its parameters.
    pub body: Value,
    /// When.
    pub at: Instant,
}

/// A message as the people in the channel see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its id in the channel.
    pub ts: String,
    /// The channel, as it was named.
    pub channel: String,
    /// The root of the thread.
    pub thread: Option<String>,
    /// The words, read as Slack shows them.
    pub text: String,
    /// The words as they were sent.
    pub sent: String,
    /// It is being streamed: more may come at its end.
    pub streams: bool,
    /// The name of a file, and its bytes. The words are what is said beside it then.
    pub file: Option<(String, Vec<u8>)>,
}

/// An event that waits to be acknowledged.
#[derive(Clone, Debug)]
struct Waiting {
    id: String,
    envelope: Value,
    /// The socket that it was said over.
    over: Option<u64>,
}

#[derive(Debug, Default)]
struct Told {
    bot: String,
    app: String,
    signing: String,
    /// The word that the bot's token is refused with.
    revoked: Option<String>,
    scopes: Option<String>,
    sockets_at: String,
    waiting: Vec<Waiting>,
    last: u64,
    /// Sockets by number, the newest last, with what they are to be told next.
    open: Vec<(u64, Vec<Order>)>,
    opened: u64,
    deaf: bool,
    seen: Vec<Seen>,
    calls: Vec<Call>,
    faults: Faults,
    names: HashMap<String, String>,
    /// Groups of people without a name.
    groups: Vec<String>,
    files: HashMap<String, Vec<u8>>,
    fetched: Vec<(String, String)>,
    members: Option<Vec<String>>,
    has_no_streams: bool,
    /// Files that are brought: how they are called, how many bytes they are to have, and the bytes.
    uploads: HashMap<String, (String, usize, Vec<u8>)>,
    address: String,
    reactions: Vec<(String, String, String)>,
}

/// What a socket is to do.
#[derive(Clone, Debug)]
enum Order {
    Say(Value),
    /// It breaks without a word.
    Break,
}

#[derive(Debug, Default)]
struct Shared {
    told: Mutex<Told>,
    changed: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The workspace. Dropping it closes its ports.
#[derive(Debug)]
pub struct Workspace {
    address: SocketAddr,
    shared: Arc<Shared>,
    servers: [JoinHandle<()>; 2],
}

impl Workspace {
    /// Starts it on ports of its own.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let held = Arc::clone(&shared);
        let (sockets_at, sockets) = socket::serve(move |peer| serve_socket(Arc::clone(&held), peer)).await;
        {
            let mut told = shared.lock();
            told.bot = format!("xoxb-a-secret-of-the-fake-{}", address.port());
            told.app = format!("xapp-a-secret-of-the-fake-{}", address.port());
            told.signing = format!("a-signing-secret-of-the-fake-{}", address.port());
            told.address = address.to_string();
            told.sockets_at = format!("ws://{sockets_at}/link/?ticket=one");
        }
        let router = Router::new()
            .route("/api/{method}", routing::any(call))
            .route("/files/{id}", routing::get(file))
            .route("/upload/{id}", routing::post(upload))
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self {
            address,
            shared,
            servers: [server, sockets],
        }
    }

    /// Where its methods are.
    #[must_use]
    pub fn root(&self) -> String {
        format!("http://{}/api", self.address)
    }

    /// The token that methods take.
    #[must_use]
    pub fn bot_token(&self) -> String {
        self.shared.lock().bot.clone()
    }

    /// The token that a socket is opened with.
    #[must_use]
    pub fn app_token(&self) -> String {
        self.shared.lock().app.clone()
    }

    /// What it signs requests with.
    #[must_use]
    pub fn signing_secret(&self) -> String {
        self.shared.lock().signing.clone()
    }

    /// The bot's token is refused with this word from now on.
    pub fn revoke(&self, word: &str) {
        self.shared.lock().revoked = Some(word.to_owned());
    }

    /// The scopes that the bot's token is said to have.
    pub fn scopes(&self, scopes: &str) {
        self.shared.lock().scopes = Some(scopes.to_owned());
    }

    /// The bot is in these channels only.
    pub fn members(&self, channels: &[&str]) {
        self.shared.lock().members = Some(channels.iter().map(|id| (*id).to_owned()).collect());
    }

    /// This channel is a group of people without a name.
    pub fn group(&self, channel: &str) {
        self.shared.lock().groups.push(channel.to_owned());
    }

    /// It knows no streams.
    pub fn knows_no_streams(&self) {
        self.shared.lock().has_no_streams = true;
    }

    /// Somebody deletes a message.
    pub fn delete(&self, ts: &str) {
        self.shared.lock().seen.retain(|seen| seen.ts != ts);
    }

    /// The next call of a method goes wrong; several go wrong in this order.
    pub fn fault(&self, method: &str, fault: Fault) {
        self.shared.lock().faults.add(method, fault);
    }

    /// What somebody is called.
    pub fn name(&self, person: &str, name: &str) {
        self.shared
            .lock()
            .names
            .insert(person.to_owned(), name.to_owned());
    }

    /// Another id for a message.
    #[must_use]
    pub fn ts(&self) -> String {
        let mut told = self.shared.lock();
        told.last += 1;
        format!("1790000000.{:06}", told.last)
    }

    /// Somebody says something to the bot alone. The message's id.
    pub fn says(&self, person: &str, text: &str) -> String {
        let ts = self.ts();
        self.event(direct(person, &ts, text));
        ts
    }

    /// An event as it stands.
    pub fn event(&self, event: Value) {
        let payload = callback(event);
        self.envelope("events_api", payload);
    }

    /// Something that is said over a socket and waits to be acknowledged.
    pub fn envelope(&self, kind: &str, payload: Value) {
        let mut told = self.shared.lock();
        told.last += 1;
        let id = format!("envelope-{}", told.last);
        let envelope =
            json!({"type": kind, "envelope_id": id, "payload": payload, "accepts_response_payload": false});
        told.waiting.push(Waiting {
            id,
            envelope,
            over: None,
        });
        drop(told);
        self.shared.changed.notify_waiters();
    }

    /// Events that were not acknowledged.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.shared.lock().waiting.len()
    }

    /// Sockets that are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.lock().open.len()
    }

    /// Sockets that ever were.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.shared.lock().opened
    }

    /// Every open socket is told to go, with this reason.
    pub fn disconnect(&self, reason: &str) {
        self.order(&Order::Say(
            json!({"type": "disconnect", "reason": reason, "debug_info": {}}),
        ));
    }

    /// Every open socket breaks without a word.
    pub fn cut(&self) {
        self.order(&Order::Break);
    }

    /// Sockets say nothing more and answer nothing, and stay open.
    pub fn deafen(&self) {
        self.shared.lock().deaf = true;
    }

    fn order(&self, order: &Order) {
        for (_, orders) in &mut self.shared.lock().open {
            orders.push(order.clone());
        }
        self.shared.changed.notify_waiters();
    }

    /// The messages of the bot, in order.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.lock().seen.clone()
    }

    /// Reactions of the bot: the channel, the message, and the name.
    #[must_use]
    pub fn reactions(&self) -> Vec<(String, String, String)> {
        self.shared.lock().reactions.clone()
    }

    /// The calls of one method.
    #[must_use]
    pub fn calls(&self, method: &str) -> Vec<Call> {
        let told = self.shared.lock();
        let calls = told.calls.iter().filter(|call| call.method == method);
        calls.cloned().collect()
    }

    /// It keeps a file from now on. Where.
    #[must_use]
    pub fn keep(&self, id: &str, bytes: Vec<u8>) -> String {
        self.shared.lock().files.insert(id.to_owned(), bytes);
        format!("http://{}/files/{id}", self.address)
    }

    /// The files that were fetched, in order.
    #[must_use]
    pub fn fetched(&self) -> Vec<String> {
        let told = self.shared.lock();
        told.fetched.iter().map(|(id, _)| id.clone()).collect()
    }

    /// The headers of a request that this workspace signs at this second.
    #[must_use]
    pub fn signed(&self, body: &str, second: i64) -> Vec<(String, String)> {
        let stamp = second.to_string();
        let digits = hex_hmac(
            &self.signing_secret(),
            &[b"v0:", stamp.as_bytes(), b":", body.as_bytes()],
        );
        vec![
            ("x-slack-request-timestamp".to_owned(), stamp),
            ("x-slack-signature".to_owned(), format!("v0={digits}")),
        ]
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        for server in &self.servers {
            server.abort();
        }
    }
}

/// An event in what both ways in hand it over in.
#[must_use]
pub fn callback(event: Value) -> Value {
    let ts = event["ts"].as_str().unwrap_or_default().to_owned();
    json!({
        "type": "event_callback", "team_id": TEAM, "api_app_id": "A1", "event_id": format!("Ev{ts}"),
        "event_time": 1_790_000_000, "event": event,
        "authorizations": [{"team_id": TEAM, "user_id": BOT, "is_bot": true}],
    })
}

/// What somebody says to the bot alone.
#[must_use]
pub fn direct(person: &str, ts: &str, text: &str) -> Value {
    json!({
        "type": "message", "channel": format!("D{person}"), "channel_type": "im", "user": person, "team": TEAM,
        "text": escaped(text), "ts": ts, "event_ts": ts,
    })
}

/// What somebody says in a channel; more fields over it.
#[must_use]
pub fn channel(channel: &str, person: &str, ts: &str, text: &str, more: Value) -> Value {
    let mut message = json!({
        "type": "message", "channel": channel, "channel_type": "channel", "user": person, "team": TEAM,
        "text": text, "ts": ts, "event_ts": ts,
    });
    if let (Some(fields), Value::Object(more)) = (message.as_object_mut(), more) {
        fields.extend(more);
    }
    message
}

/// Somebody presses a button below a message, by what it is called and stands for; more fields over it.
#[must_use]
pub fn pressed(channel: &str, person: &str, ts: &str, (name, value): (&str, &str), more: Value) -> Value {
    let mut press = json!({
        "type": "block_actions", "api_app_id": "A1", "trigger_id": format!("trigger.{ts}.{value}"),
        "user": {"id": person, "username": "anna", "name": "anna", "team_id": TEAM},
        "team": {"id": TEAM, "domain": "home"}, "channel": {"id": channel, "name": "office"},
        "container": {"type": "message", "message_ts": ts, "channel_id": channel},
        "message": {"type": "message", "ts": ts, "user": BOT, "bot_id": BOT_ID, "text": "a question"},
        "actions": [{"type": "button", "action_id": name, "block_id": "b", "value": value, "action_ts": "1790000009.000001"}],
    });
    if let (Some(fields), Value::Object(more)) = (press.as_object_mut(), more) {
        fields.extend(more);
    }
    press
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn shown(text: &str) -> String {
    let text = text.replace('\u{200b}', "");
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}
