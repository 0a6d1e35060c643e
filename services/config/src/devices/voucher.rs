//! What a device of a named user lives by: the token that it was paired with. It is good for as long as that token, and no longer.

use gatehouse_contract::Role;
use gatehouse_core::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    error::DeviceError,
    rows::{self, Voucher},
};

/// The voucher behind a credential that a named user showed, by the name that the table has for it. What a device shows is its own
/// token, which lives by what the device was paired with.
///
/// # Errors
/// When the token is no longer good: then it vouches for nothing.
pub(super) fn of_credential(
    connection: &Connection,
    user: Option<&str>,
    credential: Option<&str>,
    now: Timestamp,
) -> Result<Option<Voucher>, DeviceError> {
    if user.is_none() {
        return Ok(None);
    }
    let credential = credential.unwrap_or_default();
    let words: Vec<&str> = credential.split('/').collect();
    let found = match *words.as_slice() {
        ["user", _, token] => of_token(connection, token, now)?,
        ["device", device, role] => match Role::parse(role) {
            Some(role) => rows::find_role(connection, device, role)?
                .filter(|row| !row.is_over(now))
                .and_then(|row| row.voucher),
            None => None,
        },
        ["proxy", ..] => return Err(DeviceError::NoToken),
        _ => None,
    };
    match found {
        Some(voucher) => Ok(Some(voucher)),
        None => Err(DeviceError::NoSuchToken(credential.to_owned())),
    }
}

/// The voucher of something that was kept with a token.
///
/// # Errors
/// When the token is no longer good.
pub(super) fn of_kept(
    connection: &Connection,
    token: Option<&str>,
    now: Timestamp,
) -> Result<Option<Voucher>, DeviceError> {
    let Some(token) = token else { return Ok(None) };
    match of_token(connection, token, now)? {
        Some(voucher) => Ok(Some(voucher)),
        None => Err(DeviceError::NoSuchToken(token.to_owned())),
    }
}

/// A token that is good.
fn of_token(connection: &Connection, id: &str, now: Timestamp) -> Result<Option<Voucher>, DeviceError> {
    Ok(connection
        .prepare_cached(
            "SELECT id, expires_at FROM user_token WHERE id = ?1 AND (expires_at IS NULL OR expires_at > ?2)",
        )?
        .query_row(params![id, now], |row| {
            Ok(Voucher {
                token: row.get(0)?,
                expires_at: row.get(1)?,
            })
        })
        .optional()?)
}
