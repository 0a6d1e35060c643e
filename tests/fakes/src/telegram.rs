//! The Bot API: updates that are kept until the offset moves behind them, messages that are counted as Telegram counts, and faults.

mod messages;
mod updates;

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use futures::stream;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle, time};

use self::{
    messages::{delete, draft, edit, send, send_file},
    updates::updates,
};
use crate::{fault::GARBLED, form};

/// The bot's number.
pub const BOT: i64 = 4242;
/// The bot's name.
pub const NAME: &str = "gatebot";

/// The largest request.
const UPLOAD_BYTES_MAX: usize = 60 * 1024 * 1024;

/// How the next call of a method goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is refused with this code and these words.
    Refuse(u16, &'static str),
    /// Too fast: seconds to wait.
    Wait(u64),
    /// Something in between answers in HTML.
    Gateway(u16),
    /// Nothing is done and no answer comes.
    Hang,
    /// Nothing is done, and the answer breaks off.
    Drop,
    /// It is done, and the answer breaks off.
    Lose,
    /// It is done, and half of the answer comes as if it were whole.
    Garble,
    /// It is done after so long, whether or not anybody waits for the answer any more.
    Late(Duration),
    /// The group is another chat by now.
    Moved(i64),
}

/// One call that was made.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: String,
    /// Its parameters.
    pub body: Value,
    /// When.
    pub at: time::Instant,
}

/// A message as the people in the chat see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its number.
    pub id: i64,
    /// The chat, as it was named.
    pub chat: String,
    /// The topic.
    pub topic: Option<i64>,
    /// The words without markup.
    pub text: String,
    /// The words as they were sent.
    pub sent: String,
    /// The message that it answers.
    pub answers: Option<i64>,
    /// The method that brought a file, its name and its bytes. The words are its caption then.
    pub file: Option<(String, String, Vec<u8>)>,
}

#[derive(Debug, Default)]
struct Told {
    token: String,
    updates: Vec<(i64, Value)>,
    last_update: i64,
    last_message: i64,
    /// The place up to which updates were acknowledged.
    acknowledged: i64,
    polls: u64,
    /// Changes when whoever asks is to meet something else.
    disturbed: u64,
    seen: Vec<Seen>,
    drafts: Vec<(String, i64, String)>,
    has_no_drafts: bool,
    calls: Vec<Call>,
    faults: HashMap<String, VecDeque<Fault>>,
    /// Where updates are brought, and the secret that is shown there.
    webhook: Option<(String, String)>,
    files: HashMap<String, Vec<u8>>,
    fetched: Vec<String>,
}

/// The server. Dropping it closes its port.
#[derive(Debug)]
pub struct BotApi {
    address: SocketAddr,
    told: Arc<Shared>,
    server: JoinHandle<()>,
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

impl BotApi {
    /// Starts a server on a port of its own.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let told = Arc::new(Shared::default());
        *told.lock() = Told {
            token: format!("{BOT}:a-secret-of-the-fake_{}", address.port()),
            last_update: 1000,
            ..Told::default()
        };
        let router = Router::new()
            .route(
                "/{bot}/{method}",
                axum::routing::post(call).layer(DefaultBodyLimit::max(UPLOAD_BYTES_MAX)),
            )
            .route("/file/{bot}/{*path}", axum::routing::get(file))
            .with_state(Arc::clone(&told));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self {
            address,
            told,
            server,
        }
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The token that it takes.
    #[must_use]
    pub fn token(&self) -> String {
        self.told.lock().token.clone()
    }

    /// It takes another token from now on.
    pub fn revoke(&self) {
        self.told.lock().token = format!("{BOT}:another");
        self.disturb();
    }

    /// The bot has a webhook, so nobody may ask for updates.
    pub fn set_webhook(&self) {
        self.told.lock().webhook = Some(("https://bot.example/hook".to_owned(), String::new()));
        self.disturb();
    }

    /// The next call of a method goes wrong; several go wrong in this order.
    pub fn fault(&self, method: &str, fault: Fault) {
        let mut told = self.told.lock();
        told.faults.entry(method.to_owned()).or_default().push_back(fault);
        drop(told);
        if method == "getUpdates" {
            self.disturb();
        }
    }

    /// Where updates are brought, and the secret that is shown there.
    #[must_use]
    pub fn webhook(&self) -> Option<(String, String)> {
        self.told.lock().webhook.clone()
    }

    /// Ends the poll under way with a fault, as a second poller does.
    pub fn conflict(&self) {
        let words = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
        self.fault("getUpdates", Fault::Refuse(409, words));
    }

    fn disturb(&self) {
        self.told.lock().disturbed += 1;
        self.told.changed.notify_waiters();
    }

    /// Somebody says something to the bot alone. The number of the message.
    pub fn says(&self, person: i64, text: &str) -> i64 {
        let id = self.next_message();
        self.update("message", direct(person, id, text));
        id
    }

