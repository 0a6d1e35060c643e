//! In which form a door says why not. Programs read the answer of each in one form, whoever refuses: the route, what stands before all
//! routes, or nobody at all.

use std::sync::Arc;

use axum::response::Response;
use http::{HeaderValue, header};
use serde_json::json;

use super::{context::Http, openai};
use crate::error::Refusal;

/// A family of paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// OpenAI's API, and the tools in its manner.
    OpenAi,
    /// The methods by HTTP: as in a frame.
    Methods,
    Hooks,
    /// For browsers, platforms and probes: each answer is as it was made.
    Other,
}

impl Door {
    /// The one that a path belongs to, in whatever form it is written.
    pub(super) fn of(http: &Http, path: &str) -> Self {
        let is_below = |base: &str| {
            let rest = path.strip_prefix(base);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let hooks = || http.edge.policy().and_then(|policy| policy.hooks.clone());
        if is_below("/v1") || is_below("/tools") {
            Self::OpenAi
        } else if is_below("/rpc") {
            Self::Methods
        } else if hooks().is_some_and(|base| {
            path.strip_prefix(&*base)
                .is_some_and(|rest| rest.starts_with('/'))
        }) {
            Self::Hooks
        } else {
            Self::Other
        }
    }

    /// The answer in the form of this door, if it refuses.
    pub(super) fn shaped(self, response: Response) -> Response {
        let Some(refusal) = response.extensions().get::<Arc<Refusal>>().cloned() else {
            return response;
        };
        match self {
            Self::OpenAi => openai::refusal::shaped(response),
            Self::Methods => told(response, refusal.told()),
            Self::Hooks => told(
                response,
                json!({"ok": false, "error": refusal.message}).to_string(),
            ),
            Self::Other => response,
        }
    }
}

fn told(response: Response, body: impl Into<axum::body::Body>) -> Response {
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let kind = HeaderValue::from_static("application/json");
    parts.headers.insert(header::CONTENT_TYPE, kind);
    Response::from_parts(parts, body.into())
}
