//! The two ways to say `connect`: the v4 handshake of existing clients, and the plain one for scripts.

use gatehouse_contract::Role;
use gatehouse_core::Secret;
use gatehouse_proto::broadcast::v1 as broadcast;
use serde_json::Value;

pub(crate) use crate::client::Client;
use crate::{device::Block, limits::PROTOCOL};

pub(crate) mod node;
pub(crate) mod strict;

/// Longest text in a handshake that is kept for the life of a connection.
const LABEL_MAX: usize = 200;

/// Most scopes and capabilities that are looked at.
const LIST_MAX: usize = 64;

/// Clients that are known to draw from increments alone (observed on their wire). Whoever is not known gets the cumulative
/// form, which every client understands.
const INCREMENT_CLIENTS: [&str; 1] = ["openclaw-control-ui"];

/// The capability (`connect.params.caps`) of a client that draws from increments alone; hello names it too. Such a client is
/// sent `deltaText` only, each at once, and after a reconnect takes the text so far from `inFlightRun`.
pub(crate) const TEXT_INCREMENTS: &str = "text-increments";

/// Events of tools in detail, for the runs that the client begins.
const TOOL_EVENTS: &str = "tool-events";

/// Events of conversations only where the client listens to that one.
const SESSION_SCOPED_EVENTS: &str = "session-scoped-events";

/// What a client says it can take (`connect.params.caps`), of what decides which events it is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Capabilities {
    pub(crate) tool_events: bool,
    pub(crate) own_sessions_only: bool,
}

impl Capabilities {
    /// The plain handshake has no words for them: its clients are sent everything.
    const PLAIN: Self = Self {
        tool_events: true,
        own_sessions_only: false,
    };

    fn of(words: &[String]) -> Self {
        let says = |word: &str| words.iter().any(|cap| cap == word);
        Self {
            tool_events: says(TOOL_EVENTS),
            own_sessions_only: says(SESSION_SCOPED_EVENTS),
        }
    }

    /// Those that services are told.
    pub(crate) fn for_services(self) -> Vec<String> {
        self.tool_events
            .then(|| TOOL_EVENTS.to_owned())
            .into_iter()
            .collect()
    }
}

/// How a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Protocol v4: unknown parameters are ignored, lost events are a hole in the numbers.
    V4,
    /// The same frames after a simpler handshake: unknown parameters are refused, lost events are an event.
    Plain,
}

/// Which of the two forms of a text delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rendition {
    /// The increment alone, never paced.
    Increment,
    /// The increment and the whole text so far, paced.
    Cumulative,
}

impl Rendition {
    /// What the stream says. `None`: no text delta, or a form that this edge does not know and everybody may see.
    pub(crate) fn of(number: i32) -> Option<Self> {
        match broadcast::Rendition::try_from(number) {
            Ok(broadcast::Rendition::Increment) => Some(Self::Increment),
            Ok(broadcast::Rendition::Cumulative) => Some(Self::Cumulative),
            Ok(broadcast::Rendition::Unspecified) | Err(_) => None,
        }
    }
}

/// What a client asks for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) dialect: Dialect,
    pub(crate) role: Role,
    /// `None`: whatever the credential is good for.
    pub(crate) scopes: Option<Vec<String>>,
    /// `auth.token`: the gateway token, a user's, or a device's.
    pub(crate) token: Option<Secret>,
    /// The same secret under the name that other gateways have for it.
    pub(crate) password: Option<Secret>,
    pub(crate) device_token: Option<Secret>,
    /// A code that pairs a device once.
    pub(crate) bootstrap: Option<Secret>,
    pub(crate) device: Option<Block>,
    pub(crate) client: Client,
    pub(crate) rendition: Rendition,
    pub(crate) capabilities: Capabilities,
    /// What a node offers.
    pub(crate) surface: Option<Box<node::Surface>>,
    /// What a plain client remembers.
    pub(crate) known: Known,
}

/// The versions of the states that a client remembers, each for itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) presence: Option<i64>,
    pub(crate) health: Option<i64>,
}

/// Why parameters cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// A field is missing or wrong: its path and what is wrong there.
    Field(String),
    /// The client does not speak our version.
    Protocol { min: u64, max: u64 },
}

impl Dialect {
    /// The same for parameters that are not read yet. `None`: they are no JSON.
    pub(crate) fn of_text(params: &str) -> Option<Self> {
        serde_json::from_str(params)
            .ok()
            .map(|params: Value| Self::of(&params))
    }

    /// Which one these parameters are written in: only v4 names protocol versions and describes its client.
    pub(crate) fn of(params: &Value) -> Self {
        let v4 = ["minProtocol", "maxProtocol", "client", "auth", "device"];
        if v4.iter().any(|key| params.get(key).is_some()) {
            Self::V4
        } else {
            Self::Plain
        }
    }
}

impl Asked {
    /// Reads the parameters of `connect`.
    pub(crate) fn read(params: &Value) -> Result<Self, Unreadable> {
        if !params.is_object() {
            return Err(Unreadable::Field("at root: expected an object".to_owned()));
        }
        match Dialect::of(params) {
            Dialect::V4 => Self::v4(params),
            Dialect::Plain => Self::plain(params),
        }
    }

