//! A stand-in of Teams' connector and of the place that gives out the bot's tokens. It writes down what it is called with, and answers as a
//! test says.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use serde_json::{Value, json};

pub(crate) const SECRET: &str = "s3cret";

/// A call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Value,
    pub(crate) token: Option<String>,
}

/// An answer that a test wants.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<&'static str>,
    pub(crate) body: Value,
}

impl Wanted {
    pub(crate) fn new(status: u16) -> Self {
        Self {
            status,
            retry_after: None,
            body: json!({}),
        }
    }

    pub(crate) fn code(status: u16, code: &str, message: &str) -> Self {
        Self {
            status,
            retry_after: None,
            body: json!({ "error": { "code": code, "message": message } }),
        }
    }
}

/// What it does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Teams(Arc<Deeds>);

#[derive(Debug, Default)]
struct Deeds {
    calls: Mutex<Vec<Call>>,
    wanted: Mutex<VecDeque<Wanted>>,
    /// Tokens that were given out; the last one is good.
    tokens: AtomicUsize,
    revoked: AtomicBool,
    said: AtomicUsize,
}

impl Teams {
    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route("/{tenant}/oauth2/v2.0/token", post(token))
            .route("/connector/{*rest}", any(call))
            .route("/files/{name}", any(call))
            .route("/machine", get(machine))
            .with_state(self.clone())
    }

    /// What the next call is answered. Without one, Teams takes everything.
    pub(crate) fn want(&self, wanted: Wanted) {
        let mut queue = self.0.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        queue.push_back(wanted);
    }

    /// The calls so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        let calls = self.0.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.clone()
    }

    /// The last call.
    pub(crate) fn last(&self) -> Call {
        self.calls().pop().expect("Teams was called")
    }

    /// From here on the secret is worth nothing.
    pub(crate) fn revoke(&self) {
        self.0.revoked.store(true, Ordering::SeqCst);
    }

    /// From here on the tokens that were given out are worth nothing.
    pub(crate) fn forget_tokens(&self) {
        self.0.tokens.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn tokens(&self) -> usize {
        self.0.tokens.load(Ordering::SeqCst)
    }
}

async fn token(State(teams): State<Teams>, body: String) -> Response {
    let is_bot = body.contains("grant_type=client_credentials")
        && body.contains(&format!("client_secret={SECRET}"))
        && body.contains("scope=https%3A%2F%2Fapi.botframework.com%2F.default");
    if !is_bot || teams.0.revoked.load(Ordering::SeqCst) {
        let refusal = json!({"error": "invalid_client", "error_description": "AADSTS7000222: The provided client secret keys are expired."});
        return (StatusCode::UNAUTHORIZED, Json(refusal)).into_response();
    }
    let number = teams.0.tokens.fetch_add(1, Ordering::SeqCst) + 1;
    Json(json!({"token_type": "Bearer", "expires_in": 3_599, "access_token": format!("t-{number}")}))
        .into_response()
}

/// What Azure answers a machine that asks for its identity's token.
async fn machine(uri: Uri, headers: HeaderMap) -> Response {
    let shown = |name: &str, value: &str| headers.get(name).is_some_and(|shown| shown == value);
    let query = uri.query().unwrap_or_default();
    let is_asked =
        query.contains("resource=https%3A%2F%2Fapi.botframework.com") && query.contains("client_id=the-bot");
    if !is_asked || !(shown("metadata", "true") || shown("x-identity-header", "the key")) {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_request"}))).into_response();
    }
    Json(json!({"access_token": "of the machine", "expires_in": "3599"})).into_response()
}

async fn call(
    State(teams): State<Teams>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let token = headers
        .get("authorization")
        .map(|value| value.to_str().expect("text").to_owned());
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let path = uri.path_and_query().expect("a path").to_string();
    let call = Call {
        method: method.clone(),
        path: path.clone(),
        body: body.clone(),
        token: token.clone(),
    };
    teams
        .0
        .calls
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(call);
    if path.starts_with("/files/") {
        return "what is in it".into_response();
    }
    let good = format!("Bearer t-{}", teams.0.tokens.load(Ordering::SeqCst));
    if token.is_some_and(|token| token != good) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let wanted = teams
        .0
        .wanted
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .pop_front();
    if let Some(wanted) = wanted {
        let status = StatusCode::from_u16(wanted.status).expect("a status");
        let mut answer = (status, Json(wanted.body)).into_response();
        if let Some(after) = wanted.retry_after {
            let headers = answer.headers_mut();
            headers.insert("retry-after", after.parse().expect("a header"));
        }
        return answer;
    }
    if method == Method::GET {
        let members = json!({"members": [{"id": "29:anna", "aadObjectId": "3f1c", "name": "Anna"}], "continuationToken": "next"});
        return Json(members).into_response();
    }
    let number = teams.0.said.fetch_add(1, Ordering::SeqCst) + 1;
    (StatusCode::CREATED, Json(json!({"id": format!("m-{number}")}))).into_response()
}
