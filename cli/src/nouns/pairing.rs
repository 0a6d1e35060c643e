//! `gatehouse pairing`.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Caller, facts, sessions::given, unknown};
use crate::{
    args::{
        Common,
        nouns::{Pairing, PairingOf, PairingVerb},
    },
    exit::{Exit, Failed},
    output,
    term::{Ink, Style, Table},
};

const LIST: &str = "channels.pairing.list";

#[derive(Deserialize)]
struct All {
    #[serde(default)]
    accounts: Vec<Account>,
    #[serde(default)]
    requests: Vec<Map<String, Value>>,
}

/// An account that lets strangers ask.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    channel: String,
    account_id: String,
}

pub(crate) async fn run(common: &Common, pairing: &Pairing, style: Style) -> Result<(), Failed> {
    let listed = PairingVerb::List { channel: None };
    let verb = pairing.verb.as_ref().unwrap_or(&listed);
    let methods: &[&str] = match verb {
        PairingVerb::List { .. } | PairingVerb::Show { .. } => &[LIST],
        PairingVerb::Approve(_) => &["channels.pairing.approve", LIST],
        PairingVerb::Dismiss(_) => &["channels.pairing.dismiss", LIST],
    };
    let mut caller = Caller::connect(common, style, methods).await?;
    let done = caller.pairing(verb).await;
    caller.close().await;
    done
}

impl Caller {
    async fn pairing(&mut self, verb: &PairingVerb) -> Result<(), Failed> {
        match verb {
            PairingVerb::List { channel } => {
                let answer = self.ask(LIST, &given([("channel", json!(channel))])).await?;
                if self.json {
                    return answer.print();
                }
                self.list_requests(&answer.read()?)
            }
            PairingVerb::Show { request } => {
                let all: All = self.ask(LIST, &json!({})).await?.read()?;
                let found = all
                    .requests
                    .iter()
                    .find(|found| text(found, "requestId") == *request);
                let Some(found) = found else {
                    let ids: Vec<_> = all
                        .requests
                        .iter()
                        .map(|found| text(found, "requestId"))
                        .collect();
                    return Err(unknown(
                        "request",
                        request,
                        ids.iter().map(String::as_str),
                        "gatehouse pairing",
                    ));
                };
                if self.json {
                    return output::line(&Value::Object(found.clone()).to_string());
                }
                output::text(&facts::lines(found, self.style, None))
            }
            PairingVerb::Approve(of) => self.decide("channels.pairing.approve", of).await,
            PairingVerb::Dismiss(of) => self.decide("channels.pairing.dismiss", of).await,
        }
    }

    fn list_requests(&self, all: &All) -> Result<(), Failed> {
        let mut table = Table::new(&["REQUEST", "ACCOUNT", "WHO", "SINCE", "UNTIL"]);
        for request in &all.requests {
            // To the minute: the seconds tell nobody anything.
            let minute = |name: &str| {
                text(request, name)
                    .chars()
                    .take(16)
                    .collect::<String>()
                    .replace('T', " ")
            };
            let (label, id) = (text(request, "senderLabel"), text(request, "senderId"));
            let who = if label.is_empty() || label == id {
                id
            } else {
                format!("{label} ({id})")
            };
            table.row(vec![
                (Some(Ink::Cyan), text(request, "requestId")),
                (
                    None,
                    format!("{}/{}", text(request, "channel"), text(request, "accountId")),
                ),
                (None, who),
                (None, minute("createdAt")),
                (None, minute("expiresAt")),
            ]);
        }
        let nothing = if all.accounts.is_empty() {
            "nobody can ask: no account has dmPolicy \"pairing\""
        } else {
            "nobody asks to be let in"
        };
        self.table(&table, nothing)
    }

