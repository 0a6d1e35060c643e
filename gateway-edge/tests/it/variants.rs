//! The handshake in all its variants: right, wrong, and in between. One file has what is sent, what OpenClaw's gateway was seen to answer,
//! what this one answers, and why where the two differ; the conformance kit plays the same file against both, and the section
//! "Handshake" of docs/compatibility.md is written from it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

mod play;

/// One way to begin.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Variant {
    group: String,
    name: String,
    #[serde(flatten)]
    said: Said,
    /// What OpenClaw's gateway answered.
    openclaw: Outcome,
    /// What this one answers.
    gatehouse: Outcome,
    /// Why clients that act on the answer meet something else here.
    why: Option<String>,
}

/// What is said, and where.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    /// What differs in `gateway` of the configuration.
    gateway: Option<Value>,
    /// When, in the life of a gateway.
    state: Option<State>,
    /// For what the config service lets the device wait.
    waits: Option<String>,
    /// Headers of the upgrade.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Handshakes that came before, and were answered with a hello.
    #[serde(default)]
    before: Vec<Step>,
    /// How often it is tried; the last time counts.
    #[serde(default = "once")]
    guesses: u32,
    /// Whether `connect` is said once more on the same socket; that answer counts.
    #[serde(default)]
    again: bool,
    #[serde(flatten)]
    step: Step,
}

const fn once() -> u32 {
    1
}

/// One handshake.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    /// What differs in the parameters.
    #[serde(default)]
    connect: Value,
    device: Option<Shown>,
    /// The first frame, if it is no `connect`: a text, or JSON.
    send: Option<Value>,
    #[serde(default)]
    untyped: bool,
    #[serde(default)]
    unnamed: bool,
}

