//! `POST /v1/embeddings`: vectors of texts, by the model of `gateway.http.endpoints.embeddings`, or the one that a header names.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use gatehouse_core::Kind;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};

use super::{
    enabled,
    target::Target,
    turn::{ask, authorise},
};
use crate::{
    call,
    error::{Refusal, to_bytes},
    http::{
        bearer::Known,
        context::Http,
        fields::{Fields, wrong},
        intake::{self, NotCalled, counted_bytes},
        respond::respond,
        socket::Socket,
    },
};

/// The method that does it.
const EMBED: &str = "models.embed";

/// What a client asks.
#[derive(Debug)]
struct Asked {
    model: String,
    input: Vec<String>,
    dimensions: Option<u64>,
    encoding_format: Option<String>,
    user: Option<String>,
}

impl Asked {
    fn read(body: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Fields::of_body(body)?;
        let input = fields.take("input").ok_or_else(|| fields.lacks("input"))?;
        let place = fields.place("input");
        Ok(Self {
            model: fields.needed_text("model")?,
            input: texts(input, &place)?,
            dimensions: fields.count("dimensions")?,
            encoding_format: fields.text("encoding_format")?,
            user: fields.text("user")?,
        })
    }
}

/// What is to be turned into vectors. Numbers of tokens are those of one model alone.
fn texts(input: Value, place: &str) -> Result<Vec<String>, Refusal> {
    let told = "`input` is a text, or a list of texts: tokens are not taken";
    match input {
        Value::String(text) => Ok(vec![text]),
        Value::Array(list) => {
            let texts = list.into_iter().map(|text| match text {
                Value::String(text) => Ok(text),
                _ => Err(wrong(place, told)),
            });
            texts.collect()
        }
        _ => Err(wrong(place, told)),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answered<'a> {
    model: String,
    #[serde(borrow)]
    embeddings: Vec<Vector<'a>>,
    usage: Usage,
}

#[derive(Debug, Deserialize)]
struct Vector<'a> {
    #[serde(borrow)]
    values: &'a RawValue,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    prompt_tokens: i64,
    total_tokens: i64,
}

#[derive(Debug, Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Embedding<'a>>,
    model: String,
    usage: Value,
}

#[derive(Debug, Serialize)]
struct Embedding<'a> {
    object: &'static str,
    index: usize,
    embedding: &'a RawValue,
}

/// Answers a request whose sender is known.
pub(in crate::http) async fn serve(
    State(http): State<Arc<Http>>,
    Extension(socket): Extension<Arc<Socket>>,
    Extension(known): Extension<Arc<Known>>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    match answer(&http, &socket, &known, &parts.headers, body).await {
        Ok(response) => response,
        Err(refused) => {
            call::refused(&http.edge, EMBED, &refused.refusal);
            refused.answer()
        }
    }
}

async fn answer(
    http: &Arc<Http>,
    socket: &Arc<Socket>,
    known: &Arc<Known>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, NotCalled> {
    enabled(http, "embeddings", |endpoints| endpoints.embeddings.enabled)?;
    authorise(http, known, EMBED)?;
    let permit = || http.calls.enter_program();
    let (body, mut under_way) = intake::take(http, socket, known, headers, body, permit).await?;
    under_way.will_read(body.len())?;
    let asked = Asked::read(&body)?;
    let target = Target::read(&asked.model, headers)?;
    let configured = http
        .edge
        .policy()
        .and_then(|policy| policy.endpoints.embeddings.model.clone());
    let Some(model) = target.model.or(configured) else {
        return Err(NotCalled::with(StatusCode::NOT_IMPLEMENTED, no_model()));
    };
    let params = json!({
        "model": model, "input": asked.input, "dimensions": asked.dimensions,
        "encodingFormat": asked.encoding_format, "user": asked.user,
    });
    let params = without_nulls(params).to_string();
    let payload = ask(http, socket, known, EMBED, params).await?;
    let Answered {
        model,
        embeddings,
        usage,
    } = serde_json::from_slice(&payload).map_err(|_| call::internal())?;
    let list = List {
        object: "list",
        data: embeddings
            .into_iter()
            .enumerate()
            .map(|(index, vector)| Embedding {
                object: "embedding",
                index,
                embedding: vector.values,
            })
            .collect(),
        model,
        usage: json!({"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.total_tokens}),
    };
    let bytes = counted_bytes(&http.edge, socket, to_bytes(&list))?;
    Ok(respond(StatusCode::OK, "application/json", bytes))
}

fn without_nulls(mut params: Value) -> Value {
    if let Some(fields) = params.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    params
}

fn no_model() -> Refusal {
    let message = "no model makes vectors: `gatehouse config set gateway.http.endpoints.embeddings.model <provider>/<model>` names one, \
         or the header x-openclaw-model does";
    Refusal::new(Kind::Precondition, message).detail("code", "embedding_model_missing")
}
