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
use serde_json::{Value, json};

use self::output::Response;
use super::{
    driver::{self, Asked, Endpoint},
    enabled,
    messages::{self, Custom},
    params::Params,
    steering,
    target::{Name, Target},
};
use crate::{
    error::Refusal,
    http::{
        bearer::Known,
        context::Http,
        fields::{Fields, without_effect},
        socket::Socket,
    },
};

/// How long the session of a response is kept: as long as a run is known, by which the next request goes on from it.
const KEEP_MS: u64 = 7 * 24 * 60 * 60 * 1000;

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
        let mut fields = Fields::of_body(body)?;
        let model = fields.needed_text("model")?;
        let target = Target::read(&model, headers)?;
        refuse(&mut fields)?;
        let place = fields.place("input");
        let input = fields.take("input").ok_or_else(|| fields.lacks("input"))?;
        let streams = fields.flag("stream")?.unwrap_or(false);
        let instructions = fields.text("instructions")?;
        let previous = fields.text("previous_response_id")?;
        // A conversation that goes on stays where it is, whoever asks.
        let asker = fields.text("user")?;
        let user = asker
            .clone()
            .filter(|user| !user.trim().is_empty() && previous.is_none());
        let background = fields.flag("background")?;
        let tools = fields.list("tools")?.unwrap_or_default();
        let tool_choice = fields.take("tool_choice");
        let max_output_tokens = fields.count("max_output_tokens")?;
        let effort = match fields.object("reasoning")? {
            Some(mut reasoning) => reasoning.text("effort")?,
            None => None,
        };
        let (format, verbosity) = match fields.object("text")? {
            Some(mut text) => (
                text.object("format")?.map(|format| Value::Object(format.left())),
                text.text("verbosity")?,
            ),
            None => (None, None),
        };
        let metadata = steering::metadata(&mut fields)?;
        let custom = Custom {
            is_loose: true,
            has_session: previous.is_some() || user.is_some() || target.session_key.is_some(),
        };
        let mut said = messages::read(items::messages(input, &place)?, &place, custom)?;
        let given = instructions.clone().filter(|text| !text.trim().is_empty());
        said.instructions = match (given, said.instructions.take()) {
            (Some(first), Some(more)) => Some(format!("{first}\n\n{more}")),
            (first, more) => first.or(more),
        };
        let mut other = fields.left();
        let asked = json!({
            "instructions": instructions, "previous_response_id": previous, "user": asker, "tools": tools,
            "tool_choice": tool_choice.clone().unwrap_or_else(|| "auto".into()), "max_output_tokens": max_output_tokens,
            "reasoning": {"effort": effort, "summary": null},
            "text": {"format": format.clone().unwrap_or_else(|| json!({"type": "text"}))},
            "parallel_tool_calls": other.get("parallel_tool_calls").cloned().unwrap_or(true.into()),
            "temperature": other.get("temperature"), "top_p": other.get("top_p"),
            "metadata": metadata.unwrap_or_else(|| json!({})),
            "store": true, "truncation": "disabled", "background": background.unwrap_or(false),
        });
        let mut pass = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                other.insert(name.to_owned(), value);
            }
        };
        pass("max_tokens", max_output_tokens.map(Value::from));
        pass("reasoning_effort", effort.map(Value::from));
        pass("verbosity", verbosity.map(Value::from));
        pass("response_format", format.and_then(items::response_format));
        pass("tool_choice", tool_choice.map(items::tool_choice));
        let mut unknown = Vec::new();
        let parameters = steering::parameters(other, &mut unknown)?;
        let mut params = Params::of(name, target);
        let places = params.say(said);
        params.put("surface", Some("openresponses"));
        params.put("keepMs", Some(KEEP_MS));
        params.put("continues", previous);
        params.put("user", user);
        params.put("tools", messages::tools(items::tools(tools)?)?);
        params.put("parameters", parameters);
        params.put("background", background);
        params.put("takesBack", (!streams).then_some(true));
        Ok(Asked {
            form: Response::new(name.id.clone(), model, now_s, asked),
            streams,
            in_background: background.unwrap_or(false),
            params: params.into_text(),
            places,
            unknown,
        })
    }
}

/// Refuses what is asked for and not done here.
fn refuse(fields: &mut Fields) -> Result<(), Refusal> {
    for (name, why) in [
        (
            "conversation",
            "there are no conversations here: use `previous_response_id`",
        ),
        (
            "prompt",
            "no prompts are kept here: send `instructions` and `input`",
        ),
    ] {
        if fields.take(name).is_some() {
            return Err(without_effect(&fields.place(name), why));
        }
    }
    steering::refuse_without_effect(fields)?;
    let include = fields.list("include")?.unwrap_or_default();
    let wanted = |include: &Value| include == "message.output_text.logprobs";
    if let Some(index) = include.iter().position(wanted) {
        let why = "no probabilities of tokens come with an answer";
        return Err(without_effect(&format!("/include/{index}"), why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::turn, *};

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
            "metadata": {"a": "b"}, "include": ["reasoning.encrypted_content"],
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

    #[test]
    fn what_is_wrong_is_told_by_its_place_in_the_request() {
        let told = |more: Value| {
            let mut body = json!({"model": "openclaw", "input": "hi"});
            for (name, value) in more.as_object().unwrap() {
                body[name] = value.clone();
            }
            params(&body).unwrap_err().details["path"].clone()
        };

        for (more, path) in [
            (json!({"prompt": {"id": "p"}}), "/prompt"),
            (json!({"metadata": [1]}), "/metadata"),
            (json!({"metadata": {"a": 1}}), "/metadata/a"),
            (json!({"top_logprobs": 1}), "/top_logprobs"),
            (json!({"include": ["message.output_text.logprobs"]}), "/include/0"),
            (json!({"reasoning": {"effort": 1}}), "/reasoning/effort"),
            (json!({"text": {"format": "json"}}), "/text/format"),
            (json!({"input": 7}), "/input"),
            (json!({"input": ["hi"]}), "/input/0"),
            (json!({"input": [{"role": "user"}]}), "/input/0/content"),
            (
                json!({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,"}]}]}),
                "/input/0/content/0/image_url",
            ),
            (
                json!({"input": [{"type": "reasoning"}, {"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}),
                "/input/1/content/0/file_id",
            ),
            (
                json!({"input": [{"role": "user", "content": "hi"}, {"type": "function_call_output", "call_id": "c1", "output": "x"}]}),
                "/input/1/call_id",
            ),
            (
                json!({"input": [{"type": "function_call", "call_id": "c1", "name": "ls", "arguments": {}}]}),
                "/input/0/arguments",
            ),
        ] {
            assert_eq!(told(more.clone()), path, "{more}");
        }
    }
}
