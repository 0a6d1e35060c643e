//! `POST /v1/chat/completions`.

mod answer;

use std::sync::Arc;

use self::answer::Chat;
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
        fields::{Fields, without_effect, wrong},
        socket::Socket,
    },
};
use axum::{
    Extension,
    extract::{Request as HttpRequest, State},
    response::Response,
};
use http::HeaderMap;

/// How long the session of a call that names none is kept: for a day people can look at what was asked.
const KEEP_MS: u64 = 24 * 60 * 60 * 1000;

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
        let mut fields = Fields::of_body(body)?;
        let model = fields.needed_text("model")?;
        let target = Target::read(&model, headers)?;
        refuse(&mut fields)?;
        let place = fields.place("messages");
        let messages = fields.list("messages")?.ok_or_else(|| fields.lacks("messages"))?;
        let streams = fields.flag("stream")?.unwrap_or(false);
        let usage = match fields.object("stream_options")? {
            Some(mut options) => options.flag("include_usage")?.unwrap_or(false),
            None => false,
        };
        let user = fields.text("user")?.filter(|user| !user.trim().is_empty());
        let tools = fields.list("tools")?.unwrap_or_default();
        let background = fields.flag("background")?;
        steering::metadata(&mut fields)?;
        let mut unknown = Vec::new();
        let parameters = steering::parameters(fields.left(), &mut unknown)?;
        let custom = Custom {
            is_loose: false,
            has_session: user.is_some() || target.session_key.is_some(),
        };
        let said = messages::read(messages::of_chat(messages, &place)?, &place, custom)?;
        let mut params = Params::of(name, target);
        let places = params.say(said);
        params.put("surface", Some("openai"));
        params.put("keepMs", Some(KEEP_MS));
        params.put("user", user);
        params.put("tools", messages::tools(tools)?);
        params.put("parameters", parameters);
        params.put("background", background);
        params.put("takesBack", (!streams).then_some(true));
        Ok(Asked {
            form: Chat::new(name.id.clone(), model, now_s, usage),
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
    if fields.count("n")?.is_some_and(|n| n != 1) {
        let message = "one answer is written for each request: `n` has to be 1";
        return Err(wrong("/n", message).detail("code", "unsupported_value"));
    }
    for name in ["functions", "function_call"] {
        if fields.take(name).is_some() {
            let message = "this form is over: use `tools` and `tool_choice`";
            return Err(wrong(&fields.place(name), message).detail("code", "unsupported_parameter"));
        }
    }
    if fields.flag("logprobs")? == Some(true) {
        let why = "no probabilities of tokens come with an answer";
        return Err(without_effect(&fields.place("logprobs"), why));
    }
    steering::refuse_without_effect(fields)?;
    let modalities = fields.list("modalities")?.unwrap_or_default();
    if let Some(index) = modalities.iter().position(|modality| modality != "text") {
        let why = "answers are texts";
        return Err(without_effect(&format!("/modalities/{index}"), why));
    }
    for (name, why) in [
        ("audio", "answers are texts"),
        ("web_search_options", "no model searches the web here"),
    ] {
        if fields.take(name).is_some() {
            return Err(without_effect(&fields.place(name), why));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::turn, *};

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
            (json!([]), "a JSON object"),
        ] {
            let refused = params(&body).err().unwrap();
            assert!(refused.message.contains(part), "{refused:?}");
        }
    }

    #[test]
    fn what_would_have_no_effect_or_is_of_another_type_is_named() {
        for (name, value, path) in [
            ("logprobs", json!(true), "/logprobs"),
            ("top_logprobs", json!(2), "/top_logprobs"),
            ("modalities", json!(["text", "audio"]), "/modalities/1"),
            ("audio", json!({"voice": "x"}), "/audio"),
            ("web_search_options", json!({}), "/web_search_options"),
            ("metadata", json!([1]), "/metadata"),
            ("stream", json!("yes"), "/stream"),
            (
                "stream_options",
                json!({"include_usage": 1}),
                "/stream_options/include_usage",
            ),
            ("messages", json!("hi"), "/messages"),
            ("messages", json!(["hi"]), "/messages/0"),
            ("tools", json!({}), "/tools"),
            ("temperature", json!("hot"), "/temperature"),
        ] {
            let mut body = json!({"model": "openclaw", "messages": [{"role": "user", "content": "hi"}]});
            body[name] = value;
            let refused = params(&body).err().unwrap();
            assert_eq!(refused.details["path"], path, "{refused:?}");
        }
        let harmless = json!({
            "model": "openclaw", "messages": [{"role": "user", "content": "hi"}], "logprobs": false, "top_logprobs": 0,
            "modalities": ["text"], "metadata": {"a": "b"}, "audio": null, "store": false, "keep_alive": "5m",
        });
        assert!(params(&harmless).is_ok());
    }
}
