//! `POST /rpc/<method>`: any method of the contract for whoever has a token and no WebSocket.
//!
//! The body is the parameters, the answer is the payload. A method that answers more than once is answered with its last payload,
//! or as an event stream when `Accept` asks for one. What is under way is bounded for all these callers together, as it is for one
//! connection; a client that goes away takes its call with it.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use gatehouse_contract::Change;
use gatehouse_core::trace::Span;
use http::{HeaderMap, StatusCode, header, request::Parts};

use self::events::Events;
use super::{
    bearer::Known,
    context::Http,
    intake::{self, NotCalled, UnderWay, auth_changed, counted, revoked},
    respond::{refusal, respond},
    socket::Socket,
};
use crate::{
    call::{self, CALL_COST, Call, Envelope},
    error::Refusal,
    step,
};

mod events;
pub(super) mod params;

/// Answers a request whose sender is known.
pub(super) async fn serve(
    State(http): State<Arc<Http>>,
    Extension(socket): Extension<Arc<Socket>>,
    Extension(known): Extension<Arc<Known>>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let name = parts.uri.path().strip_prefix("/rpc/").unwrap_or_default();
    match prepare(&http, &socket, &known, name, &parts, body).await {
        Ok((call, under_way)) => {
            let name = format!("http/{}", known.client.key());
            let caller = call::caller_by_http(&known.grants, name, &known.identity);
            let step = step::of_client(&parts.headers, &known.grants, &parts.method, "/rpc/{method}");
            let request = Requested {
                http,
                socket,
                known,
                caller,
                step,
            };
            request
                .run(call, under_way, accepts_events(&parts.headers))
                .await
                .unwrap_or_else(|refused| refusal(&refused))
        }
        Err(refused) => {
            call::refused(&http.edge, name, &refused.refusal);
            refused.answer()
        }
    }
}

/// Everything that is checked before the service hears of the call. The body is read last.
async fn prepare(
    http: &Http,
    socket: &Arc<Socket>,
    known: &Known,
    name: &str,
    parts: &Parts,
    body: Body,
) -> Result<(Call, UnderWay), NotCalled> {
    let edge = &http.edge;
    let method = call::authorise(edge, &known.grants, &known.identity, name)?;
    if method.subscription.is_some() {
        return Err(needs_connection(&method.name).into());
    }
    let permit = || http.calls.enter(&method);
    let (body, mut under_way) = intake::take(http, socket, known, &parts.headers, body, permit).await?;
    let params = params::of(&method, &parts.headers, body.into())?;
    under_way.will_read(params.len())?;
    let call = Call::encode_owned(edge, method, params).await?;
    under_way.holds(&call)?;
    Ok((call, under_way))
}

fn needs_connection(name: &str) -> Refusal {
    let message = format!(
        "{name} changes what a connection is sent, and an HTTP request has none; connect a WebSocket to /ws and call it there"
    );
    Refusal::invalid(message).detail("code", "CONNECTION_REQUIRED")
}

/// Whether the answers may come as events.
fn accepts_events(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// A request whose call is about to be made.
struct Requested {
    http: Arc<Http>,
    socket: Arc<Socket>,
    known: Arc<Known>,
    caller: gatehouse_core::Caller,
    step: Span,
}

impl Requested {
    async fn run(self, call: Call, mut under_way: UnderWay, events: bool) -> Result<Response, Refusal> {
        let Self {
            http,
            socket,
            known,
            caller,
            step,
        } = self;
        let method = Arc::clone(&call.method);
        let name = method.name.clone();
        let subscribe = move |_: Change| Err(needs_connection(&name));
        let mut answers = call.start(
            Arc::clone(&http.edge),
            caller,
            step,
            Envelope::default(),
            subscribe,
        );
        let turns = Arc::clone(&http.calls.large_answers);
        if events && method.streaming {
            let first = answers.next(&turns).await.transpose()?;
            under_way.lease.shrink_to(CALL_COST);
            let events = Events::new(http, socket, known, first, answers.stream(turns), under_way);
            return Ok(respond(StatusCode::OK, "text/event-stream", events.body()));
        }
        let last = async {
            let mut last = None;
            while let Some(next) = answers.next(&turns).await {
                last = Some(next?);
                under_way.lease.shrink_to(CALL_COST);
            }
            last.ok_or_else(call::internal)
        };
        let payload = tokio::select! {
            last = last => last?,
            // A short call is answered all the same: it may be the one that changed the token.
            () = revoked(&http.edge, &known), if method.long_wait => return Err(auth_changed()),
        };
        let body = counted(&http.edge, &socket, payload)?;
        Ok(respond(StatusCode::OK, "application/json", body))
    }
}
