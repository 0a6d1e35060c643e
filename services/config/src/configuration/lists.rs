//! What a partial document does to lists: a list of things with an `id` is merged by it, and nothing falls out of a list by mistake.
//!
//! A client that changes one entry of a list may know it only in part, or may have read it before somebody added to it. So entries go
//! only when the change says that the list is meant as a whole, as clients of OpenClaw's gateway do with `replacePaths`.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Map, Value};

use crate::{error::Error, text};

/// What a change may do to lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lists {
    /// Each stands for the whole list. Whoever makes the change knows the document.
    #[default]
    Whole,
    /// Only those at these paths, and below them, do.
    Guarded(BTreeSet<String>),
}

impl Lists {
    /// Those that a client names, as `channels.irc.channels`.
    pub(crate) fn named(paths: Vec<String>) -> Self {
        let paths = paths.into_iter().map(|path| path.trim().to_owned());
        Self::Guarded(paths.filter(|path| !path.is_empty()).collect())
    }
}

/// Completes the lists of a change with what they leave out of the document's. Both hold marks where secrets are.
///
/// # Errors
/// When entries would fall out of a list that is not named, or ids stand for several entries.
pub(super) fn complete(before: &Value, change: &mut Value, lists: &Lists) -> Result<(), Error> {
    let (Lists::Guarded(replaced), Value::Object(before), Value::Object(change)) = (lists, before, change)
    else {
        return Ok(());
    };
    let mut walk = Walk {
        replaced,
        lost: Vec::new(),
    };
    walk.object(before, change, "")?;
    if walk.lost.is_empty() {
        Ok(())
    } else {
        Err(Error::EntriesLost(walk.lost))
    }
}

struct Walk<'a> {
    replaced: &'a BTreeSet<String>,
    /// Lists that would lose entries.
    lost: Vec<String>,
}

impl Walk<'_> {
    fn object(
        &mut self,
        before: &Map<String, Value>,
        change: &mut Map<String, Value>,
        path: &str,
    ) -> Result<(), Error> {
        for (key, new) in change {
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            if self.is_replaced(&path) {
                continue;
            }
            match (before.get(key), new) {
                (Some(Value::Array(old)), Value::Array(entries)) => self.list(old, entries, path)?,
                (Some(Value::Object(old)), Value::Object(new)) => self.object(old, new, &path)?,
                (Some(old), _) => self.lose(old, path),
                (None, _) => {}
            }
        }
        Ok(())
    }

    fn is_replaced(&self, path: &str) -> bool {
        self.replaced.iter().any(|replaced| {
            let rest = path.strip_prefix(replaced.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    fn list(&mut self, old: &[Value], entries: &mut Vec<Value>, path: String) -> Result<(), Error> {
        let ids: Option<Vec<&str>> = old.iter().map(id).collect();
        match ids {
            Some(ids) if !ids.is_empty() => {
                *entries = self.merged(old, &ids, std::mem::take(entries), &path)?
            }
            _ if !keeps(old, entries) => self.lost.push(path),
            _ => {}
        }
        Ok(())
    }

    /// The list with each entry that has the id of an old one merged into it, and the others behind.
    fn merged(
        &mut self,
        old: &[Value],
        ids: &[&str],
        entries: Vec<Value>,
        path: &str,
    ) -> Result<Vec<Value>, Error> {
        unique(ids.iter().copied(), path)?;
        unique(entries.iter().filter_map(id), path)?;
        let mut merged = old.to_vec();
        for mut entry in entries {
            let place = id(&entry).and_then(|id| ids.iter().position(|known| *known == id));
            let mut target = Value::Null;
            if let Some(old) = place.and_then(|place| old.get(place)) {
                if let (Value::Object(old), Value::Object(new)) = (old, &mut entry) {
                    self.object(old, new, &format!("{path}[]"))?;
                }
                target = old.clone();
            }
            text::merge(&mut target, &entry);
            match place.and_then(|place| merged.get_mut(place)) {
                Some(old) => *old = target,
                None => merged.push(target),
            }
        }
        Ok(merged)
    }

    /// Everything in a value goes.
    fn lose(&mut self, old: &Value, path: String) {
        match old {
            Value::Array(entries) if !entries.is_empty() => self.lost.push(path),
            Value::Object(members) => {
                for (key, value) in members {
                    let path = format!("{path}.{key}");
                    if !self.is_replaced(&path) {
                        self.lose(value, path);
                    }
                }
            }
            _ => {}
        }
    }
}

fn id(entry: &Value) -> Option<&str> {
    entry
        .get("id")
        .and_then(Value::as_str)
        .filter(|id| !id.is_empty())
}

fn unique<'v>(ids: impl Iterator<Item = &'v str>, path: &str) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(Error::IdTwice {
                id: id.to_owned(),
                path: path.to_owned(),
            });
        }
    }
    Ok(())
}

