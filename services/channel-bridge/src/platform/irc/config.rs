//! What an operator writes under `channels.irc`, with the secrets in it. What it may be stands in the document's own reading of it,
//! by which the config service judges too.

use gatehouse_core::{NamedFile, Secret};
use gatehouse_document::{
    irc::{IrcAccount, MAX_LINES, Settings},
    wrong::told,
};
use serde::Deserialize;
use serde_json::Value;

use super::LINES_MAX;
use crate::{
    adapter::Rate,
    config::shape,
    platform::value::{file, secret},
};

/// Five at once, then one in two seconds: what RFC 1459 (section 8.10) grants a client before it is held back.
const RATE: Rate = Rate {
    burst: 5,
    per_second: 0.5,
};

#[derive(Clone, Debug)]
pub(crate) struct IrcConfig {
    /// The server's name or address.
    pub(crate) server: String,
    pub(crate) port: u16,
    /// Whether to speak TLS. On unless switched off.
    pub(crate) tls: bool,
    /// A PEM file with a certificate to trust besides the usual ones: a server of one's own.
    pub(crate) tls_ca_file: Option<NamedFile>,
    pub(crate) nick: String,
    pub(crate) username: String,
    pub(crate) realname: String,
    /// The server's password.
    pub(crate) password: Option<Secret>,
    /// Log in before entering.
    pub(crate) sasl: Option<Sasl>,
    /// Log in after entering, where there is no SASL.
    pub(crate) nickserv: Option<NickServ>,
    pub(crate) rooms: Vec<Wanted>,
    /// How fast to speak.
    pub(crate) rate: Rate,
    /// Lines of one answer.
    pub(crate) max_lines: usize,
}

/// A room to be in.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) key: Option<Secret>,
}

impl From<&str> for Wanted {
    fn from(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            key: None,
        }
    }
}

