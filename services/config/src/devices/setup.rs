//! Codes that pair one device once: what a person carries from the gateway to the device, as a text or a QR picture.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatehouse_contract::{Grants, Role};
use gatehouse_core::{Secret, Timestamp, hex};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use url::Url;

use super::{
    actor::Actor,
    error::DeviceError,
    rows::{Voucher, words},
    voucher,
};

/// How long a code is good: long enough to fetch a phone (v4).
const CODE: Duration = Duration::from_secs(600);

/// Codes that are good at once.
const CODES_MAX: usize = 20;

/// What a code allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Profile {
    Full,
    Limited,
    Node,
}

impl Profile {
    pub(super) fn parse(word: Option<&str>) -> Result<Self, DeviceError> {
        match word {
            None | Some("limited") => Ok(Self::Limited),
            Some("full") => Ok(Self::Full),
            Some("node") => Ok(Self::Node),
            Some(_) => Err(DeviceError::Invalid(
                "bootstrapProfile must be full, limited or node",
            )),
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Limited => "limited",
            Self::Node => "node",
        }
    }

    /// What a device gets by it. Nobody makes a code for more than they hold.
    fn grants(self, actor: &Actor) -> Result<Grants, DeviceError> {
        let wanted = match self {
            Self::Full => actor.grants,
            Self::Limited => Grants::new(Role::Operator, ["operator.read", "operator.write"]),
            Self::Node => Grants::new(Role::Node, []),
        };
        actor.holds(&wanted)?;
        Ok(wanted)
    }
}

/// The address of a gateway as devices read it: `ws://` or `wss://`, without what is not part of an address and without the slash of an
/// empty path. OpenClaw's clients refuse a code that holds another form of it. `None`: it is no address of a gateway.
pub(super) fn address(text: &str) -> Option<String> {
    let url = Url::parse(text.trim()).ok()?;
    let scheme = match url.scheme() {
        "https" | "wss" => "wss",
        "http" | "ws" => "ws",
        _ => return None,
    };
    if !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let host = url.host_str().filter(|host| !host.is_empty())?;
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    let path = Some(url.path()).filter(|path| *path != "/").unwrap_or_default();
    Some(format!("{scheme}://{host}{port}{path}"))
}

/// A code.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) id: String,
    /// What a device is given.
    pub(super) text: String,
    pub(super) expires_at: Timestamp,
}

/// Makes a code for devices that reach the gateway at `url`.
pub(super) fn create(
    tx: &Transaction<'_>,
    actor: &Actor,
    profile: Profile,
    url: &str,
    now: Timestamp,
) -> Result<Code, DeviceError> {
    let grants = profile.grants(actor)?;
    let good: usize = tx
        .prepare_cached("SELECT count(*) FROM setup_code WHERE expires_at > ?1 AND used_by IS NULL")?
        .query_row([now], |row| row.get(0))?;
    if good >= CODES_MAX {
        return Err(DeviceError::TooManyRequests);
    }
    let (user, credential) = (actor.user_id.as_deref(), actor.credential.as_deref());
    let voucher = voucher::of_credential(tx, user, credential, now)?;
    let token = Secret::generate();
    let (id, expires_at) = (
        uuid::Uuid::new_v4().to_string(),
        Voucher::bound(voucher.as_ref(), now + CODE),
    );
    tx.prepare_cached(
        "INSERT INTO setup_code (id, digest, role, scopes, access, user_id, expires_at, user_token_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        id,
        hex::encode(&token.digest()),
        grants.role().as_str(),
        words(&grants),
        profile.as_str(),
        actor.user_id,
        expires_at,
        voucher.map(|voucher| voucher.token),
    ])?;
    let text = serde_json::json!({"url": url, "bootstrapToken": token.expose()}).to_string();
    Ok(Code {
        id,
        text: URL_SAFE_NO_PAD.encode(text),
        expires_at,
    })
}

/// Who used a code.
#[derive(Debug)]
pub(super) struct Used {
    pub(super) device: String,
    pub(super) name: Option<String>,
    pub(super) access: String,
    pub(super) at: Timestamp,
}

/// What became of a code.
pub(super) fn status(connection: &Connection, id: &str) -> Result<Option<Used>, DeviceError> {
    let found = connection
        .prepare_cached("SELECT used_by, used_name, access, used_at FROM setup_code WHERE id = ?1")?
        .query_row([id], |row| {
            let (by, at): (Option<String>, Option<i64>) = (row.get(0)?, row.get(3)?);
            let (name, access) = (row.get(1)?, row.get(2)?);
            Ok(by.zip(at).map(|(device, at)| Used {
                device,
                name,
                access,
                at: Timestamp::from_ms(at),
            }))
        })
        .optional()?;
    found.ok_or_else(|| DeviceError::NoSuchCode(id.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_stands_in_a_code_as_openclaws_clients_read_it() {
        for (said, read) in [
            ("https://home.example.org", "wss://home.example.org"),
            ("https://home.example.org/", "wss://home.example.org"),
            (" HTTP://Home.example.org:80/ ", "ws://home.example.org"),
            ("ws://127.0.0.1:39410/", "ws://127.0.0.1:39410"),
            ("wss://[::1]:8443/under/here?q#f", "wss://[::1]:8443/under/here"),
        ] {
            assert_eq!(address(said).as_deref(), Some(read), "{said}");
            assert_eq!(address(read).as_deref(), Some(read), "{read} is its own form");
        }
        for none in [
            "",
            "home.example.org",
            "ftp://home.example.org",
            "https://",
            "https://u:p@home.example.org",
        ] {
            assert_eq!(address(none), None, "{none}");
        }
    }
}
