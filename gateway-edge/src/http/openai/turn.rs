//! The calls behind the endpoints: one answer, or a turn that is read piece by piece.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use gatehouse_contract::{Change, Method};
use gatehouse_core::Kind;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::sleep;
use uuid::Uuid;

use crate::{
    call::{self, CALL_COST, Call, Envelope, Payload},
    error::Refusal,
    http::{
        bearer::Known,
        context::Http,
        intake::{UnderWay, auth_changed, revoked},
        socket::Socket,
    },
    step,
};

/// The method of a turn.
pub(super) const TURN: &str = "chat.stream";

/// A proxy closes what is silent, often after 30 or 60 seconds.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Something that happened in a turn; one of these.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Piece {
    pub(super) run: Option<Started>,
    pub(super) text: Option<String>,
    pub(super) thinking: Option<String>,
    pub(super) tool_call: Option<CallPiece>,
    pub(super) end: Option<Ended>,
    /// All text of the message so far was thinking. Of a stream nothing can be taken back.
    pub(super) text_was_thinking: bool,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Started {
    pub(super) run_id: String,
    pub(super) session_key: String,
}

/// More of a call of a tool.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CallPiece {
    pub(super) index: usize,
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) arguments: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Ended {
    status: String,
    pub(super) stop_reason: Option<String>,
    pub(super) usage: Option<Usage>,
    failure: Option<String>,
    error: Option<String>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Usage {
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) total_tokens: u64,
}

impl Piece {
    /// Whether a client sees something of it.
    pub(super) fn is_seen(&self) -> bool {
        self.text.is_some() || self.thinking.is_some() || self.tool_call.is_some() || self.end.is_some()
    }
}

impl Ended {
    /// Why there is no whole answer. `None`: there is one.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        let message = self.error.clone();
        let message = message.unwrap_or_else(|| "the answer could not be written".to_owned());
        Some(match (self.status.as_str(), self.failure.as_deref()) {
            ("ok", _) => return None,
            ("aborted", _) => {
                Refusal::new(Kind::Conflict, "the run was stopped").detail("code", "run_aborted")
            }
            ("interrupted", _) => Refusal::new(Kind::Unavailable, message).detail("code", "run_interrupted"),
            (_, Some("rate_limit")) => {
                // The agent service has asked again already, as often as that helps.
                Refusal::new(Kind::Exhausted, message)
                    .retry_after(Duration::from_secs(5))
                    .detail("code", "rate_limit_exceeded")
            }
            (_, Some("context")) => Refusal::invalid(message)
                .detail("path", "/messages")
                .detail("code", "context_length_exceeded"),
            (_, Some("rejected")) => Refusal::invalid(message).detail("code", "model_refused_request"),
            (_, Some("moderation")) => Refusal::invalid(message).detail("code", "content_filter"),
            (_, Some("timeout")) => Refusal::new(Kind::Timeout, message).detail("code", "model_timeout"),
            (_, Some("unavailable")) => {
                Refusal::unavailable(message, Duration::from_secs(2)).detail("code", "model_unavailable")
            }
            (_, Some(other)) => {
                let code = format!("model_{other}");
                Refusal::new(Kind::Unavailable, message).detail("code", code)
            }
            (_, None) => Refusal::new(Kind::Internal, message).detail("code", "run_failed"),
        })
    }
}

/// A turn that is read.
pub(super) struct Turn {
    pub(super) http: Arc<Http>,
    pub(super) socket: Arc<Socket>,
    known: Arc<Known>,
    answers: Pin<Box<dyn Stream<Item = Result<Payload, Refusal>> + Send>>,
    _under_way: UnderWay,
}

/// What a turn says next.
pub(super) enum Next {
    Piece(Box<Piece>),
    Refused(Refusal),
    /// Nothing for a while.
    Silence,
    Over,
}

