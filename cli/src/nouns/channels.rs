//! `gatehouse channels`.

mod add;
mod link;
mod secrets;
mod test;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Caller, facts, sessions::given, unknown};
use crate::{
    args::{
        Common,
        nouns::{Channels, ChannelsLogin, ChannelsVerb},
    },
    exit::Failed,
    logs, output,
    setup::write,
    status::detail_of,
    term::{Ink, Style, Table, ago},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct All {
    ts: i64,
    #[serde(default)]
    channel_accounts: BTreeMap<String, Vec<Map<String, Value>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meant {
    #[serde(default)]
    account_ids: Vec<String>,
}

pub(crate) async fn run(common: &Common, channels: &Channels, style: Style) -> Result<(), Failed> {
    let listed = ChannelsVerb::List { probe: false };
    let verb = channels.verb.as_ref().unwrap_or(&listed);
    match verb {
        ChannelsVerb::Add(of) => return Box::pin(add::add(common, of, true, style)).await,
        ChannelsVerb::Login(of) => return Box::pin(login(common, of, style)).await,
        ChannelsVerb::Remove(of) => return Box::pin(add::remove(common, of)).await,
        ChannelsVerb::Logs(of) => return logs::of_channel(common, of).await,
        _ => {}
    }
    let methods: &[&str] = match verb {
        ChannelsVerb::List { .. } | ChannelsVerb::Show { .. } => &["channels.status"],
        ChannelsVerb::Test(test) if test.to.is_some() => &["channels.status", "send"],
        ChannelsVerb::Test(_) => &["channels.status"],
        ChannelsVerb::Outbox(_) => &["channels.outbox.list"],
        ChannelsVerb::Drop(_) => &["channels.outbox.drop"],
        ChannelsVerb::Start { .. } => &["channels.start", "channels.status"],
        ChannelsVerb::Stop { .. } => &["channels.stop", "channels.status"],
        // Done above.
        ChannelsVerb::Add(_) | ChannelsVerb::Login(_) | ChannelsVerb::Remove(_) | ChannelsVerb::Logs(_) => {
            &[]
        }
    };
    let mut caller = Caller::connect(common, style, methods).await?;
    let done = caller.channels(verb).await;
    caller.close().await;
    done
}

/// Gives an account other credentials, or links it, as its channel wants it.
async fn login(common: &Common, login: &ChannelsLogin, style: Style) -> Result<(), Failed> {
    let document = write::document(common).await?;
    match link::brought(&document, &login.of.channel) {
        Some(channel) => link::link(common, &channel, login, style).await,
        None => add::add(common, &login.of, false, style).await,
    }
}

impl Caller {
    async fn channels(&mut self, verb: &ChannelsVerb) -> Result<(), Failed> {
        match verb {
            ChannelsVerb::List { probe } => self.list_channels(*probe).await,
            ChannelsVerb::Show { channel, account } => self.show_channel(channel, account.as_deref()).await,
            ChannelsVerb::Test(test) => self.test_channel(test).await,
            ChannelsVerb::Add(_)
            | ChannelsVerb::Login(_)
            | ChannelsVerb::Remove(_)
            | ChannelsVerb::Logs(_) => Ok(()),
            ChannelsVerb::Outbox(outbox) => self.list_outbox(outbox).await,
            ChannelsVerb::Drop(drop) => self.drop_outbox(drop).await,
            ChannelsVerb::Start { channel, account } => {
                self.turn("channels.start", channel, account.as_ref(), "connects")
                    .await
            }
            ChannelsVerb::Stop { channel, account } => {
                self.turn("channels.stop", channel, account.as_ref(), "is disconnected")
                    .await
            }
        }
    }

    async fn list_channels(&mut self, probe: bool) -> Result<(), Failed> {
        let answer = self.ask("channels.status", &json!({"probe": probe})).await?;
        if self.json {
            return answer.print();
        }
        let all: All = answer.read()?;
        let mut table = Table::new(&["CHANNEL", "STATE", "LAST MESSAGE", "WAITING", "DETAIL"]);
        for (channel, accounts) in &all.channel_accounts {
            for account in accounts {
                let text = |name: &str| account.get(name).and_then(Value::as_str).unwrap_or_default();
                let number = |name: &str| account.get(name).and_then(Value::as_i64);
                let ink = match text("state") {
                    "connected" => Ink::Green,
                    "failed" => Ink::Red,
                    "stopped" => Ink::Dim,
                    _ => Ink::Yellow,
                };
                let apart = account.get("isolated").and_then(Value::as_bool) == Some(true);
                let state = format!("{}{}", text("state"), if apart { ", isolated" } else { "" });
                let last = number("lastInboundAt")
                    .map_or_else(|| "-".to_owned(), |at| format!("{} ago", ago(all.ts - at)));
                let detail = detail_of(account);
                table.row(vec![
                    (Some(Ink::Cyan), format!("{channel}/{}", text("accountId"))),
                    (Some(ink), state),
                    (None, last),
                    (None, number("outboxCount").unwrap_or(0).to_string()),
                    (None, detail),
                ]);
            }
        }
        self.table(
            &table,
            "no channels are set up: `gatehouse channels add telegram`, or see channels in docs/configuration.md",
        )
    }

    async fn show_channel(&mut self, channel: &str, account: Option<&str>) -> Result<(), Failed> {
        let answer = self.ask("channels.status", &json!({})).await?;
        let all: All = answer.read()?;
        let Some(accounts) = all.channel_accounts.get(channel) else {
            return Err(unknown(
                "channel",
                channel,
                all.channel_accounts.keys().map(String::as_str),
                "gatehouse channels",
            ));
        };
        let id = |account: &Map<String, Value>| {
            account
                .get("accountId")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let shown: Vec<_> = accounts
            .iter()
            .filter(|found| account.is_none_or(|wanted| id(found) == wanted))
            .collect();
        if let (true, Some(account)) = (shown.is_empty(), account) {
            let ids: Vec<_> = accounts.iter().map(id).collect();
            return Err(unknown(
                "account",
                account,
                ids.iter().map(String::as_str),
                "gatehouse channels",
            ));
        }
        if self.json {
            return output::line(&json!(shown).to_string());
        }
        for (index, account) in shown.into_iter().enumerate() {
            if index > 0 {
                output::line("")?;
            }
            output::text(&facts::lines(account, self.style, Some(all.ts)))?;
        }
        Ok(())
    }

    async fn turn(
        &mut self,
        method: &str,
        channel: &str,
        account: Option<&String>,
        what: &str,
    ) -> Result<(), Failed> {
        let params = given([("channel", json!(channel)), ("accountId", json!(account))]);
        let answer = self.ask(method, &params).await?;
        let meant: Meant = answer.read()?;
        let accounts: Vec<_> = meant
            .account_ids
            .iter()
            .map(|account| format!("{channel}/{account}"))
            .collect();
        self.done(&answer, &format!("{} {what}", accounts.join(", ")))
    }
}
