//! Discord with one bot.

use gatehouse_fakes::discord::{Discord as Fake, Fault, GUILD};
use serde_json::{Value, json};

use crate::{Stage, text};

pub(crate) struct Discord(Fake);

pub(crate) async fn start() -> Discord {
    Discord(Fake::start().await)
}

impl Stage for Discord {
    fn manifest(&self) -> Value {
        json!({"root": self.0.root(), "token": self.0.token(), "guild": GUILD})
    }

    fn happens(&self, what: &str, with: &Value) -> Value {
        let Self(discord) = self;
        match what {
            "says" => json!(discord.says(text(with, "person"), text(with, "text"))),
            "event" => {
                discord.event(text(with, "kind"), with["data"].clone());
                json!(true)
            }
            "number" => json!(discord.number()),
            "reconnect" => {
                discord.reconnect();
                json!(true)
            }
            "waits" => {
                let seconds = with["seconds"].as_u64().unwrap_or_default();
                discord.fault(text(with, "method"), Fault::Wait(seconds));
                json!(true)
            }
            "identified" => json!(discord.identified().len()),
            "resumed" => json!(discord.resumed().len()),
            "calls" => {
                let calls = discord.calls(text(with, "method")).into_iter();
                calls.map(|call| call.body).collect()
            }
            "seen" => {
                let seen = discord.seen().into_iter();
                seen.map(|seen| {
                    let file = seen.file.map(|(name, bytes)| json!({"name": name, "bytes": bytes.len()}));
                    json!({"id": seen.id, "channel": seen.channel, "text": seen.text, "answers": seen.answers, "file": file})
                })
                .collect()
            }
            _ => Value::Null,
        }
    }
}