impl Turn {
    /// Begins one. Nothing is sent before the first piece is asked for.
    pub(super) async fn begin(
        http: &Arc<Http>,
        socket: &Arc<Socket>,
        known: &Arc<Known>,
        headers: &HeaderMap,
        params: String,
        mut under_way: UnderWay,
    ) -> Result<Self, Refusal> {
        let method = authorise(http, known, TURN)?;
        under_way.will_read(params.len())?;
        let call = Call::encode_owned(&http.edge, method, params).await?;
        under_way.holds(&call)?;
        // Each turn has a share of its own in what waits: the programs of one host all come from its address, and how many
        // there may be is decided here (PROGRAMS_MAX) and by the share of their credential.
        let connection = format!("{}/{}", address(known), Uuid::new_v4());
        let answers = start(http, known, connection, headers, call);
        Ok(Self {
            http: Arc::clone(http),
            socket: Arc::clone(socket),
            known: Arc::clone(known),
            answers: Box::pin(answers),
            _under_way: under_way,
        })
    }

    /// The next piece. Dropping the turn ends the call, and with it the run.
    pub(super) async fn next(&mut self) -> Next {
        let answer = tokio::select! {
            answer = self.answers.next() => answer,
            () = revoked(&self.http.edge, &self.known) => Some(Err(auth_changed())),
            () = sleep(KEEP_ALIVE) => return Next::Silence,
        };
        match answer {
            None => Next::Over,
            Some(Err(refusal)) => Next::Refused(refusal),
            Some(Ok(payload)) => {
                self._under_way.lease.shrink_to(CALL_COST);
                match serde_json::from_slice(&payload.bytes) {
                    Ok(piece) => Next::Piece(Box::new(piece)),
                    Err(_) => Next::Refused(call::internal()),
                }
            }
        }
    }
}

/// Calls a method that answers once.
pub(in crate::http) async fn ask(
    http: &Arc<Http>,
    socket: &Arc<Socket>,
    known: &Arc<Known>,
    name: &str,
    params: String,
) -> Result<Bytes, Refusal> {
    let _settled = socket.settled().ok_or_else(crate::http::respond::overloaded)?;
    let method = authorise(http, known, name)?;
    let _permit = http.calls.enter(&method)?;
    let call = Call::encode_owned(&http.edge, method, params).await?;
    let mut answers = Box::pin(start(http, known, address(known), &HeaderMap::new(), call));
    let payload = answers.next().await.ok_or_else(call::internal)??;
    Ok(payload.bytes)
}

/// Whether this caller may call the method at all: asked before anything of a request is read.
pub(super) fn authorise(http: &Http, known: &Known, name: &str) -> Result<Arc<Method>, Refusal> {
    call::authorise(&http.edge, &known.grants, &known.identity, name)
}

/// What all requests from one address are one connection by.
fn address(known: &Known) -> String {
    format!("http/{}", known.client.key())
}

fn start(
    http: &Arc<Http>,
    known: &Known,
    connection: String,
    headers: &HeaderMap,
    call: Call,
) -> impl Stream<Item = Result<Payload, Refusal>> + use<> {
    let caller = call::caller_by_http(&known.grants, connection, &known.identity);
    let step = step::of_endpoint(headers, &known.grants, &call.method.name);
    let subscribe = |_: Change| Ok(()); // no method here does
    let answers = call.start(
        Arc::clone(&http.edge),
        caller,
        step,
        Envelope::default(),
        subscribe,
    );
    answers.stream(Arc::clone(&http.calls.large_answers))
}

/// Fields of a request that go to the model as they are.
const PARAMETERS: [&str; 18] = [
    "frequency_penalty",
    "logit_bias",
    "max_completion_tokens",
    "max_tokens",
    "min_p",
    "parallel_tool_calls",
    "presence_penalty",
    "reasoning_effort",
    "repetition_penalty",
    "response_format",
    "seed",
    "service_tier",
    "stop",
    "temperature",
    "tool_choice",
    "top_k",
    "top_p",
    "verbosity",
];

/// What of a request goes to the model as it is.
pub(super) fn parameters(fields: &serde_json::Map<String, Value>) -> Option<Value> {
    let passed: serde_json::Map<_, _> = fields
        .iter()
        .filter(|(name, value)| PARAMETERS.contains(&name.as_str()) && !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    (!passed.is_empty()).then(|| Value::Object(passed))
}