/// Whether every entry is still there, as often as before.
fn keeps(old: &[Value], new: &[Value]) -> bool {
    let mut left: Vec<&Value> = new.iter().collect();
    old.iter().all(|entry| {
        let place = left.iter().position(|candidate| *candidate == entry);
        place.map(|place| left.swap_remove(place)).is_some()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn completed(before: &Value, change: Value, replaced: &[&str]) -> Result<Value, String> {
        let lists = Lists::named(replaced.iter().map(|path| (*path).to_owned()).collect());
        let mut change = change;
        complete(before, &mut change, &lists)
            .map(|()| change)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn an_entry_is_merged_into_the_one_with_its_id_and_a_new_one_comes_behind() {
        let before = json!({"list": [{"id": "a", "name": "A", "tags": ["x"]}, {"id": "b", "name": "B"}]});

        let change = json!({"list": [{"id": "b", "name": null, "emoji": "!"}, {"id": "c"}, {"plain": true}]});
        let merged = completed(&before, change, &[]).unwrap();

        let expected = json!({"list": [
            {"id": "a", "name": "A", "tags": ["x"]}, {"id": "b", "emoji": "!"}, {"id": "c"}, {"plain": true},
        ]});
        assert_eq!(merged, expected);
    }

    #[test]
    fn a_change_that_would_drop_entries_names_each_list_and_is_made_when_that_is_said() {
        let before =
            json!({"a": {"list": [1, 2]}, "b": {"c": {"list": ["x"]}}, "e": [{"id": "q", "in": [1, 2]}]});
        let dropping = [
            (json!({"a": {"list": [1]}}), "a.list"),
            (json!({"a": {"list": [2, 3]}}), "a.list"),
            (json!({"a": {"list": null}}), "a.list"),
            (json!({"b": null}), "b.c.list"),
            (json!({"b": "text"}), "b.c.list"),
            (json!({"e": [{"id": "q", "in": [2]}]}), "e[].in"),
            (json!({"e": null}), "e"),
        ];
        for (change, path) in dropping {
            let refused = completed(&before, change.clone(), &["other"]).unwrap_err();

            assert!(refused.contains(path), "{change}: {refused}");
            assert!(refused.contains("replacePaths"), "{refused}");
            let made = completed(&before, change.clone(), &[path]).unwrap();
            if path != "e[].in" {
                assert_eq!(made, change);
            }
        }
        // Nothing falls out of these.
        for change in [
            json!({"a": {"list": [3, 2, 1]}}),
            json!({"new": [1]}),
            json!({"a": {"other": null}}),
        ] {
            assert_eq!(completed(&before, change.clone(), &[]).unwrap(), change);
        }
        assert_eq!(
            completed(&before, json!({"b": null}), &["b"]).unwrap(),
            json!({"b": null})
        );
    }

    #[test]
    fn an_id_that_stands_for_two_entries_is_refused() {
        let twice = json!({"list": [{"id": "a"}, {"id": "a"}]});
        let once = json!({"list": [{"id": "a"}]});

        assert!(completed(&twice, once.clone(), &[]).unwrap_err().contains("list"));
        assert!(completed(&once, twice.clone(), &[]).unwrap_err().contains("list"));
        assert_eq!(completed(&once, twice.clone(), &["list"]).unwrap(), twice);
    }
}
