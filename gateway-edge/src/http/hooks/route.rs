//! Which requests are meant as hooks: the configuration says below which path they come in, and the table of routes has one row for them.

use axum::extract::Request;
use http::{Uri, uri::PathAndQuery};

use crate::{http::Http, site::is_canonical};

/// Where requests are routed to that are meant as hooks; a request that names this path itself is none.
pub(in crate::http) const ROUTE: &str = "/__openclaw__/hooks";

/// A request that is meant as a hook: what stands behind the path of hooks.
#[derive(Debug, Clone)]
pub(super) struct Meant(pub(super) String);

/// Marks a request that is meant as a hook, and leads it to the route of hooks. Everybody who looks at the path sees that one.
pub(in crate::http) fn marked(http: &Http, mut request: Request) -> Request {
    let policy = http.edge.policy();
    let base = policy.as_ref().and_then(|policy| policy.hooks.as_deref());
    let (Some(base), true) = (base, is_canonical(request.uri().path())) else {
        return request;
    };
    // The path itself may be a place inside a page.
    let name = match request.uri().path().strip_prefix(base) {
        Some("") if request.method() == http::Method::POST => String::new(),
        Some(rest) if rest.starts_with('/') => rest.trim_start_matches('/').to_owned(),
        Some(_) | None => return request,
    };
    if let Some(uri) = routed(request.uri()) {
        *request.uri_mut() = uri;
        request.extensions_mut().insert(Meant(name));
    }
    request
}

fn routed(uri: &Uri) -> Option<Uri> {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{ROUTE}{query}")).ok()?);
    Uri::from_parts(parts).ok()
}
