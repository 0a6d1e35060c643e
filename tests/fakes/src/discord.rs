//! Discord with one bot: a gateway whose sessions go on where they ended, messages that are known by their nonce, and faults.

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
    nonce: String,
}

/// What a connection is to do.
#[derive(Clone, Debug)]
enum Order {
    Say(Value),
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
        let mut told = self.shared.lock();
        told.seq += 1;
        let seq = told.seq;
        let frame = json!({"op": 0, "s": seq, "t": kind, "d": data});
        told.events.push((seq, frame.clone()));
        let live = told.live;
        let orders = told.open.iter_mut().find(|(open, _)| Some(*open) == live);
        if let Some((_, orders)) = orders {
            orders.push(Order::Say(frame));
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

/// `POST channels/7/messages` is `POST messages`.
fn name(method: &str) -> String {
    let (verb, path) = method.split_once(' ').unwrap_or((method, ""));
    format!("{verb} {}", path.rsplit('/').next().unwrap_or_default())
}

/// What somebody says to the bot alone.
#[must_use]
pub fn direct(person: &str, id: &str, text: &str) -> Value {
    json!({
        "id": id, "channel_id": format!("1{person}"), "type": 0, "content": text, "timestamp": "2026-11-28T10:00:00+00:00",
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

async fn serve_socket(shared: Arc<Shared>, mut peer: Peer) {
    let number = {
        let mut told = shared.lock();
        told.opened += 1;
        let number = told.opened;
        told.open.push((number, Vec::new()));
        number
    };
    let hello = json!({"op": 10, "d": {"heartbeat_interval": HEARTBEAT_MS}});
    if peer.send(Message::text(hello.to_string())).await.is_ok() {
        talk(&shared, &mut peer, number).await;
    }
    let mut told = shared.lock();
    told.open.retain(|(open, _)| *open != number);
    if told.live == Some(number) {
        told.live = None;
    }
}

async fn talk(shared: &Shared, peer: &mut Peer, number: u64) {
    let deaf = || shared.lock().deaf >= number;
    loop {
        let changed = shared.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        let orders = {
            let mut told = shared.lock();
            let own = told.open.iter_mut().find(|(open, _)| *open == number);
            own.map(|(_, orders)| std::mem::take(orders)).unwrap_or_default()
        };
        for order in orders {
            let sent = match order {
                Order::Say(_) if deaf() => Ok(()),
                Order::Say(words) => peer.send(Message::text(words.to_string())).await,
                Order::Close(code) => {
                    let frame = CloseFrame {
                        code: CloseCode::from(code),
                        reason: "".into(),
                    };
                    let _ = peer.close(Some(frame)).await;
                    return;
                }
                Order::Break => return,
            };
            if sent.is_err() {
                return;
            }
        }
        let frame = tokio::select! {
            () = changed => continue,
            frame = peer.next() => frame,
        };
        match frame {
            Some(Ok(Message::Text(text))) if !deaf() => {
                let said: Value = serde_json::from_str(text.as_str()).unwrap_or_default();
                hear(shared, number, &said);
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            Some(Ok(_)) => {}
        }
    }
}

fn hear(shared: &Shared, number: u64, said: &Value) {
    let mut told = shared.lock();
    let data = &said["d"];
    let right = data["token"] == json!(told.token);
    let orders = match said["op"].as_u64() {
        Some(1) => vec![Order::Say(json!({"op": 11}))],
        Some(2 | 6) if !right => vec![Order::Close(4004)],
        Some(2) => {
            let wants_content = data["intents"].as_u64().unwrap_or_default() & (1 << 15) != 0;
            if wants_content && told.flags & MESSAGE_CONTENT == 0 {
                vec![Order::Close(4014)]
            } else {
                told.identified.push(data.clone());
                told.sessions += 1;
                told.starts_left = told.starts_left.saturating_sub(1);
                told.session = Some(format!("session-{}", told.sessions));
                told.live = Some(number);
                // What was said before a session belongs to none.
                told.seq += 1;
                let seq = told.seq;
                let ready = json!({"op": 0, "s": seq, "t": "READY", "d": {
                    "v": 10, "session_id": told.session, "resume_gateway_url": told.gateway,
                    "user": {"id": BOT, "username": "gatebot", "bot": true}, "guilds": [{"id": GUILD, "unavailable": true}]}});
                vec![Order::Say(ready)]
            }
        }
        Some(6) if told.session.is_none() || data["session_id"] != json!(told.session) => {
            vec![Order::Say(json!({"op": 9, "d": false}))]
        }
        Some(6) => {
            told.resumed.push(data.clone());
            told.live = Some(number);
            let after = data["seq"].as_u64().unwrap_or_default();
            let missed = told.events.iter().filter(|(seq, _)| *seq > after);
            let mut orders: Vec<Order> = missed.map(|(_, frame)| Order::Say(frame.clone())).collect();
            orders.push(Order::Say(
                json!({"op": 0, "s": told.seq, "t": "RESUMED", "d": {}}),
            ));
            orders
        }
        _ => vec![Order::Close(4001)],
    };
    if let Some((_, own)) = told.open.iter_mut().find(|(open, _)| *open == number) {
        own.extend(orders);
    }
    drop(told);
    shared.changed.notify_waiters();
}

async fn file(State(shared): State<Arc<Shared>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let mut told = shared.lock();
    // The token is not for whoever keeps files.
    if headers.contains_key(header::AUTHORIZATION) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let Some(bytes) = told.files.get(&id).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    told.fetched.push(id);
    match told.faults.next("file") {
        Some(Fault::Gateway(code)) => fault::json(code, &Value::Null),
        Some(_) => fault::half(&bytes),
        None => bytes.into_response(),
    }
}

async fn call(
    State(shared): State<Arc<Shared>>,
    Path(path): Path<String>,
    verb: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let method = format!("{verb} {path}");
    let fault = {
        let mut told = shared.lock();
        let header = |name| {
            headers
                .get(name)
                .and_then(|shown| shown.to_str().ok())
                .unwrap_or_default()
        };
        if !header(header::USER_AGENT).starts_with("DiscordBot (") {
            return no(403, 40_333, "internal network error");
        }
        if header(header::AUTHORIZATION) != format!("Bot {}", told.token) {
            return no(401, 0, "401: Unauthorized");
        }
        told.calls.push(Call {
            method: method.clone(),
            body: body.clone(),
            at: Instant::now(),
        });
        told.faults.next(&name(&method))
    };
    if let Some(fault) = fault {
        let waits = |seconds: u64| {
            let words =
                json!({"message": "You are being rate limited.", "retry_after": seconds, "global": false});
            let retry = [(header::RETRY_AFTER, seconds.to_string())];
            (StatusCode::TOO_MANY_REQUESTS, retry, axum::Json(words)).into_response()
        };
        if let Some(answer) = fault::answer(&fault, waits).await {
            return answer;
        }
        let _ = answer(&shared, &method, &body);
        return fault::broken();
    }
    answer(&shared, &method, &body)
}

fn no(status: u16, code: u32, words: &str) -> Response {
    fault::json(status, &json!({"message": words, "code": code}))
}

fn answer(shared: &Shared, method: &str, body: &Value) -> Response {
    let mut told = shared.lock();
    let (verb, path) = method.split_once(' ').unwrap_or((method, ""));
    let parts: Vec<&str> = path.split('/').collect();
    match (verb, parts.as_slice()) {
        ("GET", ["users", "@me"]) => {
            fault::json(200, &json!({"id": BOT, "username": "gatebot", "bot": true}))
        }
        ("GET", ["applications", "@me"]) => fault::json(200, &json!({"id": BOT, "flags": told.flags})),
        ("GET", ["gateway", "bot"]) => {
            let limit = json!({"total": 1000, "remaining": told.starts_left, "reset_after": 3_600_000, "max_concurrency": 1});
            fault::json(
                200,
                &json!({"url": told.gateway, "shards": 1, "session_start_limit": limit}),
            )
        }
        ("GET", ["channels", id]) => match told.channels.get(*id) {
            Some(known) => fault::json(200, known),
            None => fault::json(
                200,
                &json!({"id": id, "type": 0, "parent_id": "77", "guild_id": GUILD}),
            ),
        },
        ("POST", ["users", "@me", "channels"]) => {
            let person = body["recipient_id"].as_str().unwrap_or_default();
            fault::json(200, &json!({"id": format!("1{person}"), "type": 1}))
        }
        ("POST", ["channels", _, "typing"]) => StatusCode::NO_CONTENT.into_response(),
        ("POST", ["channels", id, "messages"]) => post(&mut told, id, body),
        _ => no(404, 0, "404: Not Found"),
    }
}

fn post(told: &mut Told, channel: &str, body: &Value) -> Response {
    let sent = body["content"].as_str().unwrap_or_default().to_owned();
    if sent.trim().is_empty() {
        return no(400, 50_006, "Cannot send an empty message");
    }
    if sent.chars().count() > CONTENT_MAX {
        return no(400, 50_035, "Invalid Form Body");
    }
    let nonce = body["nonce"].as_str().unwrap_or_default().to_owned();
    if nonce.chars().count() > 25 {
        return no(400, 50_035, "Invalid Form Body");
    }
    let known = told
        .seen
        .iter()
        .find(|seen| !nonce.is_empty() && seen.nonce == nonce);
    if let Some(known) = known.filter(|_| body["enforce_nonce"] == json!(true)) {
        return fault::json(200, &json!({"id": known.id, "channel_id": known.channel}));
    }
    told.last += 1;
    let id = told.last.to_string();
    told.seen.push(Seen {
        id: id.clone(),
        channel: channel.to_owned(),
        text: sent.replace('\\', ""),
        sent,
        answers: body["message_reference"]["message_id"]
            .as_str()
            .map(str::to_owned),
        nonce,
    });
    fault::json(200, &json!({"id": id, "channel_id": channel}))
}