/// The device block.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Shown {
    key: Key,
    signed_by: Option<Key>,
    form: Option<String>,
    /// Milliseconds from now.
    at: i64,
    nonce: Option<String>,
    /// What differs between what is signed and what is sent.
    signs: Value,
    /// What differs in the block, after the signature.
    block: Value,
    padded: bool,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Key {
    #[default]
    Own,
    Other,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
enum State {
    /// The configuration is not known yet.
    Starting,
    /// The gateway is about to end.
    Draining,
    /// As ever, but the client says nothing.
    Silent,
}

/// What came of it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Outcome {
    hello: Option<Hello>,
    /// The HTTP status of an upgrade that was refused.
    http: Option<u16>,
    code: Option<String>,
    details: Option<String>,
    /// What the client is told to do about it.
    next: Option<String>,
    /// Of a refusal after which the socket stays open.
    message: Option<String>,
    close: Option<(u16, String)>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Hello {
    role: String,
    scopes: Vec<String>,
    device_token: bool,
}

impl Outcome {
    /// Whether clients act on both in the same way. Words are for people, and a code in the details that the other does not have is one more
    /// thing to know them by.
    fn is_like(&self, ours: &Self) -> bool {
        let acted = |came: &Self| Self {
            details: came
                .details
                .clone()
                .filter(|_| self.details.is_some() || self.hello.is_some()),
            next: None,
            message: None,
            close: came.close.as_ref().map(|(code, _)| (*code, String::new())),
            ..came.clone()
        };
        acted(self) == acted(ours)
    }

    fn shown(&self) -> String {
        let mut words = Vec::new();
        if let Some(hello) = &self.hello {
            let scopes: Vec<&str> = hello
                .scopes
                .iter()
                .map(|scope| scope.trim_start_matches("operator."))
                .collect();
            let scopes = match (&*hello.role, scopes.as_slice()) {
                ("node", _) => " as a node".to_owned(),
                (_, []) => ", no scopes".to_owned(),
                (_, some) => format!(", {}", some.join(" ")),
            };
            let token = if hello.device_token { ", device token" } else { "" };
            words.push(format!("hello{scopes}{token}"));
        }
        if let Some(status) = self.http {
            words.push(format!("HTTP {status}"));
        }
        words.extend(
            self.code
                .iter()
                .chain(&self.details)
                .map(|code| format!("`{code}`")),
        );
        match &self.close {
            Some((code, reason)) if self.code.is_none() && !reason.is_empty() => {
                words.push(format!("close {code} `{reason}`"));
            }
            Some((code, _)) => words.push(format!("close {code}")),
            None => (),
        }
        words.join(" ")
    }
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/variants"))
}

fn variants() -> Vec<Variant> {
    let text = fs::read_to_string(folder().join("variants.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn every_variant_of_the_handshake_ends_as_it_is_written_down() {
    let mut wrong = String::new();
    for (index, variant) in variants().into_iter().enumerate() {
        let came = play::play(u8::try_from(index).unwrap(), &variant.said).await;

        if came != variant.gatehouse {
            let came = serde_json::to_string(&came).unwrap();
            writeln!(wrong, "{}: {}: {came}", variant.group, variant.name).unwrap();
        }
    }
    assert!(wrong.is_empty(), "ends otherwise:\n{wrong}");
}

#[test]
fn where_a_client_meets_something_else_than_at_openclaw_it_is_said_why_and_nowhere_else() {
    for variant in variants() {
        let differs = !variant.openclaw.is_like(&variant.gatehouse);
        let is_said = variant.why.as_ref().is_some_and(|why| why.len() > 10);

        assert_eq!(differs, is_said, "{}: {}", variant.group, variant.name);
    }
}

/// Every code that clients of the protocol know for a handshake that is refused, but three: no build of a page and no version of a
/// client is refused here, and who is named by a proxy needs no second word for it.
const CODES: [&str; 21] = [
    "AUTH_BOOTSTRAP_TOKEN_INVALID",
    "AUTH_DEVICE_TOKEN_MISMATCH",
    "AUTH_IDENTITY_HEADER_REQUIRED",
    "AUTH_PASSWORD_MISMATCH",
    "AUTH_PASSWORD_MISSING",
    "AUTH_RATE_LIMITED",
    "AUTH_SCOPE_MISMATCH",
    "AUTH_TOKEN_MISMATCH",
    "AUTH_TOKEN_MISSING",
    "CONTROL_UI_ORIGIN_NOT_ALLOWED",
    "DEVICE_AUTH_DEVICE_ID_MISMATCH",
    "DEVICE_AUTH_NONCE_MISMATCH",
    "DEVICE_AUTH_NONCE_REQUIRED",
    "DEVICE_AUTH_PUBLIC_KEY_INVALID",
    "DEVICE_AUTH_SIGNATURE_EXPIRED",
    "DEVICE_AUTH_SIGNATURE_INVALID",
    "DEVICE_IDENTITY_REQUIRED",
    "GATEWAY_DRAINING",
    "GATEWAY_STARTING",
    "PAIRING_REQUIRED",
    "PROTOCOL_MISMATCH",
];

#[test]
fn every_code_of_a_refusal_is_tried_and_each_says_what_to_do_next_and_why_the_socket_closes() {
    let all = variants();
    let refusals = all
        .iter()
        .map(|variant| &variant.gatehouse)
        .filter(|came| came.code.is_some());
    let mut tried = BTreeSet::new();
    for refusal in refusals.filter(|came| came.message.is_none()) {
        assert!(refusal.next.is_some(), "{refusal:?}");
        let told = refusal
            .close
            .as_ref()
            .is_some_and(|(_, reason)| reason.len() > 10);
        assert!(told, "{refusal:?}");
        tried.extend(refusal.details.as_deref());
    }

    let untried: Vec<_> = CODES.into_iter().filter(|code| !tried.contains(code)).collect();
    assert_eq!(untried, [] as [&str; 0]);
}

/// The section of docs/compatibility.md. `UPDATE_DOCS=1` writes it anew.
#[test]
fn the_committed_reference_of_the_handshake_is_current() {
    const BEGIN: &str = "<!-- handshake: make docs -->\n";
    const END: &str = "<!-- end of handshake -->";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/compatibility.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the mark of the beginning");
    let (section, after) = rest.split_once(END).expect("the mark of the end");
    let written = section_of(&variants());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{written}{END}{after}")).unwrap();
        return;
    }

    assert!(
        section == written,
        "docs/compatibility.md is out of date: `make docs` writes it anew"
    );
}

fn section_of(variants: &[Variant]) -> String {
    let same = |variant: &&Variant| variant.openclaw.is_like(&variant.gatehouse);
    let count = variants.iter().filter(same).count();
    let mut section = format!(
        "\n{} variants, {count} of them with the same outcome. Close reasons repeat the message of the refusal, in words of our own; where OpenClaw has no `details.code`, Gatehouse has one.\n",
        variants.len()
    );
    let mut group = "";
    for variant in variants {
        if variant.group != group {
            group = &variant.group;
            write!(
                section,
                "\n### {group}\n\n| variant | OpenClaw | Gatehouse | why |\n| --- | --- | --- | --- |\n"
            )
            .unwrap();
        }
        let ours = if same(&variant) {
            "the same".to_owned()
        } else {
            variant.gatehouse.shown()
        };
        let why = variant.why.as_deref().unwrap_or_default();
        let (name, theirs) = (&variant.name, variant.openclaw.shown());
        writeln!(section, "| {name} | {theirs} | {ours} | {why} |").unwrap();
    }
    section.push('\n');
    section
}
