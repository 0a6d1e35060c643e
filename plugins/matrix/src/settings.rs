//! How an account is configured: what stands in `channels.matrix`.

use gatehouse_plugin_sdk::Secret;
use matrix_sdk::ruma::{OwnedUserId, UserId};
use serde::Deserialize;
use url::{Host, Url};

/// The JSON Schema of an account.
pub const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {
    "homeserver": { "type": "string", "minLength": 1, "maxLength": 2048, "description": "Where the homeserver answers, for example `https://matrix.example`." },
    "userId": { "type": "string", "pattern": "^@[^:]+:.+$", "maxLength": 255, "description": "The account's id, for example `@assistant:example`." },
    "password": { "type": "string", "minLength": 1, "description": "The account's password: the plugin makes a device of its own with it." },
    "accessToken": { "type": "string", "minLength": 1, "description": "In place of the password: the token of a device that nothing else uses." },
    "deviceId": { "type": "string", "minLength": 1, "maxLength": 255, "description": "The device to log in as. Unset: a new one, which is kept." },
    "recoveryKey": { "type": "string", "minLength": 1, "description": "The account's recovery key or its passphrase: it verifies the device, and opens the backup of keys." },
    "encryption": { "type": "boolean", "description": "Whether encrypted rooms are answered. False: nothing is said into them. Unset: true." },
    "autoJoin": { "enum": ["off", "direct", "all"], "description": "Which invitations are accepted of people who are not in `invitesFrom`. Unset: direct, those into a chat of two." },
    "invitesFrom": { "type": "array", "maxItems": 100, "items": { "type": "string", "pattern": "^@[^:]+:.+$", "maxLength": 255 },
      "description": "People whose invitations into rooms are accepted, unless `autoJoin` is off." },
    "rooms": { "type": "array", "maxItems": 100, "items": { "type": "string", "pattern": "^[#!].+$", "maxLength": 255 },
      "description": "Rooms that the account joins by itself, by their alias or id." }
  },
  "required": ["homeserver"],
  "additionalProperties": false
}"#;

/// As it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    homeserver: String,
    user_id: Option<String>,
    password: Option<String>,
    access_token: Option<String>,
    device_id: Option<String>,
    recovery_key: Option<String>,
    #[serde(default = "on")]
    encryption: bool,
    #[serde(default)]
    auto_join: AutoJoin,
    #[serde(default)]
    invites_from: Vec<String>,
    #[serde(default)]
    rooms: Vec<String>,
}

const fn on() -> bool {
    true
}

/// Which invitations of people nobody named are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AutoJoin {
    /// None.
    Off,
    /// Those into a chat of two: whoever may not talk there is told so.
    #[default]
    Direct,
    /// Every one.
    All,
}

/// How the account shows who it is.
#[derive(Clone, Debug)]
pub enum Credential {
    /// The token of a device that is there.
    Token(Secret),
    /// The password of a person: a device is made with it.
    Password(OwnedUserId, Secret),
}

/// An account, as far as its settings say.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the homeserver answers.
    pub homeserver: Url,
    /// Whose account it has to be. `None`: whoever the token's is.
    pub user: Option<OwnedUserId>,
    /// How it shows who it is.
    pub credential: Credential,
    /// The device that it has to be.
    pub device: Option<String>,
    /// What verifies the device.
    pub recovery_key: Option<Secret>,
    /// Whether encrypted rooms are answered.
    pub encryption: bool,
    /// Which invitations are accepted.
    pub auto_join: AutoJoin,
    /// Whose invitations are.
    pub invites_from: Vec<String>,
    /// Rooms that it wants to be in.
    pub rooms: Vec<String>,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// What is wrong, for whoever configured it.
    pub fn read(config: &str) -> Result<Self, String> {
        let written: Written = serde_json::from_str(config).map_err(|error| error.to_string())?;
        let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let user = filled(written.user_id)
            .map(|id| {
                UserId::parse(id.trim()).map_err(|_| "`userId` is written as `@name:server`".to_owned())
            })
            .transpose()?;
        let credential = match (
            filled(written.access_token),
            filled(written.password),
            user.clone(),
        ) {
            (Some(_), Some(_), _) => {
                return Err("`accessToken` and `password`: take one of them out".into());
            }
            (Some(token), None, _) => Credential::Token(Secret::new(token.trim())),
            (None, Some(password), Some(user)) => Credential::Password(user, Secret::new(&password)),
            (None, Some(_), None) => return Err("`password` needs `userId` beside it".into()),
            (None, None, _) => return Err("set `password` with `userId`, or `accessToken`".into()),
        };
        Ok(Self {
            homeserver: homeserver(&written.homeserver)?,
            user,
            credential,
            device: filled(written.device_id),
            recovery_key: filled(written.recovery_key).map(|key| Secret::new(key.trim())),
            encryption: written.encryption,
            auto_join: written.auto_join,
            invites_from: written.invites_from,
            rooms: written.rooms,
        })
    }
}

/// The address of a homeserver. The account's token goes there, so it leaves this machine and its network by TLS alone.
fn homeserver(text: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim()).map_err(|_| {
        "`homeserver` is an address such as `https://matrix.example`: https://<your server>/.well-known/matrix/client says it".to_owned()
    })?;
    let is_near = match url.host() {
        Some(Host::Domain(name)) => !name.contains('.') || name.ends_with(".local"),
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_private(),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        None => false,
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_near => Ok(url),
        "http" => Err("`homeserver` without TLS (http://) has to be on this machine or in its network: the token would be readable on the way".into()),
        _ => Err("`homeserver` begins with https://".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::{AutoJoin, Credential, SCHEMA, Settings};

    #[test]
    fn an_account_is_a_server_and_a_way_to_show_who_it_is() {
        let settings = Settings::read(
            r#"{"homeserver": "https://matrix.example", "userId": "@bot:example", "password": "hunter2"}"#,
        )
        .expect("it is one");

        assert!(matches!(&settings.credential, Credential::Password(user, _) if user == "@bot:example"));
        assert!(settings.encryption);
        assert_eq!(settings.auto_join, AutoJoin::Direct);
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn what_cannot_work_is_named_with_the_key_that_says_it() {
        for (config, named) in [
            (r#"{"homeserver": "https://x.example"}"#, "password"),
            (
                r#"{"homeserver": "https://x.example", "password": "x"}"#,
                "userId",
            ),
            (
                r#"{"homeserver": "https://x.example", "userId": "@a:b", "password": "x", "accessToken": "y"}"#,
                "take one",
            ),
            (
                r#"{"homeserver": "https://x.example", "userId": "bot", "password": "x"}"#,
                "@name:server",
            ),
            (r#"{"homeserver": "x.example", "accessToken": "y"}"#, "homeserver"),
            (r#"{"homeserver": "http://x.example", "accessToken": "y"}"#, "TLS"),
            (r#"{"homeserver": "https://x.example", "token": "y"}"#, "token"),
        ] {
            let refused = Settings::read(config).expect_err(config);
            assert!(refused.contains(named), "{config}: {refused}");
        }
    }

    #[test]
    fn a_server_on_this_machine_needs_no_tls() {
        for server in [
            "http://127.0.0.1:8008",
            "http://localhost",
            "http://synapse:8008",
            "http://192.168.1.2",
        ] {
            let config = format!(r#"{{"homeserver": "{server}", "accessToken": "y"}}"#);
            assert!(Settings::read(&config).is_ok(), "{server}");
        }
    }

    #[test]
    fn the_schema_is_json() {
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).expect("JSON");

        assert_eq!(schema["required"][0], "homeserver");
    }
}
