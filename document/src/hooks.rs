//! `hooks`: what programs outside bring by HTTP, each event a request with a token or a signature of its own.

mod read;
pub mod template;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretInput;

/// The longest body of a request, in bytes: the least and the most that an operator may allow. OpenClaw takes 256 KiB.
pub const BODY_BYTES: (u32, u32) = (1_024, 262_144);

/// Mappings that are read: each request is held against them in turn.
pub const MAPPINGS_MAX: usize = 100;

/// How far the clock of whoever signs may be from ours, in seconds, unless the document says otherwise: what Stripe and Slack say.
pub const TOLERANCE_SECONDS: u32 = 300;

/// What programs outside may bring by HTTP. Off unless it is switched on.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Hooks {
    /// Whether requests are taken at all.
    pub enabled: bool,
    /// What a caller shows: `Authorization: Bearer <token>`, or `x-openclaw-token`. Never the gateway's own token. Unset: only mappings
    /// with a signature take anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretInput>,
    /// The path below which they come in.
    pub path: String,
    /// The longest body of a request, in bytes. Unset: 262144.
    #[schemars(range(min = BODY_BYTES.0, max = BODY_BYTES.1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_body_bytes: Option<u32>,
    /// The session of events that name none. Unset: each has one of its own, which is forgotten after a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_session_key: Option<String>,
    /// Whether a request may name its session.
    pub allow_request_session_key: bool,
    /// What the name of a session that a request names has to begin with. Unset: `hook:`. Empty or blank ones allow nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_session_key_prefixes: Option<Vec<String>>,
    /// The agents that may be asked. `*`: every agent. Unset: every agent. Empty or blank ones allow none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_agent_ids: Option<Vec<String>>,
    /// Mappings that the gateway knows, behind your own.
    pub presets: Vec<Preset>,
    /// What becomes of requests at `<path>/<anything>`: the first mapping that fits counts.
    #[schemars(length(max = MAPPINGS_MAX))]
    pub mappings: Vec<Mapping>,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            enabled: false,
            token: None,
            path: "/hooks".to_owned(), // OpenClaw's
            max_body_bytes: None,
            default_session_key: None,
            allow_request_session_key: false,
            allowed_session_key_prefixes: None,
            allowed_agent_ids: None,
            presets: Vec::new(),
            mappings: Vec::new(),
        }
    }
}

/// A mapping that the gateway knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// `<path>/gmail`: each of the `messages` asks an agent.
    Gmail,
}

/// What becomes of some requests.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Mapping {
    /// Its name, in logs and for repeats. Unset: its path or its source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Which requests. Without a path and a source it fits none.
    #[serde(rename = "match")]
    pub fits: Fits,
    /// What is done.
    pub action: Action,
    /// When an event of `action: "wake"` is looked at.
    pub wake_mode: WakeMode,
    /// What people call where it comes from. Unset: `Hook`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The agent. Unset: that of the session, else the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// The session, as it is written here: what a request says never becomes part of it. Unset: `hooks.defaultSessionKey`, else one of
    /// its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_key: Option<String>,
    /// What the agent is asked. `{{a.b[0]}}` stands for what the body says there, `{{headers.x}}`, `{{query.x}}` and `{{path}}` for
    /// parts of the request. Unset: the whole body. Read with `action: "agent"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_template: Option<String>,
    /// What the session hears, with `action: "wake"`. Unset: the whole body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_template: Option<String>,
    /// A list in the body: each of its elements is an event of its own, `{{item}}` in templates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_each: Option<String>,
    /// Whether a chat is told the answer. Unset: yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliver: Option<bool>,
    /// The channel of that chat. Unset, or `last`: the chat that spoke last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The chat, by the platform's id. With `channel`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// `<provider>/<model>` for the answer. Unset: the agent's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How hard to think. Unset: as the agent does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking: Option<String>,
    /// The longest that the answer may take, in seconds. Unset: as long as the agent's others.
    #[schemars(range(min = 1, max = 3_600))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// True: what the request says is told without the marks that call it words from outside. Dangerous: who can write there can then
    /// tell the agent what to do.
    pub allow_unsafe_external_content: bool,
    /// How requests are signed. They need no token then, and without a right signature are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

/// Which requests.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Fits {
    /// What stands behind `hooks.path`, for example `github`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What the body says as its `source`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// What is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// An agent is asked.
    #[default]
    Agent,
    /// An agent's main session hears of it.
    Wake,
}

/// When an event is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WakeMode {
    /// At once.
    #[default]
    Now,
    /// When the agent's next heartbeat is due.
    NextHeartbeat,
}

/// How requests are signed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Signature {
    /// Whose way of signing.
    pub profile: Profile,
    /// The key that signs: 16 characters or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretInput>,
    /// With `hmac`: the header with the signature. Unset: `x-signature`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// With `hmac`: what stands before the signature in the header, for example `sha256=`. Unset: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// With `hmac`: how the signature is written.
    #[serde(default)]
    pub encoding: Encoding,
    /// With `hmac`: the header with the time of signing, in seconds since 1970. What is signed is then `<time>.<body>`. Unset: the
    /// body alone is, and nobody can tell how old a request is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_header: Option<String>,
    /// How far the time of signing may be from ours, in seconds. Unset: 300.
    #[schemars(range(min = 1, max = 3_600))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance_seconds: Option<u32>,
}

/// Whose way of signing. All of them are HMAC with SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// `X-Hub-Signature-256: sha256=<hex>` of the body.
    Github,
    /// `Stripe-Signature: t=<seconds>,v1=<hex>` of `<seconds>.<body>`.
    Stripe,
    /// `X-Slack-Signature: v0=<hex>` of `v0:<X-Slack-Request-Timestamp>:<body>`.
    Slack,
    /// A header of your own choice.
    Hmac,
}

/// How bytes are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// In hexadecimal digits.
    #[default]
    Hex,
    /// In base64.
    Base64,
}
