//! A Slack workspace.

use gatehouse_fakes::slack::{Fault, Workspace, pressed};
use serde_json::{Value, json};

use crate::{Stage, text};

pub(crate) struct Slack(Workspace);

pub(crate) async fn start() -> Slack {
    Slack(Workspace::start().await)
}

impl Stage for Slack {
    fn manifest(&self) -> Value {
        let Self(workspace) = self;
        json!({"root": workspace.root(), "botToken": workspace.bot_token(), "appToken": workspace.app_token(),
            "signingSecret": workspace.signing_secret()})
    }

    fn happens(&self, what: &str, with: &Value) -> Value {
        let Self(workspace) = self;
        match what {
            "says" => json!(workspace.says(text(with, "person"), text(with, "text"))),
            "envelope" => {
                workspace.envelope(text(with, "kind"), with["payload"].clone());
                json!(true)
            }
            "presses" => {
                let button = (text(with, "name"), text(with, "value"));
                let press = pressed(
                    text(with, "channel"),
                    text(with, "person"),
                    text(with, "ts"),
                    button,
                    json!({}),
                );
                workspace.envelope("interactive", press);
                json!(true)
            }
            "disconnect" => {
                workspace.disconnect(text(with, "reason"));
                json!(true)
            }
            "waits" => {
                let seconds = with["seconds"].as_u64().unwrap_or_default();
                workspace.fault(text(with, "method"), Fault::Wait(seconds));
                json!(true)
            }
            "unread" => json!(workspace.unread()),
            "opened" => json!(workspace.opened()),
            "signed" => {
                let second = with["second"].as_i64().unwrap_or_default();
                json!(workspace.signed(text(with, "body"), second))
            }
            "calls" => json!(workspace.calls(text(with, "method")).len()),
            "seen" => {
                let seen = workspace.seen().into_iter();
                seen.map(|seen| {
                    let file = seen.file.map(|(name, bytes)| json!({"name": name, "bytes": bytes.len()}));
                    json!({"ts": seen.ts, "channel": seen.channel, "thread": seen.thread, "text": seen.text, "file": file})
                })
                .collect()
            }
            _ => Value::Null,
        }
    }
}
