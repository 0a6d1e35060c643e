//! What is kept, row by row.

use gatehouse_contract::{Grants, Role};
use gatehouse_core::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params, types::Type};

use super::error::DeviceError;

/// What a client says of itself. Labels, never a reason to allow something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Labels {
    pub(super) display_name: Option<String>,
    pub(super) platform: Option<String>,
    pub(super) device_family: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) client_mode: Option<String>,
}

/// A label as it is signed.
pub(super) fn normal(label: Option<&str>) -> String {
    label.unwrap_or_default().trim().to_ascii_lowercase()
}

/// A token of a named user that something was paired with. What the owner vouches for has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Voucher {
    /// The token's id.
    pub(super) token: String,
    /// When it is over. `None`: when it is revoked.
    pub(super) expires_at: Option<Timestamp>,
}

impl Voucher {
    /// What ends at `end` by itself, and with the token at the latest.
    pub(super) fn bound(of: Option<&Self>, end: Timestamp) -> Timestamp {
        of.and_then(|voucher| voucher.expires_at)
            .map_or(end, |over| over.min(end))
    }
}

/// A paired device, without its roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeviceRow {
    pub(super) id: String,
    pub(super) public_key: String,
    pub(super) labels: Labels,
    pub(super) label: Option<String>,
    pub(super) remote_ip: Option<String>,
    pub(super) user_id: Option<String>,
    pub(super) approved_via: String,
    pub(super) created_at: Timestamp,
    pub(super) approved_at: Timestamp,
    pub(super) last_seen_at: Option<Timestamp>,
}

/// What a device may be in one role, and its token there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RoleRow {
    pub(super) device_id: String,
    pub(super) approved: Grants,
    pub(super) generation: i64,
    pub(super) token: Option<TokenRow>,
    pub(super) token_created_at: Option<Timestamp>,
    pub(super) token_rotated_at: Option<Timestamp>,
    pub(super) token_revoked_at: Option<Timestamp>,
    /// What it lives by. `None`: the owner's word.
    pub(super) voucher: Option<Voucher>,
}

/// A token that is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TokenRow {
    pub(super) digest: String,
    pub(super) salt: String,
    pub(super) scopes: Grants,
}

impl RoleRow {
    pub(super) fn role(&self) -> Role {
        self.approved.role()
    }

    /// When its token was made.
    pub(super) fn issued_at(&self) -> Timestamp {
        self.token_rotated_at
            .or(self.token_created_at)
            .unwrap_or(Timestamp::EPOCH)
    }

    /// When it is over. `None`: never.
    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        self.voucher.as_ref().and_then(|voucher| voucher.expires_at)
    }

    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at().is_some_and(|over| over <= now)
    }
}

/// A device that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequestRow {
    pub(super) id: String,
    pub(super) device_id: String,
    pub(super) public_key: String,
    pub(super) wanted: Grants,
    pub(super) reason: String,
    pub(super) labels: Labels,
    pub(super) remote_ip: String,
    pub(super) user_id: Option<String>,
    /// The token of that user with which it asked.
    pub(super) user_token: Option<String>,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

/// Scopes as they are kept.
pub(super) fn words(grants: &Grants) -> String {
    grants.scopes().collect::<Vec<_>>().join(" ")
}

fn grants(role: &str, scopes: &str) -> rusqlite::Result<Grants> {
    let unknown = || rusqlite::Error::InvalidColumnType(0, "role".to_owned(), Type::Text);
    let role = Role::parse(role).ok_or_else(unknown)?;
    Ok(Grants::new(role, scopes.split(' ')))
}

const DEVICE: &str = "id, public_key, display_name, platform, device_family, client_id, client_mode, label, remote_ip, user_id, \
                      approved_via, created_at, approved_at, last_seen_at";

fn device(row: &Row<'_>) -> rusqlite::Result<DeviceRow> {
    Ok(DeviceRow {
        id: row.get(0)?,
        public_key: row.get(1)?,
        labels: labels(row, 2)?,
        label: row.get(7)?,
        remote_ip: row.get(8)?,
        user_id: row.get(9)?,
        approved_via: row.get(10)?,
        created_at: row.get(11)?,
        approved_at: row.get(12)?,
        last_seen_at: row.get(13)?,
    })
}

