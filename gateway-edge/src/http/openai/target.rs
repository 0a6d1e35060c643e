//! Whom a request means: the agent behind `model`, and the session, the model and the name of the run from the headers.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderMap;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::super::{fields::wrong, rpc::params::IDEMPOTENCY_HEADER};
use crate::error::Refusal;

/// Longest name of an agent.
const AGENT_MAX: usize = 64;

/// How long a run goes on for a client that may come back with the same key, milliseconds: the SDKs ask again within seconds.
const LINGER_MS: u64 = 5_000;

/// Whom a request means.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) agent: Option<String>,
    pub(super) session_key: Option<String>,
    pub(super) model: Option<String>,
}

impl Target {
    /// Reads it. `model` is what the request names; a header goes before it.
    pub(super) fn read(model: &str, headers: &HeaderMap) -> Result<Self, Refusal> {
        let named = agent_of(model).ok_or_else(|| {
            let message = "Invalid `model`. Use `openclaw` for the default agent or `openclaw/<agentId>` for another; \
                 GET /v1/models lists them, and the header x-openclaw-model chooses the model behind an agent.";
            wrong("/model", message).detail("code", "model_not_found")
        })?;
        Ok(Self {
            agent: header(headers, "agent-id")?.or_else(|| named.map(str::to_owned)),
            session_key: header(headers, "session-key")?,
            model: header(headers, "model")?,
        })
    }
}

/// The agent that a `model` names: `Some(None)` is the default one, `None` no name of ours.
fn agent_of(model: &str) -> Option<Option<&str>> {
    let model = model.trim();
    if matches!(
        model,
        "openclaw" | "gatehouse" | "openclaw/default" | "gatehouse/default"
    ) {
        return Some(None);
    }
    ["openclaw/", "gatehouse/", "openclaw:", "gatehouse:", "agent:"]
        .iter()
        .find_map(|prefix| model.strip_prefix(prefix))
        .filter(|agent| !agent.is_empty() && agent.len() <= AGENT_MAX && !agent.contains([':', '/']))
        .map(Some)
}

/// One of the headers that steer a request, under OpenClaw's name or ours. A blank one says nothing.
fn header(headers: &HeaderMap, name: &str) -> Result<Option<String>, Refusal> {
    for owner in ["x-openclaw-", "x-gatehouse-"] {
        let name = format!("{owner}{name}");
        let Some(value) = headers.get(&name) else { continue };
        let text = value
            .to_str()
            .map_err(|_| Refusal::invalid(format!("the header {name} is not text")))?
            .trim();
        if !text.is_empty() {
            return Ok(Some(text.to_owned()));
        }
    }
    Ok(None)
}

/// The name of a run, and for how long it goes on when its client is gone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) id: String,
    pub(super) linger_ms: u64,
}

impl Name {
    /// A new name, or the one that belongs to the caller's idempotency key: no other caller can mean the same run by it.
    pub(super) fn of(prefix: &str, headers: &HeaderMap, credential: &str) -> Result<Self, Refusal> {
        let Some(key) = headers.get(IDEMPOTENCY_HEADER) else {
            return Ok(Self {
                id: format!("{prefix}{}", Uuid::new_v4().simple()),
                linger_ms: 0,
            });
        };
        let key = key.to_str().map_err(|_| {
            Refusal::invalid("the header Idempotency-Key is not text")
                .detail("code", "IDEMPOTENCY_KEY_INVALID")
        })?;
        let mut digest = Sha256::new();
        for part in [prefix, credential, key] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        let digest = digest.finalize();
        let name = digest.get(..24).unwrap_or_default();
        Ok(Self {
            id: format!("{prefix}{}", URL_SAFE_NO_PAD.encode(name)),
            linger_ms: LINGER_MS,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_model_is_an_agent_under_every_name_that_clients_know() {
        let agent = |model: &str| Target::read(model, &HeaderMap::new()).map(|target| target.agent);

        for default in ["openclaw", "gatehouse", "openclaw/default", " openclaw "] {
            assert_eq!(agent(default), Ok(None), "{default}");
        }
        for work in ["openclaw/work", "openclaw:work", "agent:work", "gatehouse/work"] {
            assert_eq!(agent(work), Ok(Some("work".to_owned())), "{work}");
        }
        for other in [
            "",
            "gpt-5",
            "openclaw/",
            "agent:a:main",
            "openclaw/a/b",
            "OPENCLAW",
        ] {
            assert!(agent(other).is_err(), "{other}");
        }
    }

    #[test]
    fn headers_choose_and_a_blank_one_says_nothing() {
        let chosen = headers(&[
            ("x-openclaw-agent-id", "work"),
            ("x-openclaw-session-key", " "),
            ("x-gatehouse-session-key", "agent:work:notes"),
            ("x-openclaw-model", "p/m"),
        ]);

        let target = Target::read("openclaw/home", &chosen).unwrap();

        let owned = |text: &str| Some(text.to_owned());
        assert_eq!(
            target,
            Target {
                agent: owned("work"),
                session_key: owned("agent:work:notes"),
                model: owned("p/m"),
            }
        );
    }

    #[test]
    fn a_key_names_one_run_of_one_caller() {
        let name = |key: Option<&str>, credential| {
            let headers = key.map(|key| headers(&[("idempotency-key", key)]));
            Name::of("chatcmpl-", &headers.unwrap_or_default(), credential).unwrap()
        };

        assert_eq!(name(Some("k"), "a"), name(Some("k"), "a"));
        assert_ne!(name(Some("k"), "a"), name(Some("k"), "b"));
        assert_ne!(name(None, "a"), name(None, "a"));
        assert_eq!(
            (name(Some("k"), "a").linger_ms, name(None, "a").linger_ms),
            (LINGER_MS, 0)
        );
    }
}
