//! What all endpoints with a turn have in common: a request is read, a turn begun, and its pieces told in the endpoint's own form, whole
//! or as they come.

use std::{collections::VecDeque, convert::Infallible, mem, sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, request::Parts};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::{
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

use super::{
    sse,
    target::Name,
    turn::{self, Ended, Next, Piece, Started, TURN, Turn},
};
use crate::{
    call::{self, INLINE_MAX},
    error::Refusal,
    http::{
        bearer::Known,
        context::Http,
        intake::{self, NotCalled, UnderWay, counted_bytes},
        respond::{json, refusal, respond},
        socket::Socket,
    },
};

/// How long the head of a stream waits for the first piece of the answer. Until then a refusal of the model has a status of its own,
/// which SDKs understand; after it, it is an event.
const HEAD_WAIT: Duration = Duration::from_secs(15);

/// The form of an endpoint's answer.
pub(super) trait Form: Send + 'static {
    /// Puts a piece of a turn into the form of a stream.
    fn take(&mut self, piece: Piece, events: &mut VecDeque<Bytes>);

    /// How a stream ends that cannot go on.
    fn refuse(&mut self, refusal: &Refusal, events: &mut VecDeque<Bytes>);

    /// The whole answer, when all pieces were taken.
    fn whole(self, ended: &Ended) -> Value;
}

/// A request that was read.
pub(super) struct Asked<F> {
    pub(super) form: F,
    pub(super) streams: bool,
    /// The parameters of the method.
    pub(super) params: String,
}

/// An endpoint: how its runs are called, and what it makes of a request.
pub(super) trait Endpoint: Send + 'static {
    type Form: Form;

    /// What the names of its runs begin with.
    const PREFIX: &'static str;

    /// Refuses when it is switched off.
    fn check(http: &Http) -> Result<(), Refusal>;

    /// Reads a request; `now_s` is the time of day, seconds since 1970.
    fn read(body: &[u8], headers: &HeaderMap, name: &Name, now_s: i64) -> Result<Asked<Self::Form>, Refusal>;
}

/// Answers a request whose sender is known.
pub(super) async fn serve<E: Endpoint>(
    http: Arc<Http>,
    socket: Arc<Socket>,
    known: Arc<Known>,
    parts: Parts,
    body: Body,
) -> Response {
    match prepare::<E>(&http, &socket, &known, &parts.headers, body).await {
        Ok((asked, under_way)) => answer(&http, &socket, &known, &parts.headers, asked, under_way)
            .await
            .unwrap_or_else(|refused| refusal(&refused)),
        Err(refused) => {
            call::refused(&http.edge, TURN, &refused.refusal);
            refused.answer()
        }
    }
}

/// Everything that is checked before the service hears of the call. The body is read last.
async fn prepare<E: Endpoint>(
    http: &Arc<Http>,
    socket: &Arc<Socket>,
    known: &Known,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Asked<E::Form>, UnderWay), NotCalled> {
    E::check(http)?;
    turn::authorise(http, known, TURN)?;
    let name = Name::of(E::PREFIX, headers, &known.identity.credential)?;
    let now_s = http.edge.clock.now().as_seconds();
    let permit = || http.calls.enter_program();
    let (body, under_way) = intake::take(http, socket, known, headers, body, permit).await?;
    let asked = if body.len() <= INLINE_MAX {
        E::read(&body, headers, &name, now_s)?
    } else {
        // Beside the runtime, one at a time, as with all large requests.
        let _turn = http.edge.parsers.acquire().await.map_err(|_| call::internal())?;
        let headers = headers.clone();
        let reading = spawn_blocking(move || E::read(&body, &headers, &name, now_s));
        reading.await.unwrap_or_else(|_| Err(call::internal()))?
    };
    Ok((asked, under_way))
}

/// The body as what an endpoint takes.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        Refusal::invalid(format!("the body cannot be read: {error}")).detail("code", "BODY_INVALID")
    })
}

async fn answer<F: Form>(
    http: &Arc<Http>,
    socket: &Arc<Socket>,
    known: &Arc<Known>,
    headers: &HeaderMap,
    asked: Asked<F>,
    under_way: UnderWay,
) -> Result<Response, Refusal> {
    let Asked {
        form,
        streams,
        params,
    } = asked;
    let turn = Turn::begin(http, socket, known, headers, params, under_way).await?;
    if streams {
        stream_answer(turn, form).await
    } else {
        whole_answer(turn, form).await
    }
}

/// Hands pieces of a whole answer on. Text waits for what comes behind it: it may turn out to be thinking.
struct Gathering<F> {
    form: F,
    text: String,
}

