//! Discord with one bot: a gateway whose sessions go on where they ended, messages that are known by their nonce, and faults.

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
    extract::{Path, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing,
};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle, time::Instant};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use self::serve::{call, file, serve_socket};
pub use crate::fault::Fault;
use crate::{
    fault::{self, Faults},
    socket::{self, Peer},
};

/// The bot's number.
pub const BOT: &str = "4242";
/// The server.
pub const GUILD: &str = "9000";
/// The longest message, in characters.
const CONTENT_MAX: usize = 2000;
/// Switched on for the application: messages may be read.
const MESSAGE_CONTENT: u64 = 1 << 18;
const HEARTBEAT_MS: u64 = 200;
/// When the numbers of Discord begin, milliseconds since 1970.
const EPOCH_MS: u64 = 1_420_070_400_000;

/// One call that was made.
#[derive(Clone, Debug)]
pub struct Call {
    /// `POST channels/7/messages`
    pub method: String,
    /// Its parameters.
    pub body: Value,
    /// When.
    pub at: Instant,
}

/// A message as the people in the channel see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its number.
    pub id: String,
    /// The channel or thread.
    pub channel: String,
    /// The words without what only escapes.
    pub text: String,
    /// The words as they were sent.
    pub sent: String,
    /// The message that it answers.
    pub answers: Option<String>,
    /// The name of a file, and its bytes.
    pub file: Option<(String, Vec<u8>)>,
    nonce: String,
}

/// What a connection is to do.
#[derive(Clone, Debug)]
enum Order {
    Say(Value),
    /// Half of it.
    Tear(Value),
    Close(u16),
    /// It breaks without a word.
    Break,
}

#[derive(Debug, Default)]
struct Told {
    token: String,
    flags: u64,
    starts_left: u32,
    gateway: String,
    /// The session that is known, if one is.
    session: Option<String>,
    sessions: u64,
    /// Its events: the place and the frame.
    events: Vec<(u64, Value)>,
    seq: u64,
    last: u64,
    /// Connections by number, with what they are to do.
    open: Vec<(u64, Vec<Order>)>,
    opened: u64,
    /// The connection that the session lives on.
    live: Option<u64>,
    /// Connections up to this one say and hear nothing more.
    deaf: u64,
    identified: Vec<Value>,
    resumed: Vec<Value>,
    seen: Vec<Seen>,
    calls: Vec<Call>,
    faults: Faults,
    channels: HashMap<String, Value>,
    files: HashMap<String, Vec<u8>>,
    fetched: Vec<String>,
    reactions: Vec<[String; 3]>,
    commands: Vec<Value>,
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

/// The platform. Dropping it closes its ports.
#[derive(Debug)]
pub struct Discord {
    address: SocketAddr,
    shared: Arc<Shared>,
    servers: [JoinHandle<()>; 2],
}

impl Discord {
    /// Starts it on ports of its own.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let held = Arc::clone(&shared);
        let (gateway, sockets) = socket::serve(move |peer| serve_socket(Arc::clone(&held), peer)).await;
        {
            let mut told = shared.lock();
            told.token = format!("a-secret.of-the-fake.{}", address.port());
            told.flags = MESSAGE_CONTENT;
            told.starts_left = 1000;
            told.gateway = format!("ws://{gateway}");
            // Numbers that say a time of now.
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            let now = u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or_default();
            told.last = now.saturating_sub(EPOCH_MS) << 22;
        }
        let router = Router::new()
            .route("/api/v10/{*path}", routing::any(call))
            .route("/files/{id}", routing::get(file))
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
        format!("http://{}/api/v10", self.address)
    }

    /// The token that it takes.
    #[must_use]
    pub fn token(&self) -> String {
        self.shared.lock().token.clone()
    }

    /// It takes another token from now on.
    pub fn revoke(&self) {
        self.shared.lock().token = "another".to_owned();
        self.order(&Order::Close(4004));
    }

    /// The operator has not switched on that messages may be read.
    pub fn without_content(&self) {
        self.shared.lock().flags = 0;
    }

    /// So many sessions may begin today.
    pub fn starts_left(&self, count: u32) {
        self.shared.lock().starts_left = count;
    }

    /// Somebody deletes a message.
    pub fn delete(&self, id: &str) {
        self.shared.lock().seen.retain(|seen| seen.id != id);
    }

    /// The next call of a method goes wrong, for example `POST messages`; several go wrong in this order.
    pub fn fault(&self, method: &str, fault: Fault) {
        self.shared.lock().faults.add(method, fault);
    }

    /// A thread below a channel.
    pub fn thread(&self, id: &str, parent: &str) {
        let thread = json!({"id": id, "type": 11, "parent_id": parent, "guild_id": GUILD});
        self.shared.lock().channels.insert(id.to_owned(), thread);
    }

    /// Another number.
    #[must_use]
    pub fn number(&self) -> String {
        let mut told = self.shared.lock();
        told.last += 1;
        told.last.to_string()
    }

