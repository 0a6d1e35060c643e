//! `GET /v1/models`: the agents, as models.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    response::Response,
};
use gatehouse_core::Kind;
use http::{StatusCode, Uri, uri::PathAndQuery};
use serde::{Deserialize, Serialize};

use super::{enabled, turn::ask};
use crate::{
    error::Refusal,
    http::{
        bearer::Known,
        context::Http,
        respond::{json, refusal},
        socket::Socket,
    },
};

/// Where one of them is.
const ONE: &str = "/v1/models/";

#[derive(Debug, Serialize)]
struct List {
    object: &'static str,
    data: Vec<Model>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Model {
    id: String,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
}

#[derive(Debug, Deserialize)]
struct Agents {
    agents: Vec<Agent>,
}

#[derive(Debug, Deserialize)]
struct Agent {
    id: String,
}

/// A request for one model, with its slash written plainly: SDKs write it as `%2F`. Everybody who looks at the path sees this form.
pub(in crate::http) fn with_plain_path(mut request: Request) -> Request {
    if let Some(uri) = plain(request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

fn plain(uri: &Uri) -> Option<Uri> {
    let id = uri.path().strip_prefix(ONE)?;
    let (head, tail) = id.split_once("%2F").or_else(|| id.split_once("%2f"))?;
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{ONE}{head}/{tail}{query}")).ok()?);
    Uri::from_parts(parts).ok()
}

pub(in crate::http) async fn list(
    State(http): State<Arc<Http>>,
    Extension(socket): Extension<Arc<Socket>>,
    Extension(known): Extension<Arc<Known>>,
) -> Response {
    match models(&http, &socket, &known).await {
        Ok(data) => json(StatusCode::OK, &List { object: "list", data }),
        Err(refused) => refusal(&refused),
    }
}

pub(in crate::http) async fn describe(
    State(http): State<Arc<Http>>,
    Extension(socket): Extension<Arc<Socket>>,
    Extension(known): Extension<Arc<Known>>,
    request: Request,
) -> Response {
    let id = request.uri().path().strip_prefix(ONE).unwrap_or_default();
    let found = models(&http, &socket, &known).await.and_then(|models| {
        models.into_iter().find(|model| model.id == id).ok_or_else(|| {
            let message = "The model does not exist; GET /v1/models lists those that do.";
            Refusal::new(Kind::NotFound, message).detail("code", "model_not_found")
        })
    });
    match found {
        Ok(model) => json(StatusCode::OK, &model),
        Err(refused) => refusal(&refused),
    }
}

async fn models(http: &Arc<Http>, socket: &Arc<Socket>, known: &Arc<Known>) -> Result<Vec<Model>, Refusal> {
    enabled(http, "chatCompletions", |endpoints| {
        endpoints.chat_completions.enabled || endpoints.responses.enabled
    })?;
    let payload = ask(http, socket, known, "agents.list", "{}".to_owned()).await?;
    let Agents { agents } = serde_json::from_slice(&payload).map_err(|_| crate::call::internal())?;
    Ok(named(&agents))
}

/// Under each of our two names: the default agent twice, then every agent.
fn named(agents: &[Agent]) -> Vec<Model> {
    ["openclaw", "gatehouse"]
        .into_iter()
        .flat_map(|owner| {
            let model = move |id: String| Model {
                id,
                object: "model",
                created: 0,
                owned_by: owner,
            };
            let fixed = [owner.to_owned(), format!("{owner}/default")];
            let each = agents.iter().map(move |agent| format!("{owner}/{}", agent.id));
            fixed.into_iter().chain(each).map(model)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::is_canonical;

    #[test]
    fn each_agent_is_a_model_under_both_names() {
        let agents = ["main", "work"].map(|id| Agent { id: id.to_owned() });

        let ids: Vec<_> = named(&agents).into_iter().map(|model| model.id).collect();

        assert_eq!(
            ids,
            [
                "openclaw",
                "openclaw/default",
                "openclaw/main",
                "openclaw/work",
                "gatehouse",
                "gatehouse/default",
                "gatehouse/main",
                "gatehouse/work"
            ]
        );
    }

    #[test]
    fn an_escaped_slash_is_read_in_a_models_name_alone_and_leads_past_no_check() {
        let read = |path: &str| {
            let uri: Uri = path.parse().unwrap();
            plain(&uri).unwrap_or(uri).path().to_owned()
        };

        assert_eq!(read("/v1/models/openclaw%2Fmain?a=b"), "/v1/models/openclaw/main");
        assert_eq!(read("/v1/models/openclaw%2fmain"), "/v1/models/openclaw/main");
        for bad in [
            "/v1/models/..%2Frpc",
            "/v1/models/..%2f..%2frpc/status",
            "/v1/models%2Fopenclaw",
            "/v1/models/%2e%2e%2Frpc",
            "/v1/models/a%252Fb",
            "/rpc%2Fstatus",
        ] {
            assert!(!is_canonical(&read(bad)), "{bad}");
        }
    }
}
