//! `gatehouse devices` and `gatehouse pair`.

use serde::Deserialize;
use serde_json::json;

use super::{Answer, Caller, picture::picture, sessions::given, unknown};
use crate::{
    args::{
        Common,
        devices::{Devices, DevicesVerb, Pair, PairAs},
    },
    client::Client,
    exit::{Exit, Failed},
    output,
    term::{Ink, Style, Table},
};

const LIST: &str = "device.pair.list";
const SETUP: &str = "device.pair.setupCode";

/// Digits of an id that a list shows: enough to tell some thousands apart.
const SHOWN: usize = 12;

#[derive(Deserialize)]
struct All {
    #[serde(default)]
    pending: Vec<Request>,
    #[serde(default)]
    paired: Vec<Device>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    request_id: String,
    device_id: String,
    display_name: Option<String>,
    client_id: Option<String>,
    platform: Option<String>,
    role: String,
    #[serde(default)]
    scopes: Vec<String>,
    remote_ip: Option<String>,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Device {
    device_id: String,
    display_name: Option<String>,
    client_id: Option<String>,
    platform: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    scopes: Vec<String>,
    approved_via: String,
}

/// A code as the method answers it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Code {
    setup_code: String,
    gateway_url: String,
}

/// Runs `devices`.
pub(crate) async fn run(common: &Common, devices: &Devices, style: Style) -> Result<(), Failed> {
    let verb = devices.verb.as_ref().unwrap_or(&DevicesVerb::List);
    let methods: &[&str] = match verb {
        DevicesVerb::List => &[LIST],
        // What it grants it has to hold, so it asks for all that its token is good for.
        DevicesVerb::Approve { .. } => &["device.pair.approve", LIST, SETUP],
        DevicesVerb::Reject { .. } => &["device.pair.reject", LIST],
        DevicesVerb::Revoke { .. } => &["device.token.revoke", LIST],
        DevicesVerb::Remove { .. } => &["device.pair.remove", LIST],
        DevicesVerb::Rename { .. } => &["device.pair.rename", LIST],
    };
    let mut caller = Caller::connect(common, style, methods).await?;
    let done = caller.devices(verb).await;
    caller.close().await;
    done
}

/// Runs `pair`.
pub(crate) async fn pair(common: &Common, pair: &Pair, style: Style) -> Result<(), Failed> {
    let (gateway, client) = Client::follow(common, &[SETUP]).await?;
    let json = common.json;
    let mut caller = Caller { client, json, style };
    let done = caller.pair(pair, gateway.url.as_str()).await;
    caller.close().await;
    done
}

impl Caller {
    async fn devices(&mut self, verb: &DevicesVerb) -> Result<(), Failed> {
        let listed = self.ask(LIST, &json!({})).await?;
        let all: All = listed.read()?;
        match verb {
            DevicesVerb::List if self.json => listed.print(),
            DevicesVerb::List => self.list_devices(&all),
            DevicesVerb::Approve { request } => {
                let found = all.request(request.as_deref())?;
                let (params, who) = (json!({"requestId": found.request_id}), found.who());
                let answer = self.ask("device.pair.approve", &params).await?;
                self.done(&answer, &format!("{who} may come in as {} now", found.role))
            }
            DevicesVerb::Reject { request } => {
                let found = all.request(request.as_deref())?;
                let (params, who) = (json!({"requestId": found.request_id}), found.who());
                let answer = self.ask("device.pair.reject", &params).await?;
                self.done(&answer, &format!("the request of {who} is refused"))
            }
            DevicesVerb::Revoke { device, role } => {
                let found = all.device(device)?;
                let roles = match role {
                    Some(role) => vec![role.clone()],
                    None => found.roles.clone(),
                };
                let mut last = None;
                for role in roles {
                    let params = json!({"deviceId": found.device_id, "role": role});
                    last = Some(self.ask("device.token.revoke", &params).await?);
                }
                let answer = last.ok_or_else(|| Failed::new(Exit::Failed, "the device has no role"))?;
                let who = found.who();
                self.done(
                    &answer,
                    &format!("the token of {who} is revoked, and its connections are closed"),
                )
            }
            DevicesVerb::Remove { device } => {
                let found = all.device(device)?;
                let answer = self
                    .ask("device.pair.remove", &json!({"deviceId": found.device_id}))
                    .await?;
                self.done(&answer, &format!("{} is forgotten", found.who()))
            }
            DevicesVerb::Rename { device, name } => {
                let found = all.device(device)?;
                let params = json!({"deviceId": found.device_id, "label": name});
                let answer = self.ask("device.pair.rename", &params).await?;
                self.done(&answer, &format!("{} is called {name} now", found.who()))
            }
        }
    }