impl<F: Form> Gathering<F> {
    fn take(&mut self, piece: Piece) {
        if let Some(text) = &piece.text {
            return self.text.push_str(text);
        }
        let text = Some(mem::take(&mut self.text)).filter(|text| !text.is_empty());
        let before = if piece.text_was_thinking {
            Piece {
                thinking: text,
                ..Piece::default()
            }
        } else {
            Piece {
                text,
                ..Piece::default()
            }
        };
        for piece in [before, piece] {
            self.form.take(piece, &mut VecDeque::new()); // nobody follows it
        }
    }
}

/// Waits for all of it.
async fn whole_answer<F: Form>(mut turn: Turn, form: F) -> Result<Response, Refusal> {
    let mut started = Started::default();
    let mut gathering = Gathering {
        form,
        text: String::new(),
    };
    loop {
        match turn.next().await {
            Next::Piece(mut piece) => {
                if let Some(run) = &piece.run {
                    started = run.clone();
                }
                let ended = piece.end.take();
                gathering.take(*piece);
                if let Some(ended) = ended {
                    if let Some(refused) = ended.refusal() {
                        return Err(refused);
                    }
                    let mut response = json(StatusCode::OK, &gathering.form.whole(&ended));
                    name(response.headers_mut(), &started);
                    return Ok(response);
                }
            }
            Next::Refused(refused) => return Err(refused),
            Next::Silence => {}
            Next::Over => return Err(call::internal()),
        }
    }
}

/// Answers as the pieces come. What is refused before the first of them is refused with a status.
async fn stream_answer<F: Form>(turn: Turn, form: F) -> Result<Response, Refusal> {
    let mut streaming = Streaming {
        turn,
        form,
        waiting: VecDeque::new(),
        is_over: false,
    };
    let mut started = Started::default();
    let until = Instant::now() + HEAD_WAIT;
    loop {
        let Ok(next) = timeout_at(until, streaming.turn.next()).await else {
            break; // a model that thinks for long: the client sees that somebody is there
        };
        match next {
            Next::Piece(piece) => {
                if let Some(refused) = piece.end.as_ref().and_then(Ended::refusal) {
                    return Err(refused);
                }
                if let Some(run) = &piece.run {
                    started = run.clone();
                }
                let is_seen = piece.is_seen();
                streaming.take(*piece);
                if is_seen {
                    break;
                }
            }
            Next::Refused(refused) => return Err(refused),
            Next::Silence => {}
            Next::Over => return Err(call::internal()),
        }
    }
    let mut response = respond(StatusCode::OK, "text/event-stream", streaming.body());
    name(response.headers_mut(), &started);
    Ok(response)
}

/// Names the run and its session to who looks at the head.
fn name(headers: &mut HeaderMap, started: &Started) {
    for (name, value) in [
        ("x-request-id", &started.run_id),
        ("x-gatehouse-session-key", &started.session_key),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// A stream whose head is sent.
struct Streaming<F> {
    turn: Turn,
    form: F,
    waiting: VecDeque<Bytes>,
    is_over: bool,
}

impl<F: Form> Streaming<F> {
    /// The body of the answer. It is asked for as fast as the client reads; dropping it ends the run.
    fn body(self) -> Body {
        Body::from_stream(stream::unfold(self, async |mut streaming| {
            let bytes = streaming.next().await?;
            Some((Ok::<_, Infallible>(bytes), streaming))
        }))
    }

    fn take(&mut self, piece: Piece) {
        if let Some(refused) = piece.end.as_ref().and_then(Ended::refusal) {
            return self.refuse(&refused);
        }
        self.is_over = piece.end.is_some();
        self.form.take(piece, &mut self.waiting);
    }

    fn refuse(&mut self, refused: &Refusal) {
        self.is_over = true;
        self.form.refuse(refused, &mut self.waiting);
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.waiting.pop_front() {
                match counted_bytes(&self.turn.http.edge, &self.turn.socket, bytes) {
                    Ok(counted) => return Some(counted),
                    Err(refused) => {
                        self.waiting.clear();
                        self.is_over = true;
                        return Some(sse::refused(&refused));
                    }
                }
            }
            if self.is_over {
                return None;
            }
            match self.turn.next().await {
                Next::Piece(piece) => self.take(*piece),
                Next::Silence => return Some(sse::KEEP_ALIVE),
                Next::Refused(refused) => self.refuse(&refused),
                Next::Over => self.refuse(&call::internal()),
            }
        }
    }
}