    fn v4(params: &Value) -> Result<Self, Unreadable> {
        let (min, max) = (number(params, "minProtocol")?, number(params, "maxProtocol")?);
        let client = params.get("client").ok_or_else(|| missing("/client"))?;
        if !client.is_object() {
            return Err(Unreadable::Field("at /client: expected an object".to_owned()));
        }
        let of_client = |key: &str| label(client, key, &format!("/client/{key}"));
        let required = |key: &str| of_client(key)?.ok_or_else(|| missing(&format!("/client/{key}")));
        let client = Client {
            id: required("id")?,
            display_name: of_client("displayName")?,
            version: Some(required("version")?),
            platform: Some(required("platform")?),
            mode: Some(required("mode")?),
            device_family: of_client("deviceFamily")?,
            instance_id: of_client("instanceId")?,
        };
        if !(min..=max).contains(&PROTOCOL) {
            return Err(Unreadable::Protocol { min, max });
        }
        let auth = params.get("auth").unwrap_or(&Value::Null);
        let secret = |key: &str| -> Result<Option<Secret>, Unreadable> {
            let text = text(auth, key, &format!("/auth/{key}"))?;
            Ok(text.filter(|text| !text.is_empty()).map(Secret::new))
        };
        let caps = strings(params, "caps")?.unwrap_or_default();
        let increments = caps.iter().any(|cap| cap == TEXT_INCREMENTS);
        let known_increments = INCREMENT_CLIENTS.contains(&&*client.id);
        let role = role(params)?;
        let surface = match role {
            Role::Node => Some(Box::new(node::Surface::read(params)?)),
            Role::Operator => None,
        };
        Ok(Self {
            dialect: Dialect::V4,
            role,
            surface,
            scopes: Some(strings(params, "scopes")?.unwrap_or_default()),
            token: secret("token")?,
            password: secret("password")?,
            device_token: secret("deviceToken")?,
            bootstrap: secret("bootstrapToken")?,
            device: Block::read(params).map_err(Unreadable::Field)?,
            rendition: if increments || known_increments {
                Rendition::Increment
            } else {
                Rendition::Cumulative
            },
            capabilities: Capabilities::of(&caps),
            client,
            known: Known::default(),
        })
    }

    fn plain(params: &Value) -> Result<Self, Unreadable> {
        let keys = ["token", "role", "scopes", "clientId", "stateVersion"];
        let unknown = params
            .as_object()
            .and_then(|all| all.keys().find(|key| !keys.contains(&key.as_str())));
        if let Some(key) = unknown {
            let shown: String = key.chars().filter(|c| !c.is_control()).take(80).collect();
            return Err(Unreadable::Field(format!(
                "at root: unexpected property '{shown}'"
            )));
        }
        let known = match params.get("stateVersion") {
            None | Some(Value::Null) => Known::default(),
            Some(Value::Object(versions)) => {
                let version = |key: &str| match versions.get(key) {
                    None | Some(Value::Null) => Ok(None),
                    Some(version) => version.as_i64().map(Some).ok_or_else(|| {
                        Unreadable::Field(format!("at /stateVersion/{key}: expected an integer"))
                    }),
                };
                Known {
                    presence: version("presence")?,
                    health: version("health")?,
                }
            }
            Some(_) => {
                let told =
                    "at /stateVersion: expected an object with presence and health, as hello-ok has it";
                return Err(Unreadable::Field(told.to_owned()));
            }
        };
        let token = text(params, "token", "/token")?
            .filter(|token| !token.is_empty())
            .map(Secret::new);
        let id = label(params, "clientId", "/clientId")?.unwrap_or_else(|| "plain".into());
        Ok(Self {
            dialect: Dialect::Plain,
            role: role(params)?,
            scopes: strings(params, "scopes")?,
            token,
            password: None,
            device_token: None,
            bootstrap: None,
            device: None,
            client: Client {
                id,
                mode: Some("cli".into()),
                ..Client::default()
            },
            rendition: Rendition::Increment,
            capabilities: Capabilities::PLAIN,
            surface: None,
            known,
        })
    }
}

impl Asked {
    /// The credential that a device signs with the handshake, in the order of the protocol.
    pub(crate) fn signed(&self) -> Option<&Secret> {
        let own = self.token.as_ref().or(self.device_token.as_ref());
        own.or(self.bootstrap.as_ref())
    }
}

fn missing(path: &str) -> Unreadable {
    Unreadable::Field(format!("at {path}: required"))
}

fn role(params: &Value) -> Result<Role, Unreadable> {
    let word = text(params, "role", "/role")?.unwrap_or("operator");
    Role::parse(word).ok_or_else(|| Unreadable::Field("at /role: expected operator or node".to_owned()))
}

fn number(params: &Value, key: &str) -> Result<u64, Unreadable> {
    let value = params.get(key).ok_or_else(|| missing(&format!("/{key}")))?;
    let wrong = || Unreadable::Field(format!("at /{key}: expected a positive integer"));
    value.as_u64().filter(|number| *number > 0).ok_or_else(wrong)
}

fn text<'a>(object: &'a Value, key: &str, path: &str) -> Result<Option<&'a str>, Unreadable> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Unreadable::Field(format!("at {path}: expected a string"))),
    }
}

/// A text that is kept and shown to people: not empty, not long, and nothing in it that moves a cursor.
fn label(object: &Value, key: &str, path: &str) -> Result<Option<Box<str>>, Unreadable> {
    let Some(text) = text(object, key, path)? else {
        return Ok(None);
    };
    if text.is_empty() || text.len() > LABEL_MAX {
        return Err(Unreadable::Field(format!(
            "at {path}: expected 1 to {LABEL_MAX} bytes"
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(Unreadable::Field(format!(
            "at {path}: control characters are not allowed"
        )));
    }
    Ok(Some(text.into()))
}

fn strings(params: &Value, key: &str) -> Result<Option<Vec<String>>, Unreadable> {
    let wrong = || Unreadable::Field(format!("at /{key}: expected at most {LIST_MAX} strings"));
    match params.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(list)) if list.len() <= LIST_MAX => list
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong))
            .collect::<Result<_, _>>()
            .map(Some),
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests;
