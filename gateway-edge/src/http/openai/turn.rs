//! The calls behind the endpoints: one answer, or a turn that is read piece by piece.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use gatehouse_contract::{Change, Method};
use gatehouse_core::Kind;
use http::HeaderMap;
use serde::Deserialize;
use tokio::time::{Instant, sleep, sleep_until};
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

/// How long a service that went away is waited for: a supervisor starts it again within seconds.
const AWAY_MAX: Duration = Duration::from_secs(10);

/// How often it is looked for.
const AWAY_PAUSE: Duration = Duration::from_millis(500);

/// Largest request that is kept to be asked again: those of all places for programs take half of the memory for messages.
const KEPT_BYTES_MAX: usize = 32 * 1024;

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
    /// What was told so far counts no more.
    pub(super) begun_anew: bool,
    /// What the model that is asked is not shown. Empty: it is shown everything.
    pub(super) notice: Option<String>,
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
            ("interrupted", _) => {
                let message = "a part of the gateway went away in the middle of the answer, and the turn ended without a whole one; \
                     the same request begins a new turn";
                Refusal::unavailable(message, Duration::from_secs(2)).detail("code", "run_interrupted")
            }
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
    /// What is asked again when the service goes away, while nothing of the answer was handed on.
    kept: Option<Kept>,
    under_way: UnderWay,
}

/// A call whose repeat is answered with the same turn: the run has its name from it.
struct Kept {
    call: Call,
    headers: HeaderMap,
    /// Since when the service is away.
    away_since: Option<Instant>,
    /// When it is asked again.
    again_at: Option<Instant>,
}

impl Kept {
    /// Notes that the service went away. Whether it is to be asked again.
    fn waits(&mut self) -> bool {
        let now = Instant::now();
        let since = *self.away_since.get_or_insert(now);
        let waits = now.duration_since(since) < AWAY_MAX;
        if waits {
            self.again_at = Some(now + AWAY_PAUSE);
        }
        waits
    }
}

/// What a turn says next.
pub(super) enum Next {
    Piece(Box<Piece>),
    Refused(Refusal),
    /// The service went away, and is asked again: what was told so far counts no more.
    Again,
    /// Nothing for a while.
    Silence,
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
        let kept = (call.bytes() <= KEPT_BYTES_MAX).then(|| Kept {
            call: call.clone(),
            headers: headers.clone(),
            away_since: None,
            again_at: None,
        });
        let answers = start(http, known, of_its_own(known), headers, call);
        Ok(Self {
            http: Arc::clone(http),
            socket: Arc::clone(socket),
            known: Arc::clone(known),
            answers: Box::pin(answers),
            kept,
            under_way,
        })
    }

    /// Something of the answer is handed on: it cannot be asked for again.
    pub(super) fn handed_on(&mut self) {
        self.kept = None;
        self.under_way.lease.shrink_to(CALL_COST);
    }

    /// The next piece. Dropping the turn ends the call, and with it the run.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(super) async fn next(&mut self) -> Next {
        if let Some(kept) = &mut self.kept
            && let Some(at) = kept.again_at
        {
            sleep_until(at).await;
            kept.again_at = None;
            let (headers, call) = (&kept.headers, kept.call.clone());
            self.answers = Box::pin(start(
                &self.http,
                &self.known,
                of_its_own(&self.known),
                headers,
                call,
            ));
        }
        let answer = tokio::select! {
            answer = self.answers.next() => answer,
            () = revoked(&self.http.edge, &self.known) => Some(Err(auth_changed())),
            () = sleep(KEEP_ALIVE) => return Next::Silence,
        };
        match answer {
            // A service that stops lets go of its streams; of a turn that has ended, the end is told.
            None if self.kept.as_mut().is_some_and(Kept::waits) => Next::Again,
            None => Next::Refused(gone()),
            Some(Err(refusal)) if is_away(&refusal) && self.kept.as_mut().is_some_and(Kept::waits) => {
                Next::Again
            }
            Some(Err(refusal)) => Next::Refused(refusal),
            Some(Ok(payload)) => {
                let kept = self.kept.as_mut().map_or(0, |kept| {
                    kept.away_since = None;
                    kept.call.bytes()
                });
                self.under_way.lease.shrink_to(CALL_COST + kept);
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

/// Whether the service is not there, rather than refuses.
pub(super) fn is_away(refusal: &Refusal) -> bool {
    let reason = refusal.details.get("reason").and_then(|reason| reason.as_str());
    matches!(reason, Some("SERVICE_UNAVAILABLE" | "stopping" | "starting"))
}

/// The service let go of a turn that has not ended.
fn gone() -> Refusal {
    Refusal::unavailable("the session service stops", Duration::from_secs(1))
        .detail("reason", "SERVICE_UNAVAILABLE")
        .detail("service", "session")
}

/// A connection for one turn. Each has a share of its own in what waits: the programs of one host all come from its address, and how
/// many there may be is decided by the places for them and by the share of their credential.
fn of_its_own(known: &Known) -> String {
    format!("{}/{}", address(known), Uuid::new_v4())
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::{openai::refusal::shaped, respond};

    #[test]
    fn a_turn_that_ended_without_an_answer_for_a_reason_that_passes_may_be_asked_again() {
        for (ended, status, again) in [
            (json!({"status": "interrupted", "error": "cut"}), 503, "true"),
            (json!({"status": "error", "failure": "unavailable"}), 503, "true"),
            (json!({"status": "error", "failure": "rate_limit"}), 429, "true"),
            (json!({"status": "error", "failure": "rejected"}), 400, "false"),
            (json!({"status": "aborted"}), 409, "false"),
        ] {
            let ended: Ended = serde_json::from_value(ended).unwrap();
            let response = shaped(respond::refusal(&ended.refusal().unwrap()));

            assert_eq!(response.status().as_u16(), status, "{ended:?}");
            assert_eq!(response.headers()["x-should-retry"], again, "{ended:?}");
            assert_eq!(
                response.headers().contains_key("retry-after"),
                again == "true",
                "{ended:?}"
            );
        }
    }
}
