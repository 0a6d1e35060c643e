//! `gatehouse channels login` for a channel of a plugin: shows the code that links the account, and another one when the platform gives
//! one, until somebody has scanned or typed it.

use std::{io::IsTerminal, time::Duration};

use gatehouse_channel_bridge::guide::offered;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::{Answer, Caller, picture::picture, sessions::given};
use crate::{
    args::{Common, nouns::ChannelsLogin},
    exit::{Exit, Failed},
    output,
    term::{Style, printable},
};

const START: &str = "web.login.start";
const WAIT: &str = "web.login.wait";
/// How long one call waits: short enough that a gateway which is gone is noticed.
const CALL: Duration = Duration::from_secs(30);
/// What the way there and back may take.
const SLACK: Duration = Duration::from_secs(10);

/// How far it is, as both methods answer it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reached {
    channel: String,
    account_id: String,
    connected: bool,
    state: String,
    message: String,
    qr_data_url: Option<String>,
    qr: Option<String>,
    pair_code: Option<String>,
}

/// A code that is shown.
#[derive(PartialEq, Eq)]
struct Code {
    picture: Option<String>,
    qr: Option<String>,
    pair_code: Option<String>,
}

/// The channel of a plugin that somebody means by this name: the one that is called so, or the only one whose name begins with it where
/// nothing of the name itself is configured. `None`: no plugin's.
pub(super) fn brought(document: &Value, named: &str) -> Option<String> {
    let entries = document.pointer("/plugins/entries").and_then(Value::as_object);
    let channels: Vec<&str> = entries
        .into_iter()
        .flat_map(|entries| entries.values())
        .filter_map(|entry| entry.get("channels").and_then(Value::as_array))
        .flatten()
        .filter_map(Value::as_str)
        .filter(|channel| offered().iter().all(|offered| offered.channel != *channel))
        .collect();
    if channels.contains(&named) {
        return Some(named.to_owned());
    }
    let is_configured = document.pointer(&format!("/channels/{named}")).is_some();
    let begins = |channel: &&&str| {
        channel
            .strip_prefix(named)
            .is_some_and(|rest| rest.starts_with('-'))
    };
    let longer: Vec<&&str> = channels.iter().filter(begins).collect();
    match longer.as_slice() {
        [only] if !is_configured => Some((**only).to_owned()),
        _ => None,
    }
}

/// Links an account of this channel.
pub(super) async fn link(
    common: &Common,
    channel: &str,
    login: &ChannelsLogin,
    style: Style,
) -> Result<(), Failed> {
    if !login.of.set.is_empty() || !login.of.file.is_empty() {
        return Err(
            Failed::new(Exit::Usage, format!("{channel} takes no credentials here")).next(format!(
                "`gatehouse channels login {channel}` alone shows the code that links it"
            )),
        );
    }
    let mut caller = Caller::connect(common, style, &[START, WAIT]).await?;
    let done = caller.link(channel, login).await;
    caller.close().await;
    done
}

impl Caller {
    async fn link(&mut self, channel: &str, login: &ChannelsLogin) -> Result<(), Failed> {
        let deadline = Instant::now() + Duration::from_secs(login.timeout.into());
        let (mut shown, mut said): (Option<Code>, Option<String>) = (None, None);
        let mut force = login.of.force.then_some(true);
        let mut lines = 0;
        loop {
            let left = deadline.saturating_duration_since(Instant::now()).min(CALL);
            if left.is_zero() {
                return Err(in_vain(channel, login.timeout));
            }
            let params = given([
                ("channel", json!(channel)),
                ("accountId", json!(login.of.account)),
                ("timeoutMs", json!(left.as_millis())),
                ("force", json!(force.take())),
                (
                    "currentQrDataUrl",
                    json!(shown.as_ref().map(|code| &code.picture)),
                ),
                (
                    "currentPairCode",
                    json!(shown.as_ref().map(|code| &code.pair_code)),
                ),
            ]);
            let method = if shown.is_some() { WAIT } else { START };
            let answer = self.ask_within(method, &params, left + SLACK).await?;
            let reached: Reached = answer.read()?;
            if reached.connected {
                return self.linked(&answer, &reached);
            }
            if matches!(reached.state.as_str(), "failed" | "stopped" | "standby") {
                return Err(
                    Failed::new(Exit::Failed, printable(&reached.message)).next(format!(
                        "`gatehouse channels logs {}` says what happened",
                        reached.channel
                    )),
                );
            }
            let code = reached.code();
            if code.is_some() && code != shown {
                lines = self.show(&answer, &reached, lines)?;
                shown = code;
                if login.of.no_wait {
                    return Ok(());
                }
            } else if shown.is_none() && said.as_ref() != Some(&reached.message) {
                output::remark(&printable(&reached.message));
                said = Some(reached.message);
            }
        }
    }