    /// Somebody presses a button below a message of the bot's, by what it stands for. The number of the press.
    pub fn presses(&self, person: i64, message: i64, value: &str) -> String {
        let seen = self.seen().into_iter().find(|seen| seen.id == message);
        let (chat, topic) = seen.map(|seen| (seen.chat, seen.topic)).unwrap_or_default();
        let chat: i64 = chat.parse().unwrap_or(person);
        let kind = if chat < 0 { "supergroup" } else { "private" };
        let press = format!("press-{}", self.next_message());
        let mut below = json!({
            "message_id": message, "date": 1_790_000_001, "text": "a question", "chat": {"id": chat, "type": kind},
            "from": {"id": BOT, "is_bot": true, "first_name": "Gate", "username": NAME},
        });
        if let Some(topic) = topic {
            below["message_thread_id"] = json!(topic);
            below["is_topic_message"] = json!(true);
        }
        let query = json!({"id": press, "from": {"id": person, "is_bot": false, "first_name": "Anna"},
            "message": below, "chat_instance": "1", "data": value});
        self.update("callback_query", query);
        press
    }

    /// An update as it stands, with the next number.
    pub fn update(&self, kind: &str, message: Value) {
        let mut told = self.told.lock();
        told.last_update += 1;
        let number = told.last_update;
        told.updates
            .push((number, json!({"update_id": number, kind: message})));
        drop(told);
        self.told.changed.notify_waiters();
    }

    /// The number of the next message.
    pub fn next_message(&self) -> i64 {
        let mut told = self.told.lock();
        told.last_message += 1;
        told.last_message
    }

    /// Updates that were not acknowledged.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.told.lock().updates.len()
    }

    /// The place up to which updates were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> i64 {
        self.told.lock().acknowledged
    }

    /// The messages of the bot, in order.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.told.lock().seen.clone()
    }

    /// The drafts that were shown, in order: chat, number and words.
    #[must_use]
    pub fn drafts(&self) -> Vec<(String, i64, String)> {
        self.told.lock().drafts.clone()
    }

    /// It is of a version that knows no drafts.
    pub fn knows_no_drafts(&self) {
        self.told.lock().has_no_drafts = true;
    }

    /// Somebody deletes a message.
    pub fn delete(&self, id: i64) {
        self.told.lock().seen.retain(|seen| seen.id != id);
    }

    /// It keeps a file under this id from now on.
    pub fn keep(&self, id: &str, bytes: Vec<u8>) {
        self.told.lock().files.insert(id.to_owned(), bytes);
    }

    /// The files that were fetched, in order.
    #[must_use]
    pub fn fetched(&self) -> Vec<String> {
        self.told.lock().fetched.clone()
    }

    /// The calls of one method.
    #[must_use]
    pub fn calls(&self, method: &str) -> Vec<Call> {
        let told = self.told.lock();
        let calls = told.calls.iter().filter(|call| call.method == method);
        calls.cloned().collect()
    }
}

impl Drop for BotApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// What somebody says to the bot alone.
#[must_use]
pub fn direct(person: i64, id: i64, text: &str) -> Value {
    json!({
        "message_id": id, "date": 1_790_000_000, "text": text,
        "from": {"id": person, "is_bot": false, "first_name": "Anna", "username": "anna"},
        "chat": {"id": person, "type": "private", "first_name": "Anna"},
        "entities": if text.starts_with('/') { json!([command(text)]) } else { json!([]) },
    })
}

/// What somebody says in a group; more fields over it.
#[must_use]
pub fn group(chat: i64, person: i64, id: i64, text: &str, more: Value) -> Value {
    let mut message = json!({
        "message_id": id, "date": 1_790_000_000, "text": text,
        "from": {"id": person, "is_bot": false, "first_name": "Anna"},
        "chat": {"id": chat, "type": "supergroup", "title": "Family"},
    });
    if let (Some(fields), Value::Object(more)) = (message.as_object_mut(), more) {
        fields.extend(more);
    }
    message
}

fn command(text: &str) -> Value {
    let length = text
        .split(' ')
        .next()
        .map_or(0, |word| word.encode_utf16().count());
    json!({"type": "bot_command", "offset": 0, "length": length})
}

async fn file(State(shared): State<Arc<Shared>>, Path((bot, path)): Path<(String, String)>) -> Response {
    let mut told = shared.lock();
    let id = path.strip_prefix("files/").unwrap_or_default().to_owned();
    let known = told
        .files
        .get(&id)
        .filter(|_| bot == format!("bot{}", told.token));
    let Some(bytes) = known.cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    told.fetched.push(id);
    match told.faults.get_mut("file").and_then(VecDeque::pop_front) {
        Some(Fault::Gateway(code)) => StatusCode::from_u16(code)
            .unwrap_or(StatusCode::BAD_GATEWAY)
            .into_response(),
        Some(_) => {
            let half = bytes.get(..bytes.len() / 2).unwrap_or_default().to_vec();
            let parts = [Ok(half), Err(io::Error::other("on purpose"))];
            Response::new(Body::from_stream(stream::iter(parts)))
        }
        None => bytes.into_response(),
    }
}

