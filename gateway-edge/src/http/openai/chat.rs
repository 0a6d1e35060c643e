//! `POST /v1/chat/completions`.

mod answer;

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request as HttpRequest, State},
    response::Response,
};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value};

use self::answer::Chat;
use super::{
    driver::{self, Asked, Endpoint, parse},
    enabled, messages,
    params::Params,
    target::{Name, Target, wrong},
    turn,
};
use crate::{
    error::Refusal,
    http::{bearer::Known, context::Http, socket::Socket},
};

/// How long the session of a call that names none is kept: for a day people can look at what was asked.
const KEEP_MS: u64 = 24 * 60 * 60 * 1000;

/// What a client asks.
#[derive(Debug, Deserialize)]
struct Request {
    model: String,
    messages: Vec<messages::Message>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    tools: Option<Vec<Value>>,
    #[serde(default)]
    n: Option<u64>,
    /// Ours: the run goes on when the client is gone.
    #[serde(default)]
    background: Option<bool>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// Answers a request whose sender is known.
pub(in crate::http) async fn serve(
    State(http): State<Arc<Http>>,
    Extension(socket): Extension<Arc<Socket>>,
    Extension(known): Extension<Arc<Known>>,
    request: HttpRequest,
) -> Response {
    let (parts, body) = request.into_parts();
    Box::pin(driver::serve::<Completions>(http, socket, known, parts, body)).await
}

struct Completions;

impl Endpoint for Completions {
    type Form = Chat;

    const PREFIX: &'static str = "chatcmpl-";

    fn check(http: &Http) -> Result<(), Refusal> {
        enabled(http, "chatCompletions", |endpoints| {
            endpoints.chat_completions.enabled
        })
    }

    fn read(body: &[u8], headers: &HeaderMap, name: &Name, now_s: i64) -> Result<Asked<Chat>, Refusal> {
        let request: Request = parse(body)?;
        let Request {
            model,
            messages,
            stream,
            stream_options,
            user,
            tools,
            n,
            background,
            other,
        } = request;
        let target = Target::read(&model, headers)?;
        if n.is_some_and(|n| n != 1) {
            return Err(wrong(
                "/n",
                "one answer is written for each request: `n` has to be 1",
            ));
        }
        if other.contains_key("functions") || other.contains_key("function_call") {
            return Err(wrong(
                "/functions",
                "this form is over: use `tools` and `tool_choice`",
            ));
        }
        let mut params = Params::of(name, target);
        params.say(messages::read(messages)?);
        params.put("surface", Some("openai"));
        params.put("keepMs", Some(KEEP_MS));
        params.put("user", user.filter(|user| !user.trim().is_empty()));
        params.put("tools", messages::tools(tools.unwrap_or_default())?);
        params.put("parameters", turn::parameters(&other));
        params.put("background", background);
        let usage = stream_options.unwrap_or_default().include_usage.unwrap_or(false);
        Ok(Asked {
            form: Chat::new(name.id.clone(), model, now_s, usage),
            streams: stream.unwrap_or(false),
            params: params.into_text(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn params(body: &Value) -> Result<(bool, Value), Refusal> {
        let name = Name {
            id: "chatcmpl-1".to_owned(),
            linger_ms: 0,
        };
        let asked = Completions::read(body.to_string().as_bytes(), &HeaderMap::new(), &name, 7)?;
        Ok((asked.streams, serde_json::from_str(&asked.params).unwrap()))
    }

    #[test]
    fn a_request_becomes_the_parameters_of_one_method_which_its_contract_takes() {
        let (streams, params) = params(&json!({
            "model": "openclaw/work", "stream": true, "stream_options": {"include_usage": true}, "user": "ann",
            "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "hi"}],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
            "tool_choice": "auto", "temperature": 0.5, "store": true, "seed": null,
        }))
        .unwrap();

        assert!(streams);
        assert_eq!(
            (
                &params["agentId"],
                &params["user"],
                &params["instructions"],
                &params["message"]
            ),
            (&json!("work"), &json!("ann"), &json!("s"), &json!("hi"))
        );
        assert_eq!(
            params["parameters"],
            json!({"tool_choice": "auto", "temperature": 0.5})
        );
        let method = gatehouse_contract::Map::core().method(turn::TURN).unwrap();
        method
            .request
            .encode(&params.to_string(), &mut gatehouse_contract::Refuse)
            .unwrap();
    }

    #[test]
    fn what_cannot_be_done_is_refused_and_not_passed_over() {
        let user = json!([{"role": "user", "content": "hi"}]);
        for (body, part) in [
            (json!({"model": "gpt-5", "messages": user}), "Invalid `model`"),
            (json!({"model": "openclaw", "messages": user, "n": 2}), "`n`"),
            (
                json!({"model": "openclaw", "messages": user, "functions": []}),
                "tools",
            ),
            (json!({"model": "openclaw"}), "messages"),
            (json!([]), "cannot be read"),
        ] {
            let refused = params(&body).err().unwrap();
            assert!(refused.message.contains(part), "{refused:?}");
        }
    }
}
