//! What an operator writes under `channels.irc`, read and checked.

use gatehouse_core::{NamedFile, Secret};
use gatehouse_document::{SecretInput, irc::IrcAccount};
use serde::Deserialize;
use serde_json::Value;

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
/// Rooms of one account. Networks rarely allow more than 120.
const ROOMS_MAX: usize = 200;

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
    pub(crate) rooms: Vec<String>,
    /// How fast to speak.
    pub(crate) rate: Rate,
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
        let server = word("server", written.server)?;
        let tls = written.tls.unwrap_or(true);
        let nick = word("nick", written.nick)?;
        let username = written.username.unwrap_or_else(|| nick.to_ascii_lowercase());
        let rooms = written.channels.unwrap_or_default();
        if rooms.len() > ROOMS_MAX {
            return Err(format!("channels: at most {ROOMS_MAX} rooms"));
        }
        if let Some(room) = rooms.iter().find(|room| {
            !room.starts_with(['#', '&', '+', '!']) || room.contains([' ', ',', '\r', '\n', '\u{7}'])
        }) {
            return Err(format!(
                "channels: {room:?} is not the name of a room, for example \"#home\""
            ));
        }
        let sasl = match written.sasl {
            Some(sasl) => {
                let password = secret("sasl.password", &sasl.password)?;
                if sasl.account.is_empty() || password.is_empty() {
                    return Err("sasl: account and password must not be blank".into());
                }
                Some(Sasl {
                    account: sasl.account,
                    password,
                })
            }
            None => None,
        };
        let wanted = written
            .nickserv
            .filter(|nickserv| nickserv.enabled != Some(false));
        let nickserv = match wanted.as_ref().and_then(|nickserv| nickserv.password.as_ref()) {
            Some(password) => Some(NickServ {
                password: one_line("nickserv.password", password)?,
                service: wanted
                    .and_then(|nickserv| nickserv.service)
                    .unwrap_or_else(|| "NickServ".into()),
            }),
            None => None,
        };
        let password = written.password.as_ref();
        Ok(Self {
            port: written.port.unwrap_or(if tls { 6697 } else { 6667 }),
            server,
            tls,
            tls_ca_file: written
                .tls_ca_file
                .map(|path| file("tlsCaFile", path))
                .transpose()?,
            username: word("username", Some(username))?,
            realname: line("realname", written.realname.unwrap_or_else(|| "Gatehouse".into()))?,
            password: password
                .map(|password| one_line("password", password))
                .transpose()?,
            nick,
            sasl,
            nickserv,
            rooms,
            rate: written.rate_limit.map_or(Ok(RATE), Rate::try_from)?,
        })
    }

    #[cfg(test)]
    pub(crate) fn for_tests(server: &str, port: u16) -> Self {
        let value = serde_json::json!({"server": server, "port": port, "tls": false, "nick": "gate",
            "rateLimit": {"burst": 1000, "perSecond": 1000}});
        Self::read(&value).unwrap()
    }
}

/// A secret that is sent in one line.
fn one_line(key: &str, input: &SecretInput) -> Result<Secret, String> {
    let secret = secret(key, input)?;
    line(key, secret.expose().to_owned()).map(Secret::new)
}

fn word(key: &str, value: Option<String>) -> Result<String, String> {
    let value = value.unwrap_or_default();
    if value.is_empty() || value.contains([' ', '\r', '\n', '\0', ',']) || value.starts_with(':') {
        return Err(format!("{key}: must be one word"));
    }
    Ok(value)
}

fn line(key: &str, value: String) -> Result<String, String> {
    if value.is_empty() || value.contains(['\r', '\n', '\0']) {
        return Err(format!("{key}: must be one line and not blank"));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
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
    fn an_error_does_not_repeat_a_secret() {
        let error = wrong(&json!({"server": "s", "nick": "g", "password": {"hunter2": 1}}));
        assert!(!error.contains("hunter2"), "{error}");
        let error = wrong(&json!({"server": "s", "nick": "g", "sasl": "hunter2"}));
        assert!(!error.contains("hunter2"), "{error}");
    }
}