fn labels(row: &Row<'_>, first: usize) -> rusqlite::Result<Labels> {
    Ok(Labels {
        display_name: row.get(first)?,
        platform: row.get(first + 1)?,
        device_family: row.get(first + 2)?,
        client_id: row.get(first + 3)?,
        client_mode: row.get(first + 4)?,
    })
}

pub(super) fn find_device(connection: &Connection, id: &str) -> Result<Option<DeviceRow>, DeviceError> {
    let query = format!("SELECT {DEVICE} FROM device WHERE id = ?1");
    Ok(connection
        .prepare_cached(&query)?
        .query_row([id], device)
        .optional()?)
}

pub(super) fn all_devices(connection: &Connection) -> Result<Vec<DeviceRow>, DeviceError> {
    let query = format!(
        "SELECT {DEVICE} FROM device ORDER BY created_at DESC, id
         -- scans: all of them are asked for, and they are bounded
         -- sorts: the same"
    );
    let mut statement = connection.prepare_cached(&query)?;
    let rows = statement.query_map([], device)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Writes a device as it is approved now. What an operator called it and when it was first paired stay.
pub(super) fn put_device(tx: &Transaction<'_>, row: &DeviceRow) -> Result<(), DeviceError> {
    tx.prepare_cached(
        "INSERT INTO device (id, public_key, display_name, platform, device_family, client_id, client_mode, remote_ip, user_id,
                             approved_via, created_at, approved_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT (id) DO UPDATE SET display_name = ?3, platform = ?4, device_family = ?5, client_id = ?6, client_mode = ?7,
             remote_ip = ?8, user_id = ?9, approved_via = ?10, approved_at = ?12",
    )?
    .execute(params![
        row.id,
        row.public_key,
        row.labels.display_name,
        row.labels.platform,
        row.labels.device_family,
        row.labels.client_id,
        row.labels.client_mode,
        row.remote_ip,
        row.user_id,
        row.approved_via,
        row.created_at,
        row.approved_at,
    ])?;
    Ok(())
}

const ROLE: &str = "device_id, role, scopes, generation, token_digest, token_salt, token_scopes, token_created_at, token_rotated_at, \
                    token_revoked_at, user_token_id, expires_at";

fn role(row: &Row<'_>) -> rusqlite::Result<RoleRow> {
    let word: String = row.get(1)?;
    let (digest, salt): (Option<String>, Option<String>) = (row.get(4)?, row.get(5)?);
    let token_scopes: String = row.get(6)?;
    let token = match digest.zip(salt) {
        Some((digest, salt)) => Some(TokenRow {
            digest,
            salt,
            scopes: grants(&word, &token_scopes)?,
        }),
        None => None,
    };
    Ok(RoleRow {
        device_id: row.get(0)?,
        approved: grants(&word, &row.get::<_, String>(2)?)?,
        generation: row.get(3)?,
        token,
        token_created_at: row.get(7)?,
        token_rotated_at: row.get(8)?,
        token_revoked_at: row.get(9)?,
        voucher: match row.get(10)? {
            Some(token) => Some(Voucher {
                token,
                expires_at: row.get(11)?,
            }),
            None => None,
        },
    })
}

pub(super) fn find_role(
    connection: &Connection,
    device: &str,
    of: Role,
) -> Result<Option<RoleRow>, DeviceError> {
    let query = format!("SELECT {ROLE} FROM device_role WHERE device_id = ?1 AND role = ?2");
    Ok(connection
        .prepare_cached(&query)?
        .query_row(params![device, of.as_str()], role)
        .optional()?)
}

pub(super) fn all_roles(connection: &Connection) -> Result<Vec<RoleRow>, DeviceError> {
    let query = format!(
        "SELECT {ROLE} FROM device_role ORDER BY device_id, role DESC
         -- scans: all of them are asked for, and they are bounded
         -- sorts: the same"
    );
    let mut statement = connection.prepare_cached(&query)?;
    let rows = statement.query_map([], role)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn roles_of(connection: &Connection, device: &str) -> Result<Vec<RoleRow>, DeviceError> {
    let query = format!(
        "SELECT {ROLE} FROM device_role WHERE device_id = ?1 ORDER BY role DESC
         -- sorts: two at most"
    );
    let mut statement = connection.prepare_cached(&query)?;
    let rows = statement.query_map([device], role)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The roles that a token of a user vouches for.
pub(super) fn roles_by(connection: &Connection, token: &str) -> Result<Vec<RoleRow>, DeviceError> {
    let query = format!("SELECT {ROLE} FROM device_role WHERE user_token_id = ?1");
    let mut statement = connection.prepare_cached(&query)?;
    let rows = statement.query_map([token], role)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Writes a role as it stands.
pub(super) fn put_role(tx: &Transaction<'_>, row: &RoleRow) -> Result<(), DeviceError> {
    let token = row.token.as_ref();
    let voucher = row.voucher.as_ref();
    tx.prepare_cached(
        "INSERT INTO device_role (device_id, role, scopes, generation, token_digest, token_salt, token_scopes, token_created_at,
                                  token_rotated_at, token_revoked_at, user_token_id, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT (device_id, role) DO UPDATE SET scopes = ?3, generation = ?4, token_digest = ?5, token_salt = ?6,
             token_scopes = ?7, token_created_at = ?8, token_rotated_at = ?9, token_revoked_at = ?10,
             user_token_id = ?11, expires_at = ?12",
    )?
    .execute(params![
        row.device_id,
        row.role().as_str(),
        words(&row.approved),
        row.generation,
        token.map(|token| &token.digest),
        token.map(|token| &token.salt),
        token.map(|token| words(&token.scopes)).unwrap_or_default(),
        row.token_created_at,
        row.token_rotated_at,
        row.token_revoked_at,
        voucher.map(|voucher| &voucher.token),
        row.expires_at(),
    ])?;
    Ok(())
}

const REQUEST: &str = "id, device_id, public_key, role, scopes, reason, display_name, platform, device_family, client_id, client_mode, \
                       remote_ip, user_id, created_at, expires_at, user_token_id";

fn request(row: &Row<'_>) -> rusqlite::Result<RequestRow> {
    Ok(RequestRow {
        id: row.get(0)?,
        device_id: row.get(1)?,
        public_key: row.get(2)?,
        wanted: grants(&row.get::<_, String>(3)?, &row.get::<_, String>(4)?)?,
        reason: row.get(5)?,
        labels: labels(row, 6)?,
        remote_ip: row.get(11)?,
        user_id: row.get(12)?,
        created_at: row.get(13)?,
        expires_at: row.get(14)?,
        user_token: row.get(15)?,
    })
}

pub(super) fn find_request(connection: &Connection, id: &str) -> Result<Option<RequestRow>, DeviceError> {
    let query = format!("SELECT {REQUEST} FROM pair_request WHERE id = ?1");
    Ok(connection
        .prepare_cached(&query)?
        .query_row([id], request)
        .optional()?)
}

pub(super) fn request_of(
    connection: &Connection,
    device: &str,
    of: Role,
) -> Result<Option<RequestRow>, DeviceError> {
    let query = format!("SELECT {REQUEST} FROM pair_request WHERE device_id = ?1 AND role = ?2");
    Ok(connection
        .prepare_cached(&query)?
        .query_row(params![device, of.as_str()], request)
        .optional()?)
}

/// All that have not ended, the oldest first.
pub(super) fn all_requests(connection: &Connection, now: Timestamp) -> Result<Vec<RequestRow>, DeviceError> {
    let query = format!(
        "SELECT {REQUEST} FROM pair_request WHERE expires_at > ?1 ORDER BY created_at, id
         -- sorts: they are bounded"
    );
    let mut statement = connection.prepare_cached(&query)?;
    let rows = statement.query_map([now], request)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn put_request(tx: &Transaction<'_>, row: &RequestRow) -> Result<(), DeviceError> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO pair_request (id, device_id, public_key, role, scopes, reason, display_name, platform, device_family,
                                              client_id, client_mode, remote_ip, user_id, created_at, expires_at, user_token_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?
    .execute(params![
        row.id,
        row.device_id,
        row.public_key,
        row.wanted.role().as_str(),
        words(&row.wanted),
        row.reason,
        row.labels.display_name,
        row.labels.platform,
        row.labels.device_family,
        row.labels.client_id,
        row.labels.client_mode,
        row.remote_ip,
        row.user_id,
        row.created_at,
        row.expires_at,
        row.user_token,
    ])?;
    Ok(())
}
