//! The daemon of signal-cli with one account: JSON-RPC, a stream of events without memory, and faults.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    response::Response,
    routing,
};
use futures::stream;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{broadcast, watch},
    task::JoinHandle,
    time::Instant,
};

pub use crate::fault::Fault;
use crate::fault::{self, Faults};

/// The number of the account.
pub const NUMBER: &str = "+15550001111";
/// Its id.
pub const UUID: &str = "00000000-0000-4000-8000-00000000beef";
/// Events that wait for who listens.
const EVENTS_MAX: usize = 256;

/// One question that was asked.
#[derive(Clone, Debug)]
pub struct Call {
    /// The method.
    pub method: String,
    /// Its parameters.
    pub body: Value,
    /// When.
    pub at: Instant,
}

/// A message as the people in the chat see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The person, or the group.
    pub to: String,
    /// The words.
    pub text: String,
    /// How they look.
    pub styles: Vec<String>,
    /// A file as it was given: an address that holds its type, its name and its bytes.
    pub file: Option<String>,
}

#[derive(Debug, Default)]
struct Told {
    last: i64,
    seen: Vec<Seen>,
    calls: Vec<Call>,
    faults: Faults,
    /// In Base64.
    files: HashMap<String, String>,
    listened: u64,
    gone: bool,
    /// What became of messages to these people.
    words: HashMap<String, String>,
}

#[derive(Debug)]
struct Shared {
    told: Mutex<Told>,
    events: broadcast::Sender<String>,
    /// Streams of an earlier number end.
    cuts: watch::Sender<u64>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The daemon. Dropping it closes its port.
#[derive(Debug)]
pub struct Daemon {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl Daemon {
    /// Starts it on a port of its own.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            told: Mutex::default(),
            events: broadcast::Sender::new(EVENTS_MAX),
            cuts: watch::Sender::new(0),
        });
        let router = Router::new()
            .route("/api/v1/rpc", routing::post(rpc))
            .route("/api/v1/events", routing::get(events))
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self {
            address,
            shared,
            server,
        }
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> String {
        format!("http://{}", self.address)
    }

    /// It does not have the account any more.
    pub fn forget_account(&self) {
        self.shared.lock().gone = true;
        self.cut();
    }

    /// The next question of this kind goes wrong; several go wrong in this order.
    pub fn fault(&self, method: &str, fault: Fault) {
        self.shared.lock().faults.add(method, fault);
    }

    /// What becomes of messages to somebody.
    pub fn outcome(&self, person: &str, word: &str) {
        self.shared
            .lock()
            .words
            .insert(person.to_owned(), word.to_owned());
    }

    /// Who listens hears no more, and has to ask anew.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// How often somebody began to listen.
    #[must_use]
    pub fn listened(&self) -> u64 {
        self.shared.lock().listened
    }

