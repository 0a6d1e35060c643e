//! `POST /v1/responses`.
//!
//! What a request's `input` holds is a conversation like any other, and is read as one (`items`); `previous_response_id` goes on from an
//! earlier answer in its session. A response is made item by item (`output`), and each step of that is an event of the stream.

mod items;
mod output;

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request as HttpRequest, State},
    response::Response as HttpResponse,
};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use self::{items::Input, output::Response};
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

/// How long the session of a response is kept: as long as a run is known, by which the next request goes on from it.
const KEEP_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// What a client asks.
#[derive(Debug, Deserialize)]
struct Request {
    model: String,
    input: Input,
    #[serde(default)]
    instructions: Option<String>,
    #[serde(default)]
    previous_response_id: Option<String>,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    tools: Option<Vec<Value>>,
    #[serde(default)]
    tool_choice: Option<Value>,
    #[serde(default)]
    max_output_tokens: Option<u64>,
    #[serde(default)]
    reasoning: Option<Reasoning>,
    #[serde(default)]
    text: Option<Text>,
    #[serde(default)]
    background: Option<bool>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reasoning {
    effort: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Text {
    format: Option<Value>,
    verbosity: Option<Value>,
}

/// Answers a request whose sender is known.
pub(in crate::http) async fn serve(
    State(http): State<Arc<Http>>,
    Extension(socket): Extension<Arc<Socket>>,
    Extension(known): Extension<Arc<Known>>,
    request: HttpRequest,
) -> HttpResponse {
    let (parts, body) = request.into_parts();
    Box::pin(driver::serve::<Responses>(http, socket, known, parts, body)).await
}

struct Responses;

impl Endpoint for Responses {
    type Form = Response;

    const PREFIX: &'static str = "resp_";

    fn check(http: &Http) -> Result<(), Refusal> {
        enabled(http, "responses", |endpoints| endpoints.responses.enabled)
    }

    fn read(body: &[u8], headers: &HeaderMap, name: &Name, now_s: i64) -> Result<Asked<Response>, Refusal> {
        let Request {
            model,
            input,
            instructions,
            previous_response_id,
            stream,
            user,
            tools,
            tool_choice,
            max_output_tokens,
            reasoning,
            text,
            background,
            mut other,
        } = parse(body)?;
        if other
            .get("conversation")
            .is_some_and(|conversation| !conversation.is_null())
        {
            return Err(wrong(
                "/conversation",
                "there are no conversations here: use `previous_response_id`",
            ));
        }
        let target = Target::read(&model, headers)?;
        let mut said = messages::read(items::messages(input)?)?;
        let given = instructions.clone().filter(|text| !text.trim().is_empty());
        said.instructions = match (given, said.instructions.take()) {
            (Some(first), Some(more)) => Some(format!("{first}\n\n{more}")),
            (first, more) => first.or(more),
        };
        let tools = tools.unwrap_or_default();
        let asked = json!({
            "instructions": instructions, "previous_response_id": previous_response_id, "user": user, "tools": tools,
            "tool_choice": tool_choice.clone().unwrap_or_else(|| "auto".into()), "max_output_tokens": max_output_tokens,
            "reasoning": {"effort": reasoning.as_ref().and_then(|reasoning| reasoning.effort.clone()), "summary": null},
            "text": {"format": text.as_ref().and_then(|text| text.format.clone()).unwrap_or_else(|| json!({"type": "text"}))},
            "parallel_tool_calls": other.get("parallel_tool_calls").cloned().unwrap_or(true.into()),
            "temperature": other.get("temperature"), "top_p": other.get("top_p"),
            "metadata": other.get("metadata").cloned().unwrap_or_else(|| json!({})),
            "store": true, "truncation": "disabled", "background": background.unwrap_or(false),
        });
        let text = text.unwrap_or_default();
        let mut pass = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                other.insert(name.to_owned(), value);
            }
        };
        pass("max_tokens", max_output_tokens.map(Value::from));
        pass(
            "reasoning_effort",
            reasoning.and_then(|reasoning| reasoning.effort).map(Value::from),
        );
        pass("verbosity", text.verbosity);
        pass("response_format", text.format.and_then(items::response_format));
        pass("tool_choice", tool_choice.map(items::tool_choice));
        let mut params = Params::of(name, target);
        params.say(said);
        params.put("surface", Some("openresponses"));
        params.put("keepMs", Some(KEEP_MS));
        params.put("continues", previous_response_id.clone());
        // A conversation that goes on stays where it is, whoever asks.
        let user = user.filter(|user| !user.trim().is_empty() && previous_response_id.is_none());
        params.put("user", user);
        params.put("tools", messages::tools(items::tools(tools)?)?);
        params.put("parameters", turn::parameters(&other));
        params.put("background", background);
        Ok(Asked {
            form: Response::new(name.id.clone(), model, now_s, asked),
            streams: stream.unwrap_or(false),
            params: params.into_text(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(body: &Value) -> Result<Value, Refusal> {
        let name = Name {
            id: "resp_1".to_owned(),
            linger_ms: 0,
        };
        let asked = Responses::read(body.to_string().as_bytes(), &HeaderMap::new(), &name, 7)?;
        Ok(serde_json::from_str(&asked.params).unwrap())
    }

    #[test]
    fn a_request_becomes_the_parameters_of_the_same_method() {
        let params = params(&json!({
            "model": "openclaw", "instructions": "be kind", "previous_response_id": "resp_0", "user": "ann",
            "input": [
                {"role": "developer", "content": "be brief"},
                {"type": "function_call_output", "call_id": "c1", "output": "nothing"},
            ],
            "tools": [{"type": "function", "name": "ls", "parameters": {"type": "object"}, "strict": true}],
            "tool_choice": {"type": "function", "name": "ls"}, "max_output_tokens": 9, "reasoning": {"effort": "low"},
            "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}}, "temperature": 1,
        }))
        .unwrap();

        assert_eq!(
            (&params["continues"], &params["instructions"], &params["surface"]),
            (
                &json!("resp_0"),
                &json!("be kind\n\nbe brief"),
                &json!("openresponses")
            )
        );
        assert!(params.get("user").is_none(), "it stays in its session");
        assert_eq!(
            params["toolResults"],
            json!([{"callId": "c1", "text": "nothing"}])
        );
        assert_eq!(
            params["tools"],
            json!([{"type": "function", "function": {"name": "ls", "parameters": {"type": "object"}, "strict": true}}])
        );
        assert_eq!(
            params["parameters"],
            json!({
                "temperature": 1, "max_tokens": 9, "reasoning_effort": "low",
                "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
                "tool_choice": {"type": "function", "function": {"name": "ls"}},
            })
        );
        let method = gatehouse_contract::Map::core().method(turn::TURN).unwrap();
        method
            .request
            .encode(&params.to_string(), &mut gatehouse_contract::Refuse)
            .unwrap();
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        for body in [
            json!({"model": "openclaw", "input": []}),
            json!({"model": "openclaw", "input": "hi", "conversation": "c"}),
            json!({"model": "openclaw", "input": "hi", "tools": [{"type": "web_search"}]}),
            json!({"model": "openclaw", "input": [{"type": "item_reference", "id": "x"}]}),
        ] {
            assert!(params(&body).is_err(), "{body}");
        }
    }
}
