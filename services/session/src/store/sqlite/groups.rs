//! The rows of groups.

use rusqlite::{Connection, params};

use super::super::{GroupChange, GroupsOf};
use crate::error::Error;
use crate::key::SessionKey;
use crate::viewer::Viewer;

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
            groups.names = names;
            if !sections.is_empty() {
                groups.sections = sections;
            }
            Vec::new()
        }
        GroupChange::Rename { name, to } => {
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
