//! What the configuration says of hooks, read once. What is wrong in it takes nothing.

use gatehouse_core::Secret;
use gatehouse_document::hooks::{
    Action, BODY_BYTES, Hooks, MAPPINGS_MAX, Mapping as Written, Preset, WakeMode as When,
    template::{Place, Template},
};

use super::signature::Signature;
use crate::key::{AgentId, SessionKey};
use crate::schedules::WakeMode;

/// What a session's name begins with where nothing else is said.
const PREFIX: &str = "hook:";

/// OpenClaw's words for a mail.
const GMAIL: &str =
    "New email from {{item.from}}\nSubject: {{item.subject}}\n{{item.snippet}}\n{{item.body}}";

/// What holds at the moment.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(super) enabled: bool,
    pub(super) token: Option<Secret>,
    pub(super) body_bytes_max: u32,
    pub(super) default_key: Option<String>,
    /// What the session of a request has to begin with. `None`: no request names one.
    prefixes: Option<Vec<String>>,
    /// `None`: every agent.
    agents: Option<Vec<AgentId>>,
    pub(super) mappings: Vec<Mapping>,
}

/// What becomes of some requests.
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    pub(super) id: String,
    path: Option<String>,
    source: Option<String>,
    pub(super) action: Action,
    pub(super) wake_mode: WakeMode,
    /// What people call where it comes from.
    pub(super) name: String,
    pub(super) agent: Option<String>,
    pub(super) key: Option<String>,
    /// Unset: the whole body is told.
    pub(super) template: Option<Template>,
    pub(super) for_each: Option<Place>,
    pub(super) deliver: bool,
    pub(super) channel: Option<String>,
    pub(super) to: Option<String>,
    pub(super) model: Option<String>,
    pub(super) thinking: Option<String>,
    pub(super) timeout_seconds: Option<f64>,
    /// Whether what it says is told without marks.
    pub(super) is_trusted: bool,
    pub(super) signature: Option<Signature>,
}

impl Rules {
    pub(crate) fn read(hooks: &Hooks) -> Self {
        let preset = |preset: &Preset| match preset {
            Preset::Gmail => Written {
                id: Some("gmail".to_owned()),
                fits: gatehouse_document::hooks::Fits {
                    path: Some("gmail".to_owned()),
                    source: None,
                },
                name: Some("Gmail".to_owned()),
                message_template: Some(GMAIL.to_owned()),
                for_each: Some("messages".to_owned()),
                ..Written::default()
            },
        };
        let own = hooks.mappings.iter().take(MAPPINGS_MAX).cloned();
        let (least, most) = BODY_BYTES;
        Self {
            enabled: hooks.enabled && hooks.base().is_ok(),
            token: hooks
                .token
                .as_ref()
                .and_then(|token| token.text())
                .map(str::trim)
                .filter(|token| !token.is_empty())
                .map(Secret::new),
            body_bytes_max: hooks.max_body_bytes.unwrap_or(most).clamp(least, most),
            default_key: not_blank(hooks.default_session_key.as_deref()),
            prefixes: hooks
                .allow_request_session_key
                .then(|| match &hooks.allowed_session_key_prefixes {
                    Some(prefixes) => words(prefixes),
                    None => vec![PREFIX.to_owned()],
                }),
            agents: match &hooks.allowed_agent_ids {
                Some(agents) if words(agents).iter().any(|agent| agent == "*") => None,
                Some(agents) => Some(
                    words(agents)
                        .iter()
                        .filter_map(|agent| AgentId::normalise(agent).ok())
                        .collect(),
                ),
                None => None,
            },
            mappings: own
                .chain(hooks.presets.iter().map(preset))
                .filter_map(|mapping| Mapping::read(&mapping))
                .collect(),
        }
    }

    /// Whether this agent may be asked.
    pub(super) fn allows(&self, agent: &AgentId) -> bool {
        self.agents.as_ref().is_none_or(|agents| agents.contains(agent))
    }

    /// Whether a request may name a session.
    pub(super) fn lets_requests_choose(&self) -> bool {
        self.prefixes.is_some()
    }

    /// Whether a request may name this session.
    pub(super) fn lets_requests_choose_this(&self, key: &SessionKey) -> bool {
        let begins = |prefix: &String| key.rest().starts_with(prefix) || key.as_str().starts_with(prefix);
        self.prefixes.iter().flatten().any(begins)
    }
}

impl Mapping {
    fn read(written: &Written) -> Option<Self> {
        let signature = match &written.signature {
            Some(signature) => Some(Signature::read(signature)?),
            None => None,
        };
        let for_each = match &written.for_each {
            Some(place) => Some(Place::read(place)?),
            None => None,
        };
        let (_, template) = written.template();
        written.wrong().is_empty().then(|| Self {
            id: written.name().to_owned(),
            path: written.path().map(str::to_owned),
            source: written
                .fits
                .source
                .as_ref()
                .map(|source| source.trim().to_owned()),
            action: written.action,
            wake_mode: match written.wake_mode {
                When::Now => WakeMode::Now,
                When::NextHeartbeat => WakeMode::NextHeartbeat,
            },
            name: not_blank(written.name.as_deref()).unwrap_or_else(|| "Hook".to_owned()),
            agent: written.agent_id.clone(),
            key: written.session_key.clone(),
            template: template.and_then(Result::ok),
            for_each,
            deliver: written.deliver.unwrap_or(true),
            channel: written.channel.clone(),
            to: written.to.clone(),
            model: written.model.clone(),
            thinking: written.thinking.clone(),
            timeout_seconds: written.timeout_seconds.map(f64::from),
            is_trusted: written.allow_unsafe_external_content,
            signature,
        })
    }

    /// Whether it may fit requests at this path.
    pub(super) fn is_at(&self, name: &str) -> bool {
        self.path.as_deref().is_none_or(|path| path == name)
    }

    /// Whether it fits.
    pub(super) fn fits(&self, name: &str, body: &serde_json::Value) -> bool {
        let source = || body.get("source").and_then(serde_json::Value::as_str);
        self.is_at(name)
            && self
                .source
                .as_deref()
                .is_none_or(|wanted| source() == Some(wanted))
    }
}

fn not_blank(text: Option<&str>) -> Option<String> {
    text.map(str::trim)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// The entries of a list that say something: an empty one is no wildcard.
fn words(list: &[String]) -> Vec<String> {
    let words = list.iter().map(|entry| entry.trim().to_lowercase());
    words.filter(|entry| !entry.is_empty()).collect()
}