    fn list_devices(&self, all: &All) -> Result<(), Failed> {
        if !all.pending.is_empty() {
            let mut waiting = Table::new(&["WAITS", "WHO", "AS", "SCOPES", "FROM", "WHY"]);
            for request in &all.pending {
                waiting.row(vec![
                    (Some(Ink::Cyan), short(&request.request_id)),
                    (None, request.who()),
                    (None, request.role.clone()),
                    (None, words(&request.scopes)),
                    (None, request.remote_ip.clone().unwrap_or_default()),
                    (None, request.reason.clone()),
                ]);
            }
            self.table(&waiting, "")?;
        }
        let mut paired = Table::new(&["DEVICE", "WHO", "AS", "SCOPES", "SINCE"]);
        for device in &all.paired {
            paired.row(vec![
                (Some(Ink::Cyan), short(&device.device_id)),
                (None, device.who()),
                (None, device.roles.join(" ")),
                (None, words(&device.scopes)),
                (None, device.approved_via.clone()),
            ]);
        }
        self.table(&paired, "no device is paired")
    }

    async fn pair(&mut self, pair: &Pair, here: &str) -> Result<(), Failed> {
        let params = |at: Option<&str>| {
            given([
                ("bootstrapProfile", json!(pair.access.as_str())),
                ("publicUrl", json!(at)),
            ])
        };
        let (answer, source) = match self.ask(SETUP, &params(pair.at.as_deref())).await {
            Ok(answer) => (answer, pair.at.is_some().then_some("--at")),
            // Nobody has said where the gateway is reached: from here it is reached where this command reaches it.
            Err(_) if pair.at.is_none() => (self.ask(SETUP, &params(Some(here))).await?, Some("connection")),
            Err(failed) => return Err(failed),
        };
        let code: Code = answer.read()?;
        if is_here_alone(&code.gateway_url) {
            output::remark(&format!(
                "no other machine reaches {}: name an address that a phone can reach with --at URL, or for good with \
                 `gatehouse config set gateway.publicOrigin URL`",
                gatehouse_core::telemetry::escape(&code.gateway_url)
            ));
        }
        if self.json {
            return output::line(&with_source(&answer, source)?);
        }
        self.show_code(&code, pair)
    }

    fn show_code(&self, code: &Code, pair: &Pair) -> Result<(), Failed> {
        if !pair.no_qr {
            output::text(&picture(&code.setup_code)?)?;
        }
        output::line(&code.setup_code)?;
        output::remark(&format!(
            "for one device, once, within ten minutes; it connects to {}",
            gatehouse_core::telemetry::escape(&code.gateway_url)
        ));
        if pair.access != PairAs::Node {
            output::remark(&format!("in a browser: {}", page_of(code)));
        }
        Ok(())
    }
}

/// The gateway's own page with the code behind it, in the part of an address that no server sees.
fn page_of(code: &Code) -> String {
    let page = code.gateway_url.trim_end_matches('/').replacen("ws", "http", 1);
    format!(
        "{}/#code={}",
        gatehouse_core::telemetry::escape(&page),
        code.setup_code
    )
}