    /// Somebody says something to the bot alone. The message's number.
    pub fn says(&self, person: &str, text: &str) -> String {
        let id = self.number();
        self.event("MESSAGE_CREATE", direct(person, &id, text));
        id
    }

    /// An event as it stands, in the session.
    pub fn event(&self, kind: &str, data: Value) {
        self.happens(kind, data, Order::Say);
    }

    /// The same, of which half is told. Whoever goes on with the session is told all of it.
    pub fn torn(&self, kind: &str, data: Value) {
        self.happens(kind, data, Order::Tear);
    }

    fn happens(&self, kind: &str, data: Value, order: fn(Value) -> Order) {
        let mut told = self.shared.lock();
        told.seq += 1;
        let seq = told.seq;
        let frame = json!({"op": 0, "s": seq, "t": kind, "d": data});
        told.events.push((seq, frame.clone()));
        let live = told.live;
        let orders = told.open.iter_mut().find(|(open, _)| Some(*open) == live);
        if let Some((_, orders)) = orders {
            orders.push(order(frame));
        }
        drop(told);
        self.shared.changed.notify_waiters();
    }

    /// Every connection is closed with this code.
    pub fn close(&self, code: u16) {
        self.order(&Order::Close(code));
    }

    /// Every connection breaks without a word.
    pub fn cut(&self) {
        self.order(&Order::Break);
    }

    /// Every connection is asked to come back.
    pub fn reconnect(&self) {
        self.order(&Order::Say(json!({"op": 7, "d": null})));
    }

    /// The session is over; with `true` it may go on.
    pub fn invalidate(&self, goes_on: bool) {
        if !goes_on {
            self.shared.lock().session = None;
        }
        self.order(&Order::Say(json!({"op": 9, "d": goes_on})));
    }

    /// Nothing is said or answered on the connections there are, and they stay open.
    pub fn deafen(&self) {
        let mut told = self.shared.lock();
        told.deaf = told.opened;
    }

    fn order(&self, order: &Order) {
        for (_, orders) in &mut self.shared.lock().open {
            orders.push(order.clone());
        }
        self.shared.changed.notify_waiters();
    }

    /// Connections that ever were.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.shared.lock().opened
    }

    /// What sessions were begun with.
    #[must_use]
    pub fn identified(&self) -> Vec<Value> {
        self.shared.lock().identified.clone()
    }

    /// What sessions went on with.
    #[must_use]
    pub fn resumed(&self) -> Vec<Value> {
        self.shared.lock().resumed.clone()
    }

    /// The messages of the bot, in order.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.lock().seen.clone()
    }

    /// The commands that are offered behind the slash.
    #[must_use]
    pub fn commands(&self) -> Vec<Value> {
        self.shared.lock().commands.clone()
    }

    /// Somebody else offers a command of the same bot.
    pub fn offer(&self, name: &str) {
        let command = json!({"name": name, "description": "not ours"});
        self.shared.lock().commands.push(command);
    }

    /// Reactions of the bot: the channel, the message, and the emoji.
    #[must_use]
    pub fn reactions(&self) -> Vec<[String; 3]> {
        self.shared.lock().reactions.clone()
    }

    /// The calls of one method, for example `POST messages`.
    #[must_use]
    pub fn calls(&self, method: &str) -> Vec<Call> {
        let told = self.shared.lock();
        let calls = told.calls.iter().filter(|call| name(&call.method) == method);
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
        self.shared.lock().fetched.clone()
    }
}

impl Drop for Discord {
    fn drop(&mut self) {
        for server in &self.servers {
            server.abort();
        }
    }
}

/// `POST channels/7/messages` is `POST messages`, `PATCH channels/7/messages/9` is `PATCH messages`.
fn name(method: &str) -> String {
    let (verb, path) = method.split_once(' ').unwrap_or((method, ""));
    let is_word = |part: &&str| !part.chars().all(|c| c.is_ascii_digit());
    format!("{verb} {}", path.rsplit('/').find(is_word).unwrap_or_default())
}

/// What somebody says to the bot alone.
#[must_use]
pub fn direct(person: &str, id: &str, text: &str) -> Value {
    json!({
        "id": id, "channel_id": format!("1{person}"), "channel_type": 1, "type": 0, "content": text, "timestamp": "2026-11-28T10:00:00+00:00",
        "author": {"id": person, "username": "anna", "global_name": "Anna"},
        "mentions": [], "attachments": [],
    })
}

/// What somebody says in a channel of the server; more fields over it.
#[must_use]
pub fn channel(channel: &str, person: &str, id: &str, text: &str, more: Value) -> Value {
    let mentions = if text.contains(&format!("<@{BOT}>")) {
        json!([{"id": BOT, "username": "gatebot", "bot": true}])
    } else {
        json!([])
    };
    let mut message = json!({
        "id": id, "channel_id": channel, "guild_id": GUILD, "type": 0, "content": text,
        "author": {"id": person, "username": "anna"}, "member": {"nick": "Anna", "roles": []},
        "mentions": mentions, "attachments": [],
    });
    if let (Some(fields), Value::Object(more)) = (message.as_object_mut(), more) {
        fields.extend(more);
    }
    message
}
