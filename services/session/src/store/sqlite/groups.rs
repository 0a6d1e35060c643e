//! The rows of groups.

use rusqlite::{Connection, params};

use super::super::{GroupChange, GroupsOf};
use crate::error::Error;
use crate::key::SessionKey;
use crate::viewer::Viewer;

/// Groups in the list: the contract's bound.
const GROUPS_MAX: u32 = 200;

pub(super) fn groups(conn: &Connection) -> Result<GroupsOf, Error> {
    let of = |kind: &str| -> Result<Vec<String>, Error> {
        let mut statement =
            conn.prepare_cached("SELECT name FROM session_groups WHERE kind = ?1 ORDER BY position")?;
        let names = statement.query_map([kind], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    };
    Ok(GroupsOf {
        names: of("group")?,
        sections: of("section")?,
    })
}

fn put(conn: &Connection, kind: &str, names: &[String]) -> Result<(), Error> {
    conn.prepare_cached("DELETE FROM session_groups WHERE kind = ?1")?
        .execute([kind])?;
    let mut insert = conn.prepare_cached(
        "INSERT INTO session_groups (kind, position, name) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?;
    for (position, name) in (0_i64..).zip(names) {
        insert.execute(params![kind, position, name])?; // a name that comes twice stands where it came first
    }
    Ok(())
}

pub(super) fn change(
    conn: &Connection,
    change: GroupChange,
    viewer: &Viewer,
) -> Result<(GroupsOf, Vec<SessionKey>), Error> {
    let mut groups = groups(conn)?;
    let moved = match change {
        GroupChange::Put(GroupsOf { names, sections }) => {
            for gone in groups.names.iter().filter(|name| !names.contains(name)) {
                if has_members(conn, viewer, gone)? {
                    return Err(Error::GroupInUse(gone.clone()));
                }
            }
            groups.names = names;
            if !sections.is_empty() {
                groups.sections = sections;
            }
            Vec::new()
        }
        GroupChange::Rename { name, to } => {
            if !groups.names.contains(&name) && !has_members(conn, viewer, &name)? {
                return Err(Error::NoGroup(name));
            }
            let exists = groups.names.contains(&to);
            groups.names.retain(|known| !exists || *known != name);
            for names in [&mut groups.names, &mut groups.sections] {
                names
                    .iter_mut()
                    .filter(|known| **known == name)
                    .for_each(|known| known.clone_from(&to));
            }
            moved(conn, viewer, &name, Some(&to))?
        }
        GroupChange::Delete(name) => {
            groups.names.retain(|known| *known != name);
            groups.sections.retain(|known| *known != name);
            moved(conn, viewer, &name, None)?
        }
    };
    put(conn, "group", &groups.names)?;
    put(conn, "section", &groups.sections)?;
    Ok((self::groups(conn)?, moved))
}

/// Whether a group holds a session that somebody may see.
fn has_members(conn: &Connection, viewer: &Viewer, group: &str) -> Result<bool, Error> {
    let mut statement = conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM sessions WHERE category = ?1 AND (?2 OR user IS NULL OR user = ?3))",
    )?;
    Ok(statement.query_row(params![group, viewer.sees_all(), viewer.user()], |row| row.get(0))?)
}

/// Lists a group that a session is put into, at the end, where there is room for one more. Everybody reads the list, so what a private
/// session is put into stays out of it.
pub(super) fn list(conn: &Connection, session: i64, group: &str) -> Result<(), Error> {
    conn.prepare_cached(
        "INSERT INTO session_groups (kind, position, name)
         SELECT 'group', coalesce(max(position) + 1, 0), ?1 FROM session_groups WHERE kind = 'group'
         HAVING count(*) < ?2 AND EXISTS (SELECT 1 FROM sessions WHERE id = ?3 AND user IS NULL)
         ON CONFLICT DO NOTHING",
    )?
    .execute(params![group, GROUPS_MAX, session])?;
    Ok(())
}

/// Puts the sessions of a group into another one, or into none. Those that somebody may not see stay where they are.
fn moved(conn: &Connection, viewer: &Viewer, from: &str, to: Option<&str>) -> Result<Vec<SessionKey>, Error> {
    let mut statement = conn.prepare_cached(
        "UPDATE sessions SET category = ?2
         WHERE category = ?1 AND (?3 OR user IS NULL OR user = ?4) RETURNING key",
    )?;
    let keys = statement.query_map(params![from, to, viewer.sees_all(), viewer.user()], |row| {
        Ok(SessionKey::stored(row.get(0)?))
    })?;
    Ok(keys.collect::<Result<_, _>>()?)
}