#[cfg(test)]
impl PartialEq<&str> for Wanted {
    fn eq(&self, name: &&str) -> bool {
        self.name == *name
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Sasl {
    pub(crate) account: String,
    pub(crate) password: Secret,
}

#[derive(Clone, Debug)]
pub(crate) struct NickServ {
    /// Its nick.
    pub(crate) service: String,
    pub(crate) password: Secret,
}

impl IrcConfig {
    /// Reads an account.
    ///
    /// # Errors
    /// What is wrong, with the key. Never with the value of a secret.
    pub(crate) fn read(value: &Value) -> Result<Self, String> {
        // The error of serde may repeat a value: only its kind of complaint about types is let through.
        let written = IrcAccount::deserialize(value).map_err(|error| shape(&error))?;
        let Settings {
            server,
            port,
            tls,
            tls_ca_file,
            nick,
            username,
            realname,
            password,
            sasl,
            nickserv,
            rooms,
            room_keys,
            rate_limit,
        } = written.read().map_err(|wrong| told(&wrong))?;
        let sasl = sasl.map(|sasl| {
            Ok::<_, String>(Sasl {
                password: secret("sasl.password", &sasl.password)?,
                account: sasl.account,
            })
        });
        let nickserv = nickserv.map(|(service, password)| {
            Ok::<_, String>(NickServ {
                service,
                password: secret("nickserv.password", &password)?,
            })
        });
        // Before a server has named its mapping, letters are compared as all of them do.
        let key_of = |room: &str| {
            room_keys
                .iter()
                .find(|(named, _)| named.eq_ignore_ascii_case(room))
        };
        let rooms = rooms.into_iter().map(|name| {
            let key = key_of(&name).map(|(_, key)| secret("channelKeys", key));
            Ok::<_, String>(Wanted {
                key: key.transpose()?,
                name,
            })
        });
        Ok(Self {
            server,
            port,
            tls,
            tls_ca_file: tls_ca_file.map(|path| file("tlsCaFile", path)).transpose()?,
            nick,
            username,
            realname,
            password: password
                .map(|password| secret("password", &password))
                .transpose()?,
            sasl: sasl.transpose()?,
            nickserv: nickserv.transpose()?,
            rooms: rooms.collect::<Result<_, _>>()?,
            rate: rate_limit.map_or(RATE, Rate::from),
            max_lines: written.max_lines.unwrap_or(LINES_MAX).clamp(2, MAX_LINES) as usize,
        })
    }

    #[cfg(test)]
    pub(crate) fn for_tests(server: &str, port: u16) -> Self {
        let value = serde_json::json!({"server": server, "port": port, "tls": false, "nick": "gate",
            "maxLines": 1000, "rateLimit": {"burst": 1000, "perSecond": 1000}});
        Self::read(&value).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_core::Secret;
    use serde_json::{Value, json};

    use super::IrcConfig;

    fn wrong(value: &Value) -> String {
        IrcConfig::read(value).unwrap_err()
    }

    #[test]
    fn tls_is_on_and_the_port_follows() {
        let config = IrcConfig::read(&json!({"host": "irc.example.test", "nick": "gate"})).unwrap();
        assert!(config.tls);
        assert_eq!(config.port, 6697);
        assert_eq!(
            IrcConfig::read(&json!({"server": "s", "nick": "g", "tls": false}))
                .unwrap()
                .port,
            6667
        );
    }

    #[test]
    fn what_is_wrong_names_its_key() {
        assert!(wrong(&json!({"nick": "gate"})).contains("server"));
        assert!(wrong(&json!({"server": "s"})).contains("nick"));
        assert!(wrong(&json!({"server": "s", "nick": "g", "channels": ["home"]})).contains("#home"));
        assert!(
            wrong(&json!({"server": "s", "nick": "g", "sasl": {"account": "a", "password": ""}}))
                .contains("sasl")
        );
        assert!(
            wrong(&json!({"server": "s", "nick": "g", "rateLimit": {"burst": 0, "perSecond": 1}}))
                .contains("rateLimit")
        );
    }

    #[test]
    fn no_value_can_smuggle_a_second_command() {
        for key in ["nick", "username", "realname", "password", "server"] {
            let mut value = json!({"server": "s", "nick": "g"});
            value[key] = json!("x\r\nQUIT");
            assert!(wrong(&value).contains(key), "{key}");
        }
    }

    #[test]
    fn a_room_has_the_key_that_stands_under_its_name() {
        let value = json!({"server": "s", "nick": "g", "channels": ["#open", "#Shut"], "channelKeys": {"#shut": "sesame"}});

        let rooms = IrcConfig::read(&value).unwrap().rooms;

        let keys: Vec<Option<&str>> = rooms
            .iter()
            .map(|room| room.key.as_ref().map(Secret::expose))
            .collect();
        assert_eq!(keys, [None, Some("sesame")]);
        assert!(!format!("{rooms:?}").contains("sesame"));
    }

    #[test]
    fn a_server_that_is_taken_can_be_looked_up_and_carried_by_a_certificate() {
        let samples: Vec<Value> = json5::from_str(gatehouse_document::samples::ACCOUNTS).unwrap();
        let read = |sample: &Value| IrcConfig::read(sample.get("irc")?).ok();
        let servers: Vec<String> = samples
            .iter()
            .filter_map(read)
            .map(|config| config.server)
            .collect();

        assert!(
            servers.len() > 5 && servers.contains(&"2001:db8::1".to_owned()),
            "{servers:?}"
        );
        for server in servers {
            assert!(
                rustls::pki_types::ServerName::try_from(server.clone()).is_ok(),
                "{server}"
            );
        }
    }

    #[test]
    fn an_error_does_not_repeat_a_secret() {
        let error = wrong(&json!({"server": "s", "nick": "g", "password": {"hunter2": 1}}));
        assert!(!error.contains("hunter2"), "{error}");
        let error = wrong(&json!({"server": "s", "nick": "g", "sasl": "hunter2"}));
        assert!(!error.contains("hunter2"), "{error}");
    }
}