    /// Shows a code in the place of the one before, and says how many lines it took.
    fn show(&self, answer: &Answer, reached: &Reached, before: usize) -> Result<usize, Failed> {
        if self.json {
            answer.print()?;
            return Ok(0);
        }
        let mut drawn = String::new();
        if let Some(qr) = &reached.qr {
            drawn.push_str(&picture(qr)?);
        }
        if let Some(code) = &reached.pair_code {
            drawn.push_str(&format!("{}\n", printable(code)));
        }
        drawn.push_str(&format!("{}\n", printable(&reached.message).replace('\n', " ")));
        if before > 0 && std::io::stdout().is_terminal() {
            // Back to where the old one began, and away with it: a phone must not be shown two.
            output::text(&format!("\u{1b}[{before}A\u{1b}[J"))?;
        }
        output::text(&drawn)?;
        Ok(drawn.lines().count())
    }

    fn linked(&self, answer: &Answer, reached: &Reached) -> Result<(), Failed> {
        let Reached {
            channel, account_id, ..
        } = reached;
        self.done(answer, &format!("{channel}/{account_id} is connected"))
    }
}

impl Reached {
    fn code(&self) -> Option<Code> {
        let is_there = self.qr.is_some() || self.pair_code.is_some();
        is_there.then(|| Code {
            picture: self.qr_data_url.clone(),
            qr: self.qr.clone(),
            pair_code: self.pair_code.clone(),
        })
    }
}

fn in_vain(channel: &str, seconds: u16) -> Failed {
    Failed::new(
        Exit::Failed,
        format!("{channel} was not linked within {seconds} seconds"),
    )
    .next(format!(
        "`gatehouse channels login {channel}` shows another code; --timeout waits for longer"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(channels: &Value, brought: &[&str]) -> Value {
        json!({"channels": channels, "plugins": {"entries": {"web": {"channels": brought}, "none": {}}}})
    }

    #[test]
    fn a_plugins_channel_is_meant_by_its_name_and_by_its_beginning_where_nothing_else_is() {
        let web = document(&json!({"whatsapp-web": {}}), &["whatsapp-web"]);
        assert_eq!(brought(&web, "whatsapp-web").as_deref(), Some("whatsapp-web"));
        assert_eq!(brought(&web, "whatsapp").as_deref(), Some("whatsapp-web"));
        assert_eq!(brought(&web, "what"), None);
        assert_eq!(brought(&web, "telegram"), None);

        let both = document(&json!({"whatsapp": {}, "whatsapp-web": {}}), &["whatsapp-web"]);
        assert_eq!(brought(&both, "whatsapp"), None, "it has credentials of its own");
        let two = document(&json!({}), &["whatsapp-web", "whatsapp-second"]);
        assert_eq!(brought(&two, "whatsapp"), None, "nobody knows which");
        assert_eq!(
            brought(&document(&json!({}), &["telegram"]), "telegram"),
            None,
            "what is compiled in is nobody else's"
        );
    }
}
