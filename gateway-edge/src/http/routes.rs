//! The routes, and what each of them lets in: one table, read from top to bottom.
//!
//! Whatever the route, a request is asked by a name that is ours and by a canonical path (`guard::admit`).
//! What the table declares is enforced before the handler sees the request (`guard::enforce`). What no row has is asked of the Control
//! UI, if there is one, and of the gateway's own page (`ui`): their files, and their pages for every place inside them.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    middleware::from_fn_with_state,
    routing::{MethodRouter, get, post},
};

use super::{
    context::Http,
    guard, hooks, media, openai, page, pages, plugin,
    policy::{Auth, Policy, Time},
    respond::{CSP_NOTHING, not_allowed},
    rpc, tools, ui, upgrade, webhook,
};
use crate::limits::PAYLOAD_MAX;

type Serve = fn() -> MethodRouter<Arc<Http>>;

/// Answered from memory; `/readyz` asks the services, which have 0.8 s.
const PAGE: Policy = Policy {
    auth: Auth::Open,
    body_max: 0,
    time_max: Time::Within(Duration::from_secs(5)),
    csp: CSP_NOTHING,
};

const SOCKET: Policy = Policy {
    auth: Auth::Handshake,
    ..PAGE
};

/// A WebSocket, or a page.
const FRONT: Policy = Policy {
    csp: page::CSP,
    ..SOCKET
};

/// How to connect.
const PLAIN_PAGE: Policy = Policy {
    csp: page::CSP,
    ..PAGE
};

const WEBHOOK: Policy = Policy {
    auth: Auth::Platform,
    body_max: webhook::BODY_MAX,
    // The head has 2 s, the bridge 10, and a megabyte at 8 KiB a second takes 130.
    time_max: Time::Within(Duration::from_secs(150)),
    csp: CSP_NOTHING,
};

/// The session service says how large a body may be; the handler bounds the time of each step.
const HOOK: Policy = Policy {
    auth: Auth::Hook,
    body_max: PAYLOAD_MAX,
    time_max: Time::OfMethod,
    csp: CSP_NOTHING,
};

const CALL: Policy = Policy {
    auth: Auth::Bearer,
    body_max: PAYLOAD_MAX,
    time_max: Time::OfMethod,
    csp: CSP_NOTHING,
};

/// The same without a body.
const CALL_READS: Policy = Policy { body_max: 0, ..CALL };

/// What comes first is there in seconds; the rest comes as fast as it is read.
const MEDIUM: Policy = Policy {
    auth: Auth::Link,
    csp: media::CSP,
    ..PAGE
};

/// What plugins answer: by their entries and with their own answers, in an origin of its own.
const PLUGIN: Policy = Policy {
    auth: Auth::Plugin,
    body_max: plugin::BODY_MAX,
    time_max: Time::OfMethod,
    csp: plugin::CSP,
};

const READ: &str = "GET, HEAD";

/// Path, what an answer 405 names, policy, handler.
static ROUTES: [(&str, &str, Policy, Serve); 23] = [
    ("/", READ, FRONT, || get(upgrade::or_page)),
    ("/connect", READ, PLAIN_PAGE, || get(page::connect)),
    ("/favicon.svg", READ, PAGE, || get(page::sign)),
    ("/favicon.ico", READ, PAGE, || get(page::sign_of_old)),
    (upgrade::PLAIN, READ, SOCKET, || get(upgrade::or_refusal)),
    ("/healthz", READ, PAGE, || get(pages::live)),
    ("/health", READ, PAGE, || get(pages::live)),
    ("/startupz", READ, PAGE, || get(pages::started)),
    ("/readyz", READ, PAGE, || get(pages::ready)),
    ("/ready", READ, PAGE, || get(pages::ready)),
    // GET: a platform looks whether the address is ours.
    (
        "/webhooks/{channel}/{account}",
        "GET, HEAD, POST",
        WEBHOOK,
        || get(webhook::handler::receive).post(webhook::handler::receive),
    ),
    // Wherever the configuration says that hooks come in.
    (hooks::ROUTE, "POST", HOOK, || post(hooks::receive)),
    ("/__openclaw__/media/{id}", READ, MEDIUM, || get(media::serve)),
    ("/plugins/{id}", plugin::METHODS, PLUGIN, || plugin::methods()),
    ("/plugins/{id}/", plugin::METHODS, PLUGIN, || plugin::methods()),
    ("/plugins/{id}/{*path}", plugin::METHODS, PLUGIN, || {
        plugin::methods()
    }),
    ("/rpc/{method}", "POST", CALL, || post(rpc::serve)),
    ("/v1/models", READ, CALL_READS, || get(openai::models::list)),
    ("/v1/models/{*id}", READ, CALL_READS, || {
        get(openai::models::describe)
    }),
    ("/v1/chat/completions", "POST", CALL, || post(openai::chat::serve)),
    ("/v1/embeddings", "POST", CALL, || post(openai::embeddings::serve)),
    ("/tools/invoke", "POST", CALL, || post(tools::invoke)),
    ("/v1/responses", "POST", CALL, || post(openai::responses::serve)),
];

/// The table as a router.
pub(super) fn router(http: &Arc<Http>) -> Router {
    let mut router = Router::new().fallback(ui::serve);
    for (path, allow, policy, serve) in &ROUTES {
        let enforce = from_fn_with_state((Arc::clone(http), policy), guard::enforce);
        let methods = serve()
            .route_layer(enforce)
            .fallback(|| async { not_allowed(allow) });
        router = router.route(path, methods);
    }
    router.with_state(Arc::clone(http))
}
