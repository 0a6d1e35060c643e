//! Named users and their tokens: people with credentials of their own, each narrowed to some scopes and revoked alone.

use std::collections::HashMap;

use gatehouse_contract::{Grants, Role};
use gatehouse_core::{Secret, Timestamp, hex};
use gatehouse_proto::config::v1::Credential;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

pub(super) use super::actor::OWNER;
use super::{
    actor::Actor,
    admit,
    error::DeviceError,
    manage::Reach,
    rows::{self, words},
};

/// Named users: a large household, or a small company.
const USERS_MAX: usize = 200;

/// Tokens of one user: some programs on some machines.
const TOKENS_MAX: usize = 20;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UserRow {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

/// A token, without what is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UserTokenRow {
    pub(super) id: String,
    pub(super) user: String,
    pub(super) digest: String,
    pub(super) scopes: Grants,
    pub(super) label: Option<String>,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Option<Timestamp>,
}

/// What a token is to be.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) scopes: Vec<String>,
    pub(super) label: Option<String>,
    pub(super) seconds: Option<i64>,
}

/// A token that was made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) id: String,
    pub(super) token: Secret,
}

/// What ended with a user, or with one of their tokens.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// Devices that are forgotten, with what they were good for.
    pub(super) devices: Vec<(String, Reach)>,
    /// Devices that are no nodes any more.
    pub(super) nodes: Vec<String>,
}

fn user(row: &Row<'_>) -> rusqlite::Result<UserRow> {
    Ok(UserRow {
        id: row.get(0)?,
        name: row.get(1)?,
        created_at: row.get(2)?,
        updated_at: row.get(3)?,
    })
}

fn token(row: &Row<'_>) -> rusqlite::Result<UserTokenRow> {
    let scopes: String = row.get(3)?;
    Ok(UserTokenRow {
        id: row.get(0)?,
        user: row.get(1)?,
        digest: row.get(2)?,
        scopes: Grants::new(Role::Operator, scopes.split(' ')),
        label: row.get(4)?,
        created_at: row.get(5)?,
        expires_at: row.get(6)?,
    })
}

pub(super) fn all(connection: &Connection) -> Result<Vec<UserRow>, DeviceError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, name, created_at, updated_at FROM user ORDER BY id -- scans: all of them are asked for, and they are bounded",
    )?;
    let rows = statement.query_map([], user)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn find(connection: &Connection, id: &str) -> Result<Option<UserRow>, DeviceError> {
    Ok(connection
        .prepare_cached("SELECT id, name, created_at, updated_at FROM user WHERE id = ?1")?
        .query_row([id], user)
        .optional()?)
}

pub(super) fn tokens(connection: &Connection) -> Result<Vec<UserTokenRow>, DeviceError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, user_id, digest, scopes, label, created_at, expires_at FROM user_token ORDER BY id
         -- scans: all of them are asked for, and they are bounded",
    )?;
    let rows = statement.query_map([], token)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The names of users, by id.
pub(super) fn names(connection: &Connection) -> Result<HashMap<String, Option<String>>, DeviceError> {
    Ok(all(connection)?
        .into_iter()
        .map(|user| (user.id, user.name))
        .collect())
}

/// The rows of the edge's table.
pub(super) fn credentials(
    connection: &Connection,
    names: &HashMap<String, Option<String>>,
) -> Result<Vec<Credential>, DeviceError> {
    let rows = tokens(connection)?.into_iter();
    Ok(rows
        .map(|row| Credential {
            id: format!("user/{}/{}", row.user, row.id),
            digest: row.digest,
            role: Role::Operator.as_str().to_owned(),
            scopes: row.scopes.scopes().map(str::to_owned).collect(),
            expire_time_ms: row.expires_at.map(Timestamp::as_ms),
            issue_time_ms: Some(row.created_at.as_ms()),
            user_name: names.get(&row.user).cloned().flatten(),
            user_id: Some(row.user),
            ..Credential::default()
        })
        .collect())
}

/// Who is to be added.
#[derive(Clone, Debug)]
pub(super) struct New {
    pub(super) id: String,
    pub(super) name: Option<String>,
    /// Whether it may be an id that somebody had who was removed: then what is left of them is the new user's.
    pub(super) again: bool,
}