    async fn decide(&mut self, method: &str, of: &PairingOf) -> Result<(), Failed> {
        let (channel, code) = match of.words.as_slice() {
            [channel, code] => (Some(channel.as_str()), code.as_str()),
            [code] => (None, code.as_str()),
            _ => return Err(Failed::new(Exit::Usage, "name the code of one request")),
        };
        let all: All = self.ask(LIST, &json!({})).await?.read()?;
        let account = account_of(&all, channel, of.account.as_deref(), code)?;
        let mut params =
            json!({"channel": account.channel, "accountId": account.account_id, "requestId": code});
        if method.ends_with("approve") && of.notify {
            params["notify"] = json!(true);
        }
        let answer = self.ask(method, &params).await?;
        let done: Map<String, Value> = answer.read()?;
        let sentence = match done.get("senderId").and_then(Value::as_str) {
            Some(sender) => format!(
                "{sender} may talk to {}/{} now",
                account.channel, account.account_id
            ),
            None => format!("the request of {code} is forgotten"),
        };
        self.done(&answer, &sentence)
    }
}

/// Where a request is: by its id, or the only account that can have given the code.
fn account_of(
    all: &All,
    channel: Option<&str>,
    account: Option<&str>,
    code: &str,
) -> Result<Account, Failed> {
    let fits = |candidate: &Account| {
        channel.is_none_or(|wanted| candidate.channel == wanted)
            && account.is_none_or(|wanted| candidate.account_id == wanted)
    };
    let of_request = |request: &Map<String, Value>| Account {
        channel: text(request, "channel"),
        account_id: text(request, "accountId"),
    };
    let by_id = all
        .requests
        .iter()
        .filter(|request| text(request, "requestId") == code);
    if let Some(found) = by_id.map(of_request).find(fits) {
        return Ok(found);
    }
    if let (Some(channel), Some(account)) = (channel, account) {
        return Ok(Account {
            channel: channel.to_owned(),
            account_id: account.to_owned(),
        });
    }
    // The code is known to the stranger and to the bridge alone: the account that has requests is asked.
    let mut waiting: Vec<Account> = Vec::new();
    for candidate in all.requests.iter().map(of_request).filter(fits) {
        let is_known = waiting
            .iter()
            .any(|known| known.channel == candidate.channel && known.account_id == candidate.account_id);
        if !is_known {
            waiting.push(candidate);
        }
    }
    match waiting.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(
            Failed::new(Exit::Failed, format!("nobody asks to be let in with {code}"))
                .next("`gatehouse pairing` shows who asks; a code is good for an hour"),
        ),
        several => {
            let names: Vec<_> = several
                .iter()
                .map(|one| format!("{}/{}", one.channel, one.account_id))
                .collect();
            Err(Failed::new(
                Exit::Usage,
                format!("people ask at several accounts: {}", names.join(", ")),
            )
            .next(format!(
                "name one: gatehouse pairing approve CHANNEL {code} --account ACCOUNT"
            )))
        }
    }
}

fn text(request: &Map<String, Value>, name: &str) -> String {
    request
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(requests: &[(&str, &str, &str)]) -> All {
        let request = |(id, channel, account): &(&str, &str, &str)| {
            let object = json!({"requestId": id, "channel": channel, "accountId": account});
            object.as_object().unwrap().clone()
        };
        All {
            accounts: Vec::new(),
            requests: requests.iter().map(request).collect(),
        }
    }

    #[test]
    fn a_code_alone_means_the_only_account_where_somebody_asks() {
        let one = all(&[("r1", "irc", "home"), ("r2", "irc", "home")]);
        let two = all(&[("r1", "irc", "home"), ("r2", "webhook", "default")]);
        let name = |found: Result<Account, Failed>| {
            found.map(|account| format!("{}/{}", account.channel, account.account_id))
        };

        assert_eq!(name(account_of(&one, None, None, "CODE")).unwrap(), "irc/home");
        assert_eq!(
            name(account_of(&two, Some("webhook"), None, "CODE")).unwrap(),
            "webhook/default"
        );
        assert_eq!(
            name(account_of(&two, None, None, "r2")).unwrap(),
            "webhook/default"
        );
        let several = account_of(&two, None, None, "CODE")
            .map(drop)
            .expect_err("which one?");
        assert!(
            several.to_string().contains("irc/home, webhook/default"),
            "{several}"
        );
        account_of(&all(&[]), None, None, "CODE")
            .map(drop)
            .expect_err("nobody asks");
    }
}
