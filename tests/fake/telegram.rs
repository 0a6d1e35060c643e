//! The Bot API.

use gatehouse_fakes::telegram::{BotApi, Fault};
use serde_json::{Value, json};

use crate::{Stage, text};

pub(crate) struct Telegram(BotApi);

pub(crate) async fn start() -> Telegram {
    Telegram(BotApi::start().await)
}

impl Stage for Telegram {
    fn manifest(&self) -> Value {
        json!({"root": self.0.root(), "token": self.0.token()})
    }

    fn happens(&self, what: &str, with: &Value) -> Value {
        let Self(api) = self;
        let number = |name: &str| with[name].as_i64().unwrap_or_default();
        match what {
            "says" => json!(api.says(number("person"), text(with, "text"))),
            "presses" => json!(api.presses(number("person"), number("message"), text(with, "value"))),
            "waits" => {
                let seconds = with["seconds"].as_u64().unwrap_or_default();
                api.fault(text(with, "method"), Fault::Wait(seconds));
                json!(true)
            }
            "keeps" => {
                api.keep(text(with, "id"), text(with, "text").into());
                json!(true)
            }
            "unread" => json!(api.unread()),
            "calls" => {
                let calls = api.calls(text(with, "method")).into_iter();
                calls.map(|call| call.body).collect()
            }
            "seen" => {
                let seen = api.seen().into_iter();
                seen.map(|seen| {
                    let file = seen.file.map(|(method, name, _)| json!({"method": method, "name": name}));
                    json!({"id": seen.id, "chat": seen.chat, "text": seen.text, "answers": seen.answers, "file": file})
                })
                .collect()
            }
            _ => Value::Null,
        }
    }
}
