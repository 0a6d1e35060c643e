//! What a request must pass before its handler sees it.

use std::sync::Arc;

use axum::{
    body::{Body, HttpBody},
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use gatehouse_core::Kind;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use tokio::time::timeout;

use super::{
    bearer,
    context::Http,
    policy::{Auth, Policy, Time},
    respond::{Refused, plain, refusal, refuse, too_large},
    socket::{Ends, Socket},
    upgrade::wants_upgrade,
};
use crate::error::Refusal;

/// What every request must pass, whatever it asks for.
pub(super) fn admit(http: &Http, ends: Ends, uri: &Uri, headers: &HeaderMap) -> Result<(), Refused> {
    // A socket that came before the revision which asks for TLS.
    let must_encrypt = http.edge.policy().is_some_and(|policy| policy.tls.is_some());
    if must_encrypt && !ends.secure && !ends.is_of_this_machine() {
        let told = "the gateway speaks TLS with other machines: use https:// or wss:// with this address";
        return Err(Box::new(plain(StatusCode::BAD_REQUEST, told)));
    }
    // By a name that is ours, or a page whose owner made its name point here could read from it.
    http.admitted(|policy| match policy.check_host(http.bound, uri, headers) {
        // A WebSocket is told by its own frame: see `upgrade`.
        Err(rejection) if rejection.in_frame && wants_upgrade(headers) => Ok(()),
        checked => checked.map(drop),
    })
}

/// The answer to a path that is written in another form than ours.
pub(super) fn not_canonical() -> Response {
    let told = "this path has an escape, an empty or a dot segment, or a slash at its end; no path here has";
    plain(StatusCode::NOT_FOUND, told)
}

/// What the table of routes declares.
pub(super) async fn enforce(
    State((http, policy)): State<(Arc<Http>, &'static Policy)>,
    mut request: Request,
    next: Next,
) -> Response {
    let mut response = match authenticate(&http, policy, &mut request) {
        Err(refused) => *refused,
        Ok(()) if Body::size_hint(request.body()).lower() > policy.body_max as u64 => {
            refuse(StatusCode::PAYLOAD_TOO_LARGE, &too_large(policy.body_max))
        }
        Ok(()) => match policy.time_max {
            Time::Within(max) => timeout(max, next.run(request))
                .await
                .unwrap_or_else(|_| refusal(&Refusal::new(Kind::Timeout, "the request took too long"))),
            Time::OfMethod => next.run(request).await,
        },
    };
    let csp = HeaderValue::from_static(policy.csp);
    let headers = response.headers_mut();
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(csp);
    response
}

fn authenticate(http: &Http, policy: &Policy, request: &mut Request) -> Result<(), Refused> {
    match policy.auth {
        Auth::Open | Auth::Handshake | Auth::Platform | Auth::Hook | Auth::Link | Auth::Plugin => (),
        Auth::Bearer => {
            let known = request.extensions().get::<Arc<Socket>>().map_or_else(
                || Err(Box::new(refusal(&crate::call::internal()))),
                |socket| bearer::authenticate(http, socket.ends, request.uri(), request.headers()),
            )?;
            request.extensions_mut().insert(Arc::new(known));
        }
    }
    Ok(())
}
