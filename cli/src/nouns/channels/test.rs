//! `gatehouse channels test`: whether an account works, asked of the platform now.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{super::Caller, All};
use crate::{
    args::nouns::ChannelsTest,
    exit::{Exit, Failed},
    output,
    term::{Ink, printable},
};

/// What is said where somebody wants to see it.
const WORDS: &str = "This is a test: the gateway reaches this chat.";

impl Caller {
    pub(super) async fn test_channel(&mut self, test: &ChannelsTest) -> Result<(), Failed> {
        let asked = json!({"channel": test.channel, "probe": true, "timeoutMs": 15_000});
        let answer = self.ask("channels.status", &asked).await?;
        let all: All = answer.read()?;
        let accounts = all
            .channel_accounts
            .get(&test.channel)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let text = |account: &Map<String, Value>, name: &str| {
            account
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let meant: Vec<_> = accounts
            .iter()
            .filter(|found| {
                test.account
                    .as_ref()
                    .is_none_or(|wanted| text(found, "accountId") == *wanted)
            })
            .collect();
        if meant.is_empty() {
            return Err(
                Failed::new(Exit::Failed, format!("there is no account of {}", test.channel))
                    .next(format!("`gatehouse channels add {}` sets one up", test.channel)),
            );
        }
        let mut broken = None;
        for account in &meant {
            let name = format!("{}/{}", test.channel, text(account, "accountId"));
            let state = text(account, "state");
            let works = state == "connected";
            let said = [text(account, "lastError"), text(account, "warning")];
            let said = said.into_iter().find(|said| !said.is_empty()).unwrap_or_default();
            if !self.json {
                let ink = if works { Ink::Green } else { Ink::Red };
                output::line(&format!(
                    "{name}  {}  {}",
                    self.style.paint(ink, &state),
                    printable(&said)
                ))?;
            }
            if !works {
                broken.get_or_insert(format!("{name} is {state}"));
            }
        }
        if self.json {
            output::line(&json!(meant).to_string())?;
        }
        if let Some(broken) = broken {
            return Err(Failed::new(Exit::Failed, broken).next(format!(
                "`gatehouse channels logs {}` says what happened",
                test.channel
            )));
        }
        let Some(to) = &test.to else { return Ok(()) };
        let mut message = json!({
            "channel": test.channel, "to": to, "message": WORDS, "idempotencyKey": Uuid::now_v7().to_string(),
        });
        if let (Some(account), Some(message)) = (&test.account, message.as_object_mut()) {
            message.insert("accountId".to_owned(), json!(account));
        }
        let sent = self.ask("send", &message).await?;
        self.done(
            &sent,
            &format!("said to {to}; `gatehouse channels outbox` shows what still waits"),
        )
    }
}
