//! Where Teams calls: `POST /api/messages`, and `/api/messages/<account>` where there are several. The token is looked at before one byte of
//! the body is read; what comes is bounded in bytes, time and number; 200 means that the bridge has it on its disk.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use tokio::{sync::Semaphore, time};

use crate::{
    account::{Account, Accounts},
    activity::Activity,
    auth::{Claims, Refused},
    hear::{Answer, hear},
};

/// The largest activity. Teams sends at most 100 KB of a message, and some more about it.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// How long a body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(5);
/// Requests that are looked at at the same time; beyond this Teams is told to come again.
const REQUESTS_MAX: usize = 128;

/// What requests are answered from.
#[derive(Clone, Debug)]
struct Door {
    accounts: Accounts,
    places: Arc<Semaphore>,
}

/// The routes.
pub fn router(accounts: Accounts) -> Router {
    let door = Door {
        accounts,
        places: Arc::new(Semaphore::new(REQUESTS_MAX)),
    };
    Router::new()
        .route("/api/messages", post(only))
        .route("/api/messages/{account}", post(named))
        .with_state(door)
}

async fn only(State(door): State<Door>, peer: ConnectInfo<SocketAddr>, request: Request) -> Response {
    let account = door.accounts.only(None);
    answer(&door, account, peer.0, request).await
}

async fn named(
    State(door): State<Door>,
    Path(account): Path<String>,
    peer: ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let account = door.accounts.get(&account);
    answer(&door, account, peer.0, request).await
}

async fn answer(door: &Door, account: Option<Arc<Account>>, peer: SocketAddr, request: Request) -> Response {
    let Ok(_place) = door.places.try_acquire() else {
        return respond(Answer::word(StatusCode::SERVICE_UNAVAILABLE, "too much at once"));
    };
    let Some(account) = account else {
        return respond(Answer::word(
            StatusCode::SERVICE_UNAVAILABLE,
            "no such account is connected to the gateway",
        ));
    };
    let (head, body) = request.into_parts();
    match taken(&account, peer, &head.headers, body).await {
        Ok(answer) | Err(answer) => respond(answer),
    }
}

async fn taken(
    account: &Account,
    peer: SocketAddr,
    headers: &HeaderMap,
    body: Body,
) -> Result<Answer, Answer> {
    let claims = believed(account, peer, headers).await?;
    let is_json = text(headers, &header::CONTENT_TYPE)
        .and_then(|kind| kind.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        return Err(Answer::word(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "an activity is application/json",
        ));
    }
    let announced = text(headers, &header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    let too_large = || Answer::word(StatusCode::PAYLOAD_TOO_LARGE, "an activity has at most 256 KiB");
    if announced.is_some_and(|bytes| bytes > BODY_BYTES_MAX) {
        return Err(too_large());
    }
    let bytes = time::timeout(BODY_WITHIN, to_bytes(body, BODY_BYTES_MAX))
        .await
        .map_err(|_| Answer::word(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"))?
        .map_err(|_| too_large())?;
    let activity = Activity::parse(&bytes)
        .map_err(|_| Answer::word(StatusCode::BAD_REQUEST, "the body is not an activity"))?;
    Ok(hear(account, &activity, claims.service_url.as_deref()).await)
}

/// Whether the request may be what it says it is, by its headers alone.
async fn believed(account: &Account, peer: SocketAddr, headers: &HeaderMap) -> Result<Claims, Answer> {
    let Some(validator) = &account.validator else {
        // The Playground: whoever is on this machine, except pages in its browsers.
        if !peer.ip().to_canonical().is_loopback() || headers.contains_key(header::ORIGIN) {
            return Err(Answer::word(
                StatusCode::FORBIDDEN,
                "the Playground is on this machine, and is not a page of a browser",
            ));
        }
        return Ok(Claims { service_url: None });
    };
    let checked = validator.check(text(headers, &header::AUTHORIZATION)).await;
    checked.map_err(|refused| {
        let status = match &refused {
            Refused::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Refused::Forbidden(_) => StatusCode::FORBIDDEN,
            Refused::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        tracing::info!(reason = %refused, status = status.as_u16(), "a request was refused");
        // The reason is for the log: a stranger learns nothing from the answer.
        Answer::word(status, status.canonical_reason().unwrap_or("refused"))
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn respond(answer: Answer) -> Response {
    let mut response = (answer.status, axum::Json(answer.body)).into_response();
    if answer.status == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
    }
    response
}