    /// Whether somebody listens now.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.shared.events.receiver_count() > 0
    }

    /// Another moment, as the id of a message.
    #[must_use]
    pub fn moment(&self) -> i64 {
        let mut told = self.shared.lock();
        told.last += 1;
        1_790_000_000_000 + told.last
    }

    /// Somebody says something to the account alone.
    pub fn says(&self, person: &str, text: &str) {
        self.envelope(
            person,
            json!({"dataMessage": {"timestamp": self.moment(), "message": text}}),
        );
    }

    /// An envelope of somebody, with these fields.
    pub fn envelope(&self, person: &str, more: Value) {
        let mut envelope =
            json!({"source": person, "sourceUuid": person, "sourceName": "Anna", "sourceDevice": 1});
        if let (Some(fields), Value::Object(more)) = (envelope.as_object_mut(), more) {
            fields.extend(more);
        }
        let event = json!({"envelope": envelope, "account": NUMBER});
        self.raw(&format!("event:receive\ndata:{event}\n\n"));
    }

    /// Bytes of the stream as they stand.
    pub fn raw(&self, text: &str) {
        let _ = self.shared.events.send(text.to_owned());
    }

    /// It keeps a file from now on, which is given in Base64.
    pub fn keep(&self, id: &str, base64: &str) {
        self.shared.lock().files.insert(id.to_owned(), base64.to_owned());
    }

    /// The messages of the account, in order.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.lock().seen.clone()
    }

    /// The questions of one method.
    #[must_use]
    pub fn calls(&self, method: &str) -> Vec<Call> {
        let told = self.shared.lock();
        let calls = told.calls.iter().filter(|call| call.method == method);
        calls.cloned().collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn events(State(shared): State<Arc<Shared>>) -> Response {
    shared.lock().listened += 1;
    let (heard, mut cuts) = (shared.events.subscribe(), shared.cuts.subscribe());
    cuts.mark_unchanged();
    let told = stream::unfold((heard, cuts, true), |(mut heard, mut cuts, first)| async move {
        if first {
            return Some((Ok::<_, Infallible>(":\n".to_owned()), (heard, cuts, false)));
        }
        tokio::select! {
            event = heard.recv() => Some((Ok(event.ok()?), (heard, cuts, false))),
            _ = cuts.changed() => None,
        }
    });
    Response::builder()
        .header("content-type", "text/event-stream")
        .body(Body::from_stream(told))
        .expect("an answer")
}

async fn rpc(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let question: Value = serde_json::from_slice(&body).unwrap_or_default();
    let method = question["method"].as_str().unwrap_or_default().to_owned();
    let parameters = question["params"].clone();
    let fault = {
        let mut told = shared.lock();
        told.calls.push(Call {
            method: method.clone(),
            body: parameters.clone(),
            at: Instant::now(),
        });
        if told.gone || parameters["account"] != json!(NUMBER) {
            return no(-32602, "Specified account does not exist");
        }
        told.faults.next(&method)
    };
    if let Some(fault) = fault {
        let too_fast = |_| no(-5, "Rate limit exceeded");
        if let Some(answer) = fault::answer(&fault, too_fast).await {
            return answer;
        }
        let _ = answer(&shared, &method, &parameters);
        return fault::lost(&fault);
    }
    answer(&shared, &method, &parameters)
}

fn no(code: i64, words: &str) -> Response {
    fault::json(
        200,
        &json!({"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": words}}),
    )
}

fn answer(shared: &Shared, method: &str, parameters: &Value) -> Response {
    let mut told = shared.lock();
    let result = match method {
        "getUserStatus" => {
            json!([{"recipient": NUMBER, "number": NUMBER, "uuid": UUID, "isRegistered": true}])
        }
        "version" => json!({"version": "0.13.0"}),
        "sendTyping" | "sendReaction" | "sendReceipt" => json!({"timestamp": 1}),
        "getAttachment" => match parameters["id"].as_str().and_then(|id| told.files.get(id)) {
            Some(data) => json!({"data": data}),
            None => return no(-1, "Could not find attachment"),
        },
        "send" => {
            let to = parameters["groupId"]
                .as_str()
                .or(parameters["recipient"][0].as_str());
            let to = to.unwrap_or_default().to_owned();
            let text = parameters["message"].as_str().unwrap_or_default().to_owned();
            let file = parameters["attachments"][0].as_str().map(str::to_owned);
            if to.is_empty() || text.is_empty() && file.is_none() {
                return no(-1, "No recipients given");
            }
            told.last += 1;
            let timestamp = 1_790_000_000_000 + told.last;
            let word = told
                .words
                .get(&to)
                .cloned()
                .unwrap_or_else(|| "SUCCESS".to_owned());
            if word == "SUCCESS" {
                let styles = parameters["textStyle"].as_array().cloned().unwrap_or_default();
                let styles = styles
                    .iter()
                    .filter_map(|style| style.as_str().map(str::to_owned));
                let styles = styles.collect();
                told.seen.push(Seen {
                    to: to.clone(),
                    text,
                    styles,
                    file,
                });
            }
            json!({"timestamp": timestamp, "results": [{"recipientAddress": {"uuid": to}, "type": word}]})
        }
        _ => return no(-32601, "Method not implemented"),
    };
    fault::json(200, &json!({"jsonrpc": "2.0", "id": 1, "result": result}))
}
