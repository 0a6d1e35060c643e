//! `POST /tools/invoke`: one of the assistant's tools, used by a program, in OpenClaw's form.
//!
//! A tool is a method of the contract under the name that OpenClaw's tools have, so who may use it is who may call the method, and what
//! it takes is what the method takes. What is not in the table is no tool here.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use gatehouse_core::Kind;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use super::{
    bearer::Known,
    context::Http,
    fields::{Fields, param},
    intake::{self, NotCalled, counted_bytes},
    openai::ask,
    respond::respond,
    socket::Socket,
};
use crate::{call, error::Refusal};

/// Tools whose arguments are the parameters of a method.
const TOOLS: [(&str, &str); 4] = [
    ("agents_list", "agents.list"),
    ("sessions_list", "sessions.list"),
    ("sessions_history", "chat.history"),
    ("nodes_list", "node.list"),
];

/// What the tool `cron` does, by its argument `action`.
const CRON: [(&str, &str); 8] = [
    ("status", "cron.status"),
    ("list", "cron.list"),
    ("add", "cron.add"),
    ("update", "cron.update"),
    ("remove", "cron.remove"),
    ("run", "cron.run"),
    ("runs", "cron.runs"),
    ("wake", "wake"),
];

/// What a client asks.
#[derive(Debug, Default)]
struct Invocation {
    tool: String,
    action: Option<String>,
    args: Map<String, Value>,
    session_key: Option<String>,
    dry_run: bool,
}

/// A method and its parameters.
#[derive(Debug, PartialEq)]
struct Meant {
    method: &'static str,
    params: Map<String, Value>,
}

impl Invocation {
    fn read(body: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Fields::of_body(body)?;
        Ok(Self {
            tool: fields.needed_text("tool")?,
            action: fields.text("action")?,
            args: fields.object("args")?.map(Fields::left).unwrap_or_default(),
            session_key: fields.text("sessionKey")?,
            dry_run: fields.flag("dryRun")?.unwrap_or(false),
        })
    }

    fn meant(self) -> Result<Meant, Refusal> {
        let Self {
            tool,
            action,
            mut args,
            session_key,
            dry_run,
        } = self;
        if dry_run {
            return Err(
                Refusal::invalid("dryRun is not offered: no tool can be tried without being used")
                    .detail("path", "/dryRun"),
            );
        }
        let method = if tool == "cron" {
            let named = match args.remove("action") {
                Some(Value::String(action)) => Some(action),
                Some(_) | None => action,
            };
            let method = named.and_then(|named| find(&CRON, &named)).ok_or_else(|| {
                let actions: Vec<&str> = CRON.iter().map(|(action, _)| *action).collect();
                let message = format!("args.action is one of {}", actions.join(", "));
                Refusal::invalid(message).detail("path", "/args/action")
            })?;
            // A job is an argument of its own there.
            if let Some(Value::Object(job)) = args.remove("job") {
                args.extend(job);
            }
            method
        } else {
            find(&TOOLS, &tool).ok_or_else(|| {
                let shown: String = tool.chars().take(64).collect();
                Refusal::new(Kind::NotFound, format!("Tool not available: {shown}"))
                    .detail("code", "TOOL_NOT_AVAILABLE")
            })?
        };
        if method == "chat.history"
            && let (false, Some(key)) = (args.contains_key("sessionKey"), session_key)
        {
            args.insert("sessionKey".to_owned(), key.into());
        }
        Ok(Meant { method, params: args })
    }
}

fn find(table: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    let found = table.iter().find(|(known, _)| *known == name);
    found.map(|(_, method)| *method)
}

/// Answers a request whose sender is known.
pub(super) async fn invoke(
    State(http): State<Arc<Http>>,
    Extension(socket): Extension<Arc<Socket>>,
    Extension(known): Extension<Arc<Known>>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    match used(&http, &socket, &known, &parts.headers, body).await {
        Ok(response) => response,
        Err(refused) => refused.answer(),
    }
}

async fn used(
    http: &Arc<Http>,
    socket: &Arc<Socket>,
    known: &Arc<Known>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, NotCalled> {
    let permit = || http.calls.enter_program();
    let (body, mut under_way) = intake::take(http, socket, known, headers, body, permit).await?;
    under_way.will_read(body.len())?;
    let invocation = Invocation::read(&body)?;
    let Meant { method, params } = invocation.meant()?;
    let asking = ask(http, socket, known, method, Value::Object(params).to_string());
    let payload = asking.await.map_err(of_args)?;
    let text = String::from_utf8(payload.to_vec()).map_err(|_| call::internal())?;
    let told = json!({"ok": true, "result": {"content": [{"type": "text", "text": text}]}});
    let bytes = counted_bytes(&http.edge, socket, told.to_string().into())?;
    Ok(respond(StatusCode::OK, "application/json", bytes))
}

/// What is wrong with a parameter of the method is wrong with an argument of the tool.
fn of_args(mut refusal: Refusal) -> Refusal {
    let Some(path) = refusal.details.get("path").and_then(Value::as_str) else {
        return refusal;
    };
    let place = format!("/args{path}");
    if let Some((_, problem)) = refusal.message.split_once(&format!("at {path}: ")) {
        refusal.message = format!("`{}` {problem}", param(&place)).into();
    }
    refusal.detail("path", place)
}

#[cfg(test)]
mod tests {
    use gatehouse_contract::Map as Methods;

    use super::*;

    fn meant(invocation: Value) -> Result<(&'static str, Value), Refusal> {
        let invocation = Invocation::read(invocation.to_string().as_bytes()).unwrap();
        let Meant { method, params } = invocation.meant()?;
        Ok((method, Value::Object(params)))
    }

    #[test]
    fn each_tool_is_a_method_that_the_contract_has() {
        for (tool, method) in TOOLS.iter().chain(&CRON) {
            assert!(Methods::core().method(method).is_some(), "{tool}");
        }
    }

    #[test]
    fn a_tool_takes_what_its_method_takes() {
        assert_eq!(
            meant(json!({"tool": "sessions_list", "args": {"limit": 3}})),
            Ok(("sessions.list", json!({"limit": 3})))
        );
        assert_eq!(
            meant(json!({"tool": "sessions_history", "sessionKey": "main"})),
            Ok(("chat.history", json!({"sessionKey": "main"})))
        );
        assert_eq!(
            meant(json!({"tool": "cron", "args": {"action": "add", "job": {"name": "tea"}}})),
            Ok(("cron.add", json!({"name": "tea"})))
        );
        assert_eq!(
            meant(json!({"tool": "cron", "action": "list"})),
            Ok(("cron.list", json!({})))
        );
    }

    #[test]
    fn what_is_no_tool_here_is_said_as_that() {
        let told = |invocation| meant(invocation).unwrap_err();

        let unknown = told(json!({"tool": "exec", "args": {"command": "ls"}}));
        assert_eq!(
            (unknown.kind, &*unknown.message),
            (Kind::NotFound, "Tool not available: exec")
        );
        assert_eq!(told(json!({"tool": "cron"})).details["path"], "/args/action");
        assert_eq!(
            told(json!({"tool": "cron", "args": {"action": "rm"}})).details["path"],
            "/args/action"
        );
        assert_eq!(
            told(json!({"tool": "agents_list", "dryRun": true})).details["path"],
            "/dryRun"
        );
    }
}
