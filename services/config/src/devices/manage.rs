//! What operators do with devices.

use std::time::Duration;

use gatehouse_contract::{Grants, Role};
use gatehouse_core::{Secret, Timestamp};
use rusqlite::{Connection, Transaction, params};

use super::{
    actor::{Actor, missing},
    admit::{self, Asking, Via},
    error::DeviceError,
    rows::{self, DeviceRow, RequestRow, RoleRow},
    token, voucher,
};

/// How often it is noted that a device came in: a list is for people, and each note is a write.
const SEEN_EVERY: Duration = Duration::from_secs(60);

/// Characters of a name: OpenClaw's figure. The contract bounds its bytes, of which a character has up to four.
const LABEL_CHARS_MAX: usize = 64;

/// A device with what it may be.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) device: DeviceRow,
    pub(super) roles: Vec<RoleRow>,
}

/// The scopes that a device has or asks for, in any role: whoever is not good for all of them is not told of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reach(Vec<&'static str>);

impl Reach {
    pub(super) fn of<'g>(grants: impl IntoIterator<Item = &'g Grants>) -> Self {
        let mut scopes: Vec<_> = grants.into_iter().flat_map(Grants::scopes).collect();
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes)
    }

    /// Of a device as it is kept, and with what it asks for.
    pub(super) fn of_device(
        connection: &Connection,
        device: &str,
        wanted: Option<&Grants>,
    ) -> Result<Self, DeviceError> {
        let roles = rows::roles_of(connection, device)?;
        Ok(Self::of(roles.iter().map(|role| &role.approved).chain(wanted)))
    }

    pub(super) fn scopes(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().copied()
    }
}

fn whole(tx: &Transaction<'_>, id: &str) -> Result<Whole, DeviceError> {
    let device = rows::find_device(tx, id)?.ok_or_else(|| DeviceError::NoSuchDevice(id.to_owned()))?;
    let roles = rows::roles_of(tx, id)?;
    Ok(Whole { device, roles })
}

fn waiting(tx: &Transaction<'_>, id: &str, now: Timestamp) -> Result<RequestRow, DeviceError> {
    rows::find_request(tx, id)?
        .filter(|request| request.expires_at > now)
        .ok_or_else(|| DeviceError::NoSuchRequest(id.to_owned()))
}

/// Whether somebody may see and change what a device has: its own, or one that can do no more than he can.
pub(super) fn may_change(actor: &Actor, device: &str, roles: &[RoleRow]) -> Result<(), DeviceError> {
    actor.manages(device)?;
    if actor.confined_to().is_some() {
        return Ok(());
    }
    roles.iter().try_for_each(|role| actor.outranks(&role.approved))
}

/// Whether somebody may see and decide what a device asks for: as much as he can do himself, for a device that can do no more. An
/// approval may take from a device what it had: its platform is another then, or its user.
pub(super) fn may_decide(
    connection: &Connection,
    actor: &Actor,
    request: &RequestRow,
) -> Result<(), DeviceError> {
    may_change(
        actor,
        &request.device_id,
        &rows::roles_of(connection, &request.device_id)?,
    )?;
    match actor.confined_to() {
        Some(_) => Ok(()),
        None => actor.outranks(&request.wanted),
    }
}

