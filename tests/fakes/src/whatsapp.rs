//! WhatsApp's Cloud API with one number: messages, typing, files, signed posts, and faults.

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
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle, time::Instant};

pub use crate::fault::Fault;
use crate::{
    fault::{self, Faults},
    form,
    hook::hex_hmac,
};

/// The id of the number.
pub const NUMBER: &str = "106540352242922";
/// The longest message, in characters.
const TEXT_MAX: usize = 4096;

/// One call that was made.
#[derive(Clone, Debug)]
pub struct Call {
    /// `message`, `typing`, `reaction`, `number` or `media`
    pub method: String,
    /// Its parameters.
    pub body: Value,
    /// When.
    pub at: Instant,
}

/// A message as the person sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its id.
    pub id: String,
    /// The phone number, or the id of the person for this business.
    pub to: String,
    /// The words without what only marks.
    pub text: String,
    /// The words as they were sent.
    pub sent: String,
    /// As what a file is shown, its name, and its bytes. The words are its caption then.
    pub file: Option<(String, String, Vec<u8>)>,
}

#[derive(Debug, Default)]
struct Told {
    token: String,
    secret: String,
    last: u64,
    seen: Vec<Seen>,
    calls: Vec<Call>,
    faults: Faults,
    files: HashMap<String, Vec<u8>>,
    fetched: Vec<String>,
    /// Files of the business, by id: their names and bytes.
    brought: HashMap<String, (String, Vec<u8>)>,
}

#[derive(Debug)]
struct Shared {
    told: Mutex<Told>,
    address: SocketAddr,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server. Dropping it closes its port.
#[derive(Debug)]
pub struct Cloud {
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl Cloud {
    /// Starts it on a port of its own.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let told = Told {
            token: format!("EAAasecretofthefake{}", address.port()),
            secret: format!("an-app-secret-of-the-fake-{}", address.port()),
            ..Told::default()
        };
        let shared = Arc::new(Shared {
            told: Mutex::new(told),
            address,
        });
        let router = Router::new()
            .route("/v26.0/{id}", routing::any(call))
            .route("/v26.0/{id}/messages", routing::post(message))
            .route("/v26.0/{id}/media", routing::post(bring))
            .route("/files/{id}", routing::get(file))
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self { shared, server }
    }

    /// Where its methods are.
    #[must_use]
    pub fn root(&self) -> String {
        format!("http://{}/v26.0", self.shared.address)
    }

    /// The token that it takes.
    #[must_use]
    pub fn token(&self) -> String {
        self.shared.lock().token.clone()
    }

    /// What it signs posts with.
    #[must_use]
    pub fn app_secret(&self) -> String {
        self.shared.lock().secret.clone()
    }

    /// It takes another token from now on.
    pub fn revoke(&self) {
        self.shared.lock().token = "another".to_owned();
    }

    /// The next call of this kind goes wrong; several go wrong in this order.
    pub fn fault(&self, method: &str, fault: Fault) {
        self.shared.lock().faults.add(method, fault);
    }

    /// The messages of the business, in order.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.lock().seen.clone()
    }

    /// The calls of one kind.
    #[must_use]
    pub fn calls(&self, method: &str) -> Vec<Call> {
        let told = self.shared.lock();
        let calls = told.calls.iter().filter(|call| call.method == method);
        calls.cloned().collect()
    }

    /// It keeps a file under this id from now on.
    pub fn keep(&self, id: &str, bytes: Vec<u8>) {
        self.shared.lock().files.insert(id.to_owned(), bytes);
    }

    /// The files that were fetched, in order.
    #[must_use]
    pub fn fetched(&self) -> Vec<String> {
        self.shared.lock().fetched.clone()
    }

    /// The headers of a post that is signed by this app.
    #[must_use]
    pub fn signed(&self, body: &str) -> Vec<(String, String)> {
        let digits = hex_hmac(&self.app_secret(), &[body.as_bytes()]);
        vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("x-hub-signature-256".to_owned(), format!("sha256={digits}")),
        ]
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A refusal as Meta says it.
#[must_use]
pub fn refusal(code: u32, words: &str) -> Fault {
    let error = json!({"message": format!("(#{code}) {words}"), "type": "OAuthException", "code": code,
        "error_data": {"messaging_product": "whatsapp", "details": words}, "fbtrace_id": "A1"});
    Fault::Refuse(400, json!({"error": error}))
}