type Refusal = (u16, String, Value);

async fn call(
    State(shared): State<Arc<Shared>>,
    Path((bot, method)): Path<(String, String)>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Response {
    let (body, file) = form::read(&headers, &body);
    let fault = {
        let mut told = shared.lock();
        if bot != format!("bot{}", told.token) {
            return refused((401, "Unauthorized".to_owned(), Value::Null));
        }
        told.calls.push(Call {
            method: method.clone(),
            body: body.clone(),
            at: time::Instant::now(),
        });
        told.faults.get_mut(&method).and_then(VecDeque::pop_front)
    };
    match fault {
        Some(Fault::Refuse(code, words)) => return refused((code, words.to_owned(), Value::Null)),
        Some(Fault::Wait(seconds)) => {
            let words = format!("Too Many Requests: retry after {seconds}");
            return refused((429, words, json!({"retry_after": seconds})));
        }
        Some(Fault::Moved(new)) => {
            let words = "Bad Request: group chat was upgraded to a supergroup chat".to_owned();
            return refused((400, words, json!({"migrate_to_chat_id": new})));
        }
        Some(Fault::Gateway(code)) => {
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_GATEWAY);
            return (status, "<html>Bad Gateway</html>").into_response();
        }
        Some(Fault::Hang) => return std::future::pending().await,
        Some(Fault::Drop) => return broken(),
        Some(Fault::Late(after)) => {
            let late = tokio::spawn(async move {
                time::sleep(after).await;
                answer(&shared, &method, &body, file).await
            });
            return match late.await {
                Ok(Ok(result)) => axum::Json(json!({"ok": true, "result": result})).into_response(),
                Ok(Err(refusal)) => refused(refusal),
                Err(_) => broken(),
            };
        }
        Some(fault @ (Fault::Lose | Fault::Garble)) => {
            let _ = answer(&shared, &method, &body, file).await;
            return if fault == Fault::Lose {
                broken()
            } else {
                GARBLED.into_response()
            };
        }
        None => {}
    }
    match answer(&shared, &method, &body, file).await {
        Ok(result) => axum::Json(json!({"ok": true, "result": result})).into_response(),
        Err(refusal) => refused(refusal),
    }
}

fn refused((code, description, parameters): Refusal) -> Response {
    let mut answer = json!({"ok": false, "error_code": code, "description": description});
    if let (false, Some(fields)) = (parameters.is_null(), answer.as_object_mut()) {
        fields.insert("parameters".to_owned(), parameters);
    }
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, axum::Json(answer)).into_response()
}

fn broken() -> Response {
    let body = stream::once(async { Err::<Vec<u8>, _>(io::Error::other("on purpose")) });
    Response::new(Body::from_stream(body))
}

async fn answer(
    shared: &Shared,
    method: &str,
    body: &Value,
    file: Option<form::File>,
) -> Result<Value, Refusal> {
    match method {
        "getMe" => Ok(json!({"id": BOT, "is_bot": true, "first_name": "Gate", "username": NAME})),
        "getUpdates" => updates(shared, body).await,
        "getWebhookInfo" => {
            let webhook = shared.lock().webhook.clone();
            let (url, _) = webhook.unwrap_or_default();
            Ok(json!({"url": url, "has_custom_certificate": false, "pending_update_count": 0}))
        }
        "setWebhook" => {
            let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
            shared.lock().webhook = Some((text("url"), text("secret_token")));
            Ok(json!(true))
        }
        "deleteWebhook" => {
            shared.lock().webhook = None;
            Ok(json!(true))
        }
        "sendChatAction" | "setMessageReaction" | "answerCallbackQuery" => Ok(json!(true)),
        "sendMessage" => send(shared, body),
        "sendPhoto" | "sendDocument" | "sendVoice" | "sendAudio" | "sendVideo" | "sendAnimation" => {
            send_file(shared, method, body, file)
        }
        "editMessageText" => edit(shared, body),
        "deleteMessage" => delete(shared, body),
        "sendMessageDraft" => draft(shared, body),
        "getFile" => {
            let id = body["file_id"].as_str().unwrap_or_default();
            match shared.lock().files.get(id) {
                // Its size is not always told.
                Some(_) => {
                    Ok(json!({"file_id": id, "file_unique_id": id, "file_path": format!("files/{id}")}))
                }
                None => Err((400, "Bad Request: wrong file_id".to_owned(), Value::Null)),
            }
        }
        _ => Err((404, "Not Found".to_owned(), Value::Null)),
    }
}