/// Grants what waits.
pub(super) fn approve(
    tx: &Transaction<'_>,
    key: &Secret,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<Whole, DeviceError> {
    let request = waiting(tx, id, now)?;
    may_decide(tx, actor, &request)?;
    actor.holds(&request.wanted)?;
    let voucher = voucher::of_kept(tx, request.user_token.as_deref(), now)?;
    let asking = Asking {
        device_id: request.device_id,
        public_key: request.public_key,
        wanted: request.wanted,
        labels: request.labels,
        remote_ip: request.remote_ip,
        local: false,
        setup_digest: None,
        user_id: request.user_id,
        credential: None,
    };
    admit::approve(tx, key, &asking, voucher, Via::Operator, now)?;
    whole(tx, &asking.device_id)
}

/// Refuses what waits. The answer is the device that asked.
pub(super) fn reject(
    tx: &Transaction<'_>,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<String, DeviceError> {
    let request = waiting(tx, id, now)?;
    may_decide(tx, actor, &request)?;
    tx.prepare_cached("DELETE FROM pair_request WHERE id = ?1")?
        .execute([id])?;
    Ok(request.device_id)
}

/// Forgets a device and whatever it asks for.
pub(super) fn remove(tx: &Transaction<'_>, actor: &Actor, device: &str) -> Result<(), DeviceError> {
    may_change(actor, device, &rows::roles_of(tx, device)?)?;
    tx.prepare_cached("DELETE FROM pair_request WHERE device_id = ?1")?
        .execute([device])?;
    match admit::remove(tx, device)? {
        true => Ok(()),
        false => Err(DeviceError::NoSuchDevice(device.to_owned())),
    }
}

/// Takes one role from a device; with its last one it is forgotten. False: it had no such role.
pub(super) fn remove_role(tx: &Transaction<'_>, device: &str, role: Role) -> Result<bool, DeviceError> {
    let gone = tx
        .prepare_cached("DELETE FROM device_role WHERE device_id = ?1 AND role = ?2")?
        .execute(params![device, role.as_str()])?;
    tx.prepare_cached("DELETE FROM pair_request WHERE device_id = ?1 AND role = ?2")?
        .execute(params![device, role.as_str()])?;
    if rows::roles_of(tx, device)?.is_empty() {
        admit::remove(tx, device)?;
    }
    Ok(gone > 0)
}

pub(super) fn rename(
    tx: &Transaction<'_>,
    actor: &Actor,
    device: &str,
    label: &str,
) -> Result<(), DeviceError> {
    may_change(actor, device, &rows::roles_of(tx, device)?)?;
    if label.trim().is_empty() || label.contains(char::is_control) || label.chars().count() > LABEL_CHARS_MAX
    {
        return Err(DeviceError::Invalid(
            "label must be a name of at most 64 characters without control characters",
        ));
    }
    let named = tx
        .prepare_cached("UPDATE device SET label = ?2 WHERE id = ?1")?
        .execute(params![device, label.trim()])?;
    match named {
        0 => Err(DeviceError::NoSuchDevice(device.to_owned())),
        _ => Ok(()),
    }
}

fn role_of(tx: &Transaction<'_>, device: &str, role: &str) -> Result<RoleRow, DeviceError> {
    let role = Role::parse(role).ok_or(DeviceError::Invalid("role must be operator or node"))?;
    rows::find_role(tx, device, role)?
        .ok_or_else(|| DeviceError::NoSuchDevice(format!("{device} as {}", role.as_str())))
}

/// Makes a new token. Connections of the old one end.
pub(super) fn rotate(
    tx: &Transaction<'_>,
    key: &Secret,
    actor: &Actor,
    device: &str,
    role: &str,
    scopes: &[String],
    now: Timestamp,
) -> Result<(RoleRow, Secret), DeviceError> {
    may_change(actor, device, &rows::roles_of(tx, device)?)?;
    let mut row = role_of(tx, device, role)?;
    let wanted = match scopes {
        [] => row.token.as_ref().map_or(row.approved, |token| token.scopes),
        some => Grants::new(row.role(), some.iter().map(String::as_str)),
    };
    if let Some(scope) = missing(&row.approved, &wanted) {
        return Err(DeviceError::NotApproved(scope));
    }
    actor.holds(&wanted)?;
    let token = token::renew(key, &mut row, wanted, now);
    row.generation += 1;
    rows::put_role(tx, &row)?;
    Ok((row, token))
}

/// Revokes the token. Connections of the device in this role end.
pub(super) fn revoke(
    tx: &Transaction<'_>,
    actor: &Actor,
    device: &str,
    role: &str,
    now: Timestamp,
) -> Result<RoleRow, DeviceError> {
    may_change(actor, device, &rows::roles_of(tx, device)?)?;
    let mut row = role_of(tx, device, role)?;
    row.token = None;
    row.token_revoked_at = Some(now);
    row.generation += 1;
    rows::put_role(tx, &row)?;
    Ok(row)
}

/// A device that came in.
#[derive(Clone, Debug)]
pub(super) struct Arrived {
    pub(super) device: String,
    pub(super) role: Role,
    pub(super) ip: String,
    /// Whether it has shown its token.
    pub(super) has_token: bool,
}

/// What a device is told that came in: its token, and when that was made. `None`: it has it.
pub(super) type Told = Option<(Secret, Timestamp)>;

/// The answer where nothing has to be written for it. `None`: something has.
pub(super) fn greet(
    connection: &Connection,
    key: &Secret,
    arrived: &Arrived,
    now: Timestamp,
) -> Result<Option<Told>, DeviceError> {
    let Some(device) = rows::find_device(connection, &arrived.device)? else {
        return Ok(Some(None)); // removed in this moment: the edge's table says so soon
    };
    if device.last_seen_at.is_none_or(|at| at < now - SEEN_EVERY) {
        return Ok(None);
    }
    if arrived.has_token {
        return Ok(Some(None));
    }
    let Some(mut row) = rows::find_role(connection, &arrived.device, arrived.role)? else {
        return Ok(Some(None));
    };
    let (token, changed) = token::ensure(key, &mut row, now);
    Ok((!changed).then(|| Some((token, row.issued_at()))))
}

/// The same, and what has to be written.
pub(super) fn welcome(
    tx: &Transaction<'_>,
    key: &Secret,
    arrived: &Arrived,
    now: Timestamp,
) -> Result<Told, DeviceError> {
    let Arrived {
        device,
        role,
        ip,
        has_token,
    } = arrived;
    let (role, has_token) = (*role, *has_token);
    tx.prepare_cached(
        "UPDATE device SET last_seen_at = ?2, remote_ip = ?3 WHERE id = ?1 AND (last_seen_at IS NULL OR last_seen_at < ?4)",
    )?
    .execute(params![device, now, ip, now - SEEN_EVERY])?;
    if has_token {
        return Ok(None);
    }
    let Some(mut row) = rows::find_role(tx, device, role)? else {
        return Ok(None); // removed in this moment: the edge's table says so soon
    };
    let (token, changed) = token::ensure(key, &mut row, now);
    if changed {
        rows::put_role(tx, &row)?;
    }
    Ok(Some((token, row.issued_at())))
}