/// A post about messages of one person, with more fields in its value.
#[must_use]
pub fn post(person: &str, messages: &[Value], more: Value) -> Value {
    let mut value = json!({
        "messaging_product": "whatsapp", "metadata": {"display_phone_number": "15550783881", "phone_number_id": NUMBER},
        "contacts": [{"profile": {"name": "Anna"}, "wa_id": person}], "messages": messages,
    });
    if let (Some(fields), Value::Object(more)) = (value.as_object_mut(), more) {
        fields.extend(more);
    }
    json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]})
}

/// What somebody says.
#[must_use]
pub fn text(person: &str, id: &str, words: &str) -> Value {
    json!({"from": person, "id": id, "timestamp": "1790000000", "type": "text", "text": {"body": words}})
}

fn bearer(headers: &HeaderMap) -> &str {
    let shown = headers.get(header::AUTHORIZATION);
    let shown = shown.and_then(|shown| shown.to_str().ok()).unwrap_or_default();
    shown.strip_prefix("Bearer ").unwrap_or_default()
}

fn no(code: u32, words: &str) -> Response {
    fault::json(400, &json!({"error": {"message": words, "code": code}}))
}

async fn file(State(shared): State<Arc<Shared>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let mut told = shared.lock();
    let Some(bytes) = told
        .files
        .get(&id)
        .cloned()
        .filter(|_| bearer(&headers) == told.token)
    else {
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
    Path(id): Path<String>,
    verb: Method,
    headers: HeaderMap,
) -> Response {
    let method = if id == NUMBER { "number" } else { "media" };
    let fault = {
        let mut told = shared.lock();
        if bearer(&headers) != told.token {
            return fault::json(
                401,
                &json!({"error": {"message": "Invalid OAuth access token", "code": 190}}),
            );
        }
        let at = Instant::now();
        told.calls.push(Call {
            method: method.to_owned(),
            body: Value::Null,
            at,
        });
        told.faults.next(method)
    };
    if let Some(fault) = fault
        && let Some(answer) = fault::answer(&fault, |_| no(4, "too fast")).await
    {
        return answer;
    }
    let told = shared.lock();
    if verb != Method::GET {
        return no(100, "Unsupported request");
    }
    if id == NUMBER {
        return fault::json(
            200,
            &json!({"id": NUMBER, "display_phone_number": "15550783881", "verified_name": "Gate"}),
        );
    }
    match told.files.get(&id) {
        Some(bytes) => {
            let url = format!("http://{}/files/{id}", shared.address);
            fault::json(
                200,
                &json!({"id": id, "url": url, "mime_type": "image/png", "file_size": bytes.len()}),
            )
        }
        None => no(100, "Unsupported get request. Object does not exist"),
    }
}

async fn message(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let method = match (body["status"].as_str(), body["type"].as_str()) {
        (Some("read"), _) => "typing",
        (_, Some("reaction")) => "reaction",
        _ => "message",
    };
    let fault = {
        let mut told = shared.lock();
        if bearer(&headers) != told.token {
            return fault::json(
                401,
                &json!({"error": {"message": "Invalid OAuth access token", "code": 190}}),
            );
        }
        if id != NUMBER {
            return no(100, "Unsupported post request. Object does not exist");
        }
        let at = Instant::now();
        told.calls.push(Call {
            method: method.to_owned(),
            body: body.clone(),
            at,
        });
        told.faults.next(method)
    };
    if let Some(fault) = fault {
        if let Some(answer) = fault::answer(&fault, |_| no(130_429, "Rate limit hit")).await {
            return answer;
        }
        let _ = take(&shared, &body);
        return fault::lost(&fault);
    }
    match method {
        "typing" => return fault::json(200, &json!({"success": true})),
        "reaction" => return fault::json(200, &json!({"messages": [{"id": "wamid.reaction"}]})),
        _ => {}
    }
    take(&shared, &body)
}

/// The kinds of file that are taken.
const TYPES: [&str; 5] = [
    "image/png",
    "image/jpeg",
    "audio/ogg",
    "video/mp4",
    "application/pdf",
];

async fn bring(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (fields, file) = form::read(&headers, &body);
    let mut told = shared.lock();
    let at = Instant::now();
    told.calls.push(Call {
        method: "upload".to_owned(),
        body: fields.clone(),
        at,
    });
    match told.faults.next("upload") {
        Some(Fault::Refuse(status, body)) => return fault::json(status, &body),
        Some(_) => return no(130_429, "Rate limit hit"),
        None => {}
    }
    let known = fields["type"].as_str().is_some_and(|kind| TYPES.contains(&kind));
    let right = bearer(&headers) == told.token && id == NUMBER;
    let Some(file) = file.filter(|_| right && fields["messaging_product"] == json!("whatsapp")) else {
        return no(100, "Invalid parameter");
    };
    if !known {
        return no(100, "Param file must be a file with one of the following types");
    }
    told.last += 1;
    let id = format!("{}", told.last);
    told.brought.insert(id.clone(), (file.name, file.bytes));
    fault::json(200, &json!({"id": id}))
}

/// Buttons and lists as Meta takes them.
fn is_interactive(what: &Value) -> bool {
    let within = |text: &Value, most: usize| {
        let text = text.as_str().unwrap_or_default();
        (1..=most).contains(&text.chars().count())
    };
    let action = &what["action"];
    let empty = Vec::new();
    let list = |value: &Value| value.as_array().unwrap_or(&empty).clone();
    let options = match what["type"].as_str() {
        Some("button") => {
            let buttons = list(&action["buttons"]);
            let right =
                buttons.len() <= 3 && buttons.iter().all(|button| within(&button["reply"]["title"], 20));
            let replies = buttons.iter().map(|button| button["reply"].clone());
            replies
                .collect::<Vec<_>>()
                .into_iter()
                .filter(|_| right)
                .collect()
        }
        Some("list") if within(&action["button"], 20) => {
            let rows = list(&action["sections"][0]["rows"]);
            let describes = |row: &Value| row.get("description").is_none_or(|words| within(words, 72));
            let right = |row: &Value| within(&row["title"], 24) && describes(row);
            let all_right = rows.len() <= 10 && rows.iter().all(right);
            rows.into_iter().filter(|_| all_right).collect()
        }
        _ => Vec::new(),
    };
    let mut ids: Vec<String> = options.iter().map(|option| option["id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    let ids_right = ids.len() == options.len() && options.iter().all(|option| within(&option["id"], 256));
    within(&what["body"]["text"], 1024) && !options.is_empty() && ids_right
}

fn take(shared: &Shared, body: &Value) -> Response {
    let mut told = shared.lock();
    let kind = body["type"].as_str().unwrap_or_default();
    let what = &body[kind];
    let brought = what["id"].as_str().and_then(|id| told.brought.get(id)).cloned();
    let file = brought.map(|(name, bytes)| (kind.to_owned(), name, bytes));
    if kind == "interactive" && !is_interactive(what) {
        return no(131_009, "Parameter value is not valid");
    }
    let sent = what["body"].as_str().or(what["caption"].as_str());
    let sent = sent.or(what["body"]["text"].as_str());
    let sent = sent.unwrap_or_default().to_owned();
    let to = body["to"]
        .as_str()
        .or(body["recipient"].as_str())
        .unwrap_or_default()
        .to_owned();
    if sent.trim().is_empty() && file.is_none() || to.is_empty() {
        return no(100, "Invalid parameter");
    }
    if sent.chars().count() > TEXT_MAX {
        return no(100, "Param text['body'] must be at most 4096 characters long");
    }
    told.last += 1;
    let id = format!("wamid.{}", told.last);
    told.seen.push(Seen {
        id: id.clone(),
        to: to.clone(),
        text: sent.replace('\u{200b}', ""),
        sent,
        file,
    });
    fault::json(
        200,
        &json!({"messaging_product": "whatsapp", "contacts": [{"input": to, "wa_id": to}], "messages": [{"id": id}]}),
    )
}
