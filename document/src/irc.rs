//! `channels.irc`.

mod read;

pub use read::{ROOMS_MAX, Settings};

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PathInput, SecretInput, account::Common, section::channel};

/// The most lines of one answer that an operator may have said at once: a quarter of an hour, at the usual pace.
pub const MAX_LINES: u32 = 1_000;

channel!(
    /// IRC. Without `accounts` the keys beside it describe one account, `default`; with it they hold for every account that does
    /// not say otherwise.
    Irc, IrcAccount, "channels.irc"
);

/// One account: a nick on a network.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct IrcAccount {
    /// What every account says.
    #[serde(flatten)]
    pub common: Common,
    /// The server's host name or IP address. `host`, OpenClaw's name for it, means the same.
    #[serde(alias = "host", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-alias" = "host"))]
    pub server: Option<String>,
    /// The server's port. Unset: 6697 with TLS, 6667 without.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// Whether to use TLS. Unset: yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<bool>,
    /// A PEM file with a certificate to trust besides the usual ones: for a server of your own. A relative path starts at the
    /// folder of the configuration file. The channel bridge reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_ca_file: Option<PathInput>,
    /// The nick.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nick: Option<String>,
    /// The user name. Unset: the nick in lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The real name. Unset: `Gatehouse`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realname: Option<String>,
    /// The server's password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretInput>,
    /// Login with SASL PLAIN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl: Option<Sasl>,
    /// Login with a nick service, where there is no SASL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nickserv: Option<NickServ>,
    /// Rooms to join, for example `#home`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// The keys of rooms that have one (mode `+k`), by the room's name as it stands in `channels`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub channel_keys: BTreeMap<String, SecretInput>,
    /// The most lines of one answer that are said at once; the last of them says how many more there are, and "more" says the
    /// next ones. Unset: 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = MAX_LINES))]
    pub max_lines: Option<u32>,
}

/// Login with SASL PLAIN.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sasl {
    /// The account's name.
    #[schemars(length(min = 1))]
    pub account: String,
    /// The account's password.
    pub password: SecretInput,
}

/// Login with a nick service.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NickServ {
    /// False: no login. Unset: login when there is a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The service's nick. Unset: `NickServ`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretInput>,
}
