//! What all endpoints with a turn have in common: a request is read, a turn begun, and its pieces told in the endpoint's own form, whole
//! or as they come.

use std::{collections::VecDeque, convert::Infallible, mem, sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, request::Parts};
use serde_json::Value;
use tokio::{
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

use super::{
    places::Places,
    sse,
    target::Name,
    teller::Teller,
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
        rpc::params::IDEMPOTENCY_HEADER,
        socket::Socket,
    },
};

/// How long the head of a stream waits for the first piece of the answer. Until then a refusal of the model has a status of its own,
/// which SDKs understand; after it, it is an event.
const HEAD_WAIT: Duration = Duration::from_secs(15);

/// The header that says what of the message the model was not shown.
const NOTICE: &str = "x-gatehouse-notice";

/// The form of an endpoint's answer.
pub(super) trait Form: Clone + Send + 'static {
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
    /// The run goes on when its client is gone.
    pub(super) in_background: bool,
    /// The parameters of the method.
    pub(super) params: String,
    /// Where what is said stood in the request.
    pub(super) places: Places,
    /// Fields that the API does not have: they are passed over and counted.
    pub(super) unknown: Vec<String>,
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
        in_background,
        params,
        places,
        unknown,
    } = asked;
    for name in unknown {
        http.edge
            .metrics
            .unknown_field(TURN, &format!("/parameters/{name}"));
    }
    let teller = Teller {
        places,
        is_keyed: headers.contains_key(IDEMPOTENCY_HEADER),
        in_background,
    };
    let turn = match Turn::begin(http, socket, known, headers, params, under_way).await {
        Ok(turn) => turn,
        Err(refused) => return Err(teller.tell(refused)),
    };
    if streams {
        stream_answer(turn, form, teller).await
    } else {
        let answered = whole_answer(turn, form).await;
        answered.map_err(|refused| teller.tell(refused))
    }
}

/// Hands pieces of a whole answer on. Text waits for what comes behind it: it may turn out to be thinking.
struct Gathering<F> {
    form: F,
    /// The form before anything was taken.
    blank: F,
    text: String,
}

impl<F: Form> Gathering<F> {
    fn begin_anew(&mut self, started: &Started) {
        self.form.clone_from(&self.blank);
        self.text.clear();
        if !started.run_id.is_empty() {
            let run = Some(started.clone());
            self.form.take(
                Piece {
                    run,
                    ..Piece::default()
                },
                &mut VecDeque::new(),
            );
        }
    }

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
    let (mut started, mut notice) = (Started::default(), String::new());
    let mut gathering = Gathering {
        blank: form.clone(),
        form,
        text: String::new(),
    };
    loop {
        match turn.next().await {
            Next::Piece(mut piece) => {
                if let Some(run) = &piece.run {
                    started = run.clone();
                }
                if let Some(told) = piece.notice.take() {
                    notice = told;
                }
                if piece.begun_anew {
                    gathering.begin_anew(&started);
                }
                let ended = piece.end.take();
                gathering.take(*piece);
                if let Some(ended) = ended {
                    if let Some(refused) = ended.refusal() {
                        return Err(refused);
                    }
                    let mut response = json(StatusCode::OK, &gathering.form.whole(&ended));
                    name(response.headers_mut(), &started, &notice);
                    return Ok(response);
                }
            }
            Next::Refused(refused) => return Err(refused),
            Next::Again => gathering.begin_anew(&started),
            Next::Silence => {}
        }
    }
}

/// Answers as the pieces come. What is refused before the first of them is refused with a status.
async fn stream_answer<F: Form>(turn: Turn, form: F, teller: Teller) -> Result<Response, Refusal> {
    let mut streaming = Streaming {
        turn,
        form,
        teller,
        waiting: VecDeque::new(),
        is_over: false,
    };
    let (mut started, mut notice) = (Started::default(), String::new());
    let until = Instant::now() + HEAD_WAIT;
    loop {
        let Ok(next) = timeout_at(until, streaming.turn.next()).await else {
            break; // a model that thinks for long: the client sees that somebody is there
        };
        match next {
            Next::Piece(mut piece) => {
                if let Some(told) = piece.notice.take() {
                    notice = told;
                }
                if let Some(refused) = piece.end.as_ref().and_then(Ended::refusal) {
                    return Err(streaming.teller.tell(refused));
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
            Next::Refused(refused) => return Err(streaming.teller.tell(refused)),
            Next::Again | Next::Silence => {}
        }
    }
    let mut response = respond(StatusCode::OK, "text/event-stream", streaming.body());
    name(response.headers_mut(), &started, &notice);
    Ok(response)
}

/// Names the run and its session to who looks at the head, and what the model was not shown.
fn name(headers: &mut HeaderMap, started: &Started, notice: &str) {
    // A header has the letters of a keyboard, and a name may have others.
    let notice: String = notice
        .chars()
        .map(|letter| {
            if letter.is_ascii() && !letter.is_ascii_control() {
                letter
            } else {
                '?'
            }
        })
        .collect();
    for (name, value) in [
        ("x-request-id", &started.run_id),
        ("x-gatehouse-session-key", &started.session_key),
        (NOTICE, &notice),
    ] {
        if let Ok(value) = HeaderValue::from_str(value)
            && !value.is_empty()
        {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// A stream whose head is sent.
struct Streaming<F> {
    turn: Turn,
    form: F,
    teller: Teller,
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
            return self.refuse(refused);
        }
        if piece.is_seen() {
            self.turn.handed_on();
        }
        self.is_over = piece.end.is_some();
        self.form.take(piece, &mut self.waiting);
    }

    fn refuse(&mut self, refused: Refusal) {
        self.is_over = true;
        self.form.refuse(&self.teller.tell(refused), &mut self.waiting);
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
                Next::Again => {}
                Next::Refused(refused) => self.refuse(refused),
            }
        }
    }
}