/// Adds a user with a first token.
pub(super) fn create(
    tx: &Transaction<'_>,
    actor: &Actor,
    new: &New,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<(UserRow, Made), DeviceError> {
    let New { id, name, again } = new;
    let name = name.as_deref();
    let is_word = !id.is_empty()
        && id
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    not_the_owner(id)?;
    if !is_word {
        return Err(DeviceError::Invalid(
            "id must be lower-case letters, digits and dashes",
        ));
    }
    if find(tx, id)?.is_some() {
        return Err(DeviceError::UserExists);
    }
    let was_removed = tx
        .prepare_cached("DELETE FROM removed_user WHERE id = ?1")?
        .execute([id])?;
    if was_removed > 0 && !again {
        return Err(DeviceError::UserWasRemoved);
    }
    if all(tx)?.len() >= USERS_MAX {
        return Err(DeviceError::TooManyUsers);
    }
    check_name(name)?;
    tx.prepare_cached("INSERT INTO user (id, name, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)")?
        .execute(params![id, name, now])?;
    let made = add_token(tx, actor, id, wanted, now)?;
    let user = UserRow {
        id: id.clone(),
        name: name.map(str::to_owned),
        created_at: now,
        updated_at: now,
    };
    Ok((user, made))
}

/// Refuses the name that stands for whoever holds the gateway token.
fn not_the_owner(id: &str) -> Result<(), DeviceError> {
    if id == OWNER {
        Err(DeviceError::OwnerStays)
    } else {
        Ok(())
    }
}

/// Removes a user with all tokens and devices. What they said stays, and so their id is not given to somebody else in silence.
pub(super) fn remove(tx: &Transaction<'_>, id: &str, now: Timestamp) -> Result<Ended, DeviceError> {
    not_the_owner(id)?;
    let mut ended = Ended::default();
    for token in tokens(tx)?.into_iter().filter(|token| token.user == id) {
        let of_it = revoke_token(tx, &token.id)?;
        ended.devices.extend(of_it.devices);
        ended.nodes.extend(of_it.nodes);
    }
    tx.prepare_cached(
        "DELETE FROM device WHERE user_id = ?1 -- scans: they are bounded, and users go seldom",
    )?
    .execute([id])?;
    tx.prepare_cached(
        "DELETE FROM pair_request WHERE user_id = ?1 -- scans: they are bounded, and users go seldom",
    )?
    .execute([id])?;
    tx.prepare_cached(
        "DELETE FROM setup_code WHERE user_id = ?1 -- scans: they are bounded, and users go seldom",
    )?
    .execute([id])?;
    let gone = tx
        .prepare_cached("DELETE FROM user WHERE id = ?1")?
        .execute([id])?;
    if gone == 0 {
        return Err(DeviceError::NoSuchUser(id.to_owned()));
    }
    tx.prepare_cached("INSERT OR REPLACE INTO removed_user (id, removed_at) VALUES (?1, ?2)")?
        .execute(params![id, now])?;
    Ok(ended)
}

/// Changes what a user is called.
pub(super) fn rename(
    tx: &Transaction<'_>,
    id: &str,
    name: &str,
    now: Timestamp,
) -> Result<UserRow, DeviceError> {
    check_name(Some(name))?;
    tx.prepare_cached("UPDATE user SET name = ?2, updated_at = ?3 WHERE id = ?1")?
        .execute(params![id, name, now])?;
    find(tx, id)?.ok_or_else(|| DeviceError::NoSuchUser(id.to_owned()))
}

/// Makes a token for a user.
pub(super) fn add_token(
    tx: &Transaction<'_>,
    actor: &Actor,
    user: &str,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<Made, DeviceError> {
    not_the_owner(user)?;
    if find(tx, user)?.is_none() {
        return Err(DeviceError::NoSuchUser(user.to_owned()));
    }
    let scopes = Grants::new(Role::Operator, wanted.scopes.iter().map(String::as_str));
    if scopes.scopes().count() != wanted.scopes.len() {
        return Err(DeviceError::Invalid(
            "scopes must be different scopes of an operator, for example operator.read",
        ));
    }
    actor.holds(&scopes)?;
    check_name(wanted.label.as_deref())?;
    let count: usize = tx
        .prepare_cached("SELECT count(*) FROM user_token WHERE user_id = ?1")?
        .query_row([user], |row| row.get(0))?;
    if count >= TOKENS_MAX {
        return Err(DeviceError::TooManyUsers);
    }
    let made = Made {
        id: uuid::Uuid::new_v4().to_string(),
        token: Secret::generate(),
    };
    let expires_at = wanted
        .seconds
        .map(|seconds| now.plus_ms(seconds.saturating_mul(1_000)));
    tx.prepare_cached(
        "INSERT INTO user_token (id, user_id, digest, scopes, label, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        made.id,
        user,
        hex::encode(&made.token.digest()),
        words(&scopes),
        wanted.label,
        now,
        expires_at,
    ])?;
    Ok(made)
}

/// Revokes a token, and with it what was paired with it: roles of devices, and the requests and codes that would have become some.
pub(super) fn revoke_token(tx: &Transaction<'_>, id: &str) -> Result<Ended, DeviceError> {
    let mut ended = Ended::default();
    let roles = rows::roles_by(tx, id)?;
    // What it vouched for goes with it: see the schema.
    let gone = tx
        .prepare_cached("DELETE FROM user_token WHERE id = ?1")?
        .execute([id])?;
    if gone == 0 {
        return Err(DeviceError::NoSuchToken(id.to_owned()));
    }
    for role in &roles {
        if role.role() == Role::Node {
            ended.nodes.push(role.device_id.clone());
        }
        if rows::roles_of(tx, &role.device_id)?.is_empty() && admit::remove(tx, &role.device_id)? {
            let had = roles.iter().filter(|had| had.device_id == role.device_id);
            ended
                .devices
                .push((role.device_id.clone(), Reach::of(had.map(|had| &had.approved))));
        }
    }
    Ok(ended)
}

fn check_name(name: Option<&str>) -> Result<(), DeviceError> {
    match name {
        Some(name) if name.trim().is_empty() || name.contains(char::is_control) => Err(DeviceError::Invalid(
            "a name must not be blank or hold control characters",
        )),
        Some(_) | None => Ok(()),
    }
}