/// Whether an address leads a device to itself, and to no other machine.
fn is_here_alone(url: &str) -> bool {
    match url::Url::parse(url).ok().as_ref().and_then(url::Url::host) {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback() || ip.is_unspecified(),
        Some(url::Host::Ipv6(ip)) => ip.to_canonical().is_loopback() || ip.is_unspecified(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// The answer with who named the address, where the gateway knows only that this command did.
fn with_source(answer: &Answer, source: Option<&str>) -> Result<String, Failed> {
    let mut told: serde_json::Map<String, serde_json::Value> = answer.read()?;
    if let Some(source) = source {
        told.insert("urlSource".to_owned(), source.into());
    }
    Ok(serde_json::Value::Object(told).to_string())
}

impl All {
    /// The request that is meant.
    fn request(&self, named: Option<&str>) -> Result<&Request, Failed> {
        let ids = || self.pending.iter().map(|request| request.request_id.as_str());
        let Some(named) = named else {
            return match self.pending.as_slice() {
                [only] => Ok(only),
                [] => Err(Failed::new(Exit::Failed, "no device waits")
                    .next("`gatehouse devices` shows those that are paired")),
                _ => Err(Failed::new(Exit::Usage, "several devices wait: name one")
                    .next("`gatehouse devices` shows them")),
            };
        };
        let found: Vec<_> = self
            .pending
            .iter()
            .filter(|request| request.request_id.starts_with(named) || request.device_id.starts_with(named))
            .collect();
        match found.as_slice() {
            [only] => Ok(only),
            [] => Err(unknown("request", named, ids(), "gatehouse devices")),
            _ => Err(ambiguous(named)),
        }
    }

    /// The device that is meant.
    fn device(&self, named: &str) -> Result<&Device, Failed> {
        let found: Vec<_> = self
            .paired
            .iter()
            .filter(|device| {
                device.device_id.starts_with(named) || device.display_name.as_deref() == Some(named)
            })
            .collect();
        match found.as_slice() {
            [only] => Ok(only),
            [] => {
                let ids = self.paired.iter().map(|device| device.device_id.as_str());
                Err(unknown("device", named, ids, "gatehouse devices"))
            }
            _ => Err(ambiguous(named)),
        }
    }
}

fn ambiguous(named: &str) -> Failed {
    Failed::new(Exit::Usage, format!("{named} may mean several"))
        .next("give more digits; `gatehouse devices --json` has all of them")
}

impl Request {
    fn who(&self) -> String {
        who(
            &[&self.display_name, &self.client_id],
            &self.platform,
            &self.device_id,
        )
    }
}

impl Device {
    fn who(&self) -> String {
        who(
            &[&self.display_name, &self.client_id],
            &self.platform,
            &self.device_id,
        )
    }
}

fn who(names: &[&Option<String>], platform: &Option<String>, id: &str) -> String {
    let name = names.iter().find_map(|name| name.as_deref());
    let name = name.map_or_else(|| short(id), str::to_owned);
    match platform {
        Some(platform) => format!("{name} ({platform})"),
        None => name,
    }
}

fn short(id: &str) -> String {
    id.chars().take(SHOWN).collect()
}

/// Scopes without what all of them begin with.
fn words(scopes: &[String]) -> String {
    let words: Vec<_> = scopes
        .iter()
        .map(|scope| scope.strip_prefix("operator.").unwrap_or(scope))
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn all() -> All {
        let request = |id: &str, device: &str| json!({"requestId": id, "deviceId": device, "role": "operator", "reason": "not-paired"});
        let device =
            |id: &str, name: Value| json!({"deviceId": id, "displayName": name, "approvedVia": "silent"});
        let all = json!({
            "pending": [request("r1", "aa11"), request("r2", "aa22")],
            "paired": [device("bb11", json!("phone")), device("bb22", Value::Null)],
        });
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn a_request_is_named_by_its_beginning_or_by_being_the_only_one() {
        let mut all = all();

        assert_eq!(all.request(Some("r2")).unwrap().device_id, "aa22");
        assert_eq!(all.request(Some("aa1")).unwrap().request_id, "r1");
        assert!(
            all.request(Some("aa")).is_err() && all.request(Some("x")).is_err() && all.request(None).is_err()
        );
        all.pending.pop();
        assert_eq!(all.request(None).unwrap().request_id, "r1");
        all.pending.clear();
        assert!(all.request(None).is_err());
    }

    #[test]
    fn a_device_is_named_by_its_beginning_or_its_name() {
        let all = all();

        assert_eq!(all.device("phone").unwrap().device_id, "bb11");
        assert_eq!(all.device("bb2").unwrap().device_id, "bb22");
        assert!(all.device("bb").is_err() && all.device("tablet").is_err());
    }

    #[test]
    fn an_address_that_no_phone_reaches_is_told_apart() {
        for here in [
            "ws://127.0.0.1:18789",
            "ws://127.3.2.1",
            "http://localhost:1",
            "ws://[::1]:18789/",
            "ws://[::ffff:127.0.0.1]:1",
            "ws://0.0.0.0:18789",
            "ws://[::]:18789",
        ] {
            assert!(is_here_alone(here), "{here}");
        }
        for elsewhere in [
            "ws://192.168.1.2:18789",
            "https://home.example.org",
            "wss://[fd00::1]:1",
        ] {
            assert!(!is_here_alone(elsewhere), "{elsewhere}");
        }
    }

    #[test]
    fn who_named_the_address_is_told_by_its_name() {
        let answer = Answer {
            method: SETUP.to_owned(),
            payload: serde_json::value::to_raw_value(&json!({"setupCode": "c", "urlSource": "publicUrl"}))
                .unwrap(),
        };
        let source = |named| {
            let told: Value = serde_json::from_str(&with_source(&answer, named).unwrap()).unwrap();
            assert_eq!(told["setupCode"], "c");
            told["urlSource"].as_str().unwrap().to_owned()
        };

        assert_eq!(
            (source(Some("connection")), source(None)),
            ("connection".into(), "publicUrl".into())
        );
    }

    #[test]
    fn a_code_opens_the_page_without_any_server_reading_it() {
        let page = |url: &str| {
            page_of(&Code {
                setup_code: "c0de".to_owned(),
                gateway_url: url.to_owned(),
            })
        };

        assert_eq!(
            page("wss://home.example.org"),
            "https://home.example.org/#code=c0de"
        );
        assert_eq!(page("ws://127.0.0.1:18789/"), "http://127.0.0.1:18789/#code=c0de");
    }
}
