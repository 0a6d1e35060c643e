//! The rules of `plugins`: what an entry needs to be reached or run, and what it may not name.

use std::collections::BTreeSet;

use gatehouse_contract::{Map, PluginId};
use gatehouse_core::plugin;
use gatehouse_document::{
    Document, SecretInput,
    plugins::{
        CHANNELS_MAX, CONFIG_BYTES_MAX, ENTRIES_MAX, OVERRIDES_MAX, PluginEntry, WORD_BYTES_MAX, WORDS_MAX,
        may_be_brought,
    },
};

use crate::{issue::Issue, path::Path};

/// Variables of these names are what the gateway tells a plugin.
const OWN: &str = "GATEHOUSE_";

pub(super) fn check(document: &Document, issues: &mut Vec<Issue>) {
    let entries = &document.plugins.entries;
    let mut kinds = BTreeSet::new();
    for (index, (id, entry)) in entries.iter().enumerate() {
        let path = Path::of(["plugins", "entries", id]);
        if index >= ENTRIES_MAX {
            let problem = format!("is one too many: a gateway takes {ENTRIES_MAX} plugins");
            issues.push(Issue::error(path, problem));
            continue;
        }
        if PluginId::parse(id).is_none() {
            let problem = "is not a plugin's id: use lower-case letters, digits and dashes, at most 64";
            // Documents of OpenClaw name their own plugins here, which are no processes.
            issues.push(if entry.is_set_up() {
                Issue::error(path, problem)
            } else {
                Issue::warning(path, problem)
            });
            continue;
        }
        place(entry, &path, issues);
        command(entry, &path, issues);
        overrides(entry, &path, issues);
        channels(entry, &path, &mut kinds, issues);
        let config = serde_json::to_string(&entry.config).map_or(0, |text| text.len());
        if config > CONFIG_BYTES_MAX {
            let problem = format!("is longer than {CONFIG_BYTES_MAX} bytes");
            issues.push(Issue::error(path.key("config"), problem));
        }
    }
}

fn place(entry: &PluginEntry, path: &Path, issues: &mut Vec<Issue>) {
    match &entry.endpoint {
        Some(endpoint) if endpoint.len() > WORD_BYTES_MAX => {
            let problem = format!("is longer than {WORD_BYTES_MAX} bytes");
            issues.push(Issue::error(path.key("endpoint"), problem));
        }
        Some(endpoint) => {
            if let Err(error) = plugin::address(endpoint) {
                issues.push(Issue::error(path.key("endpoint"), error.to_string()));
            }
        }
        None if entry.command.is_none() && entry.enabled => issues.push(Issue::warning(
            path.clone(),
            "has no effect: give the `endpoint` of a process, or the `command` that runs one",
        )),
        None => {}
    }
}

fn command(entry: &PluginEntry, path: &Path, issues: &mut Vec<Issue>) {
    let mut refuse = |key: Path, problem: String| issues.push(Issue::error(key, problem));
    match entry.command.as_deref() {
        Some(command) if command.trim().is_empty() || command.len() > WORD_BYTES_MAX => {
            refuse(path.key("command"), "must name a program".to_owned());
        }
        Some(command) if command.contains('/') && !command.starts_with('/') => {
            let problem = "must be an absolute path, or a name that is found in PATH";
            refuse(path.key("command"), problem.to_owned());
        }
        Some(_) => {}
        None => {
            for (key, is_there) in [("args", !entry.args.is_empty()), ("env", !entry.env.is_empty())] {
                if is_there {
                    issues.push(Issue::warning(path.key(key), "has no effect without `command`"));
                }
            }
            return;
        }
    }
    if entry.args.len() > WORDS_MAX || entry.env.len() > WORDS_MAX {
        let problem = format!("has more than {WORDS_MAX} arguments or variables");
        refuse(path.clone(), problem);
    }
    for (index, arg) in entry.args.iter().enumerate() {
        if arg.len() > WORD_BYTES_MAX || arg.contains('\0') {
            let problem = format!("must be a text of at most {WORD_BYTES_MAX} bytes");
            refuse(path.key("args").index(index), problem);
        }
    }
    for (name, value) in &entry.env {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let key = path.key("env").key(name);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.bytes().all(plain) {
            refuse(key, "is not the name of a variable".to_owned());
        } else if name.starts_with(OWN) {
            refuse(
                key,
                format!("is the gateway's: names with {OWN} are what a plugin is told"),
            );
        } else if matches!(value, SecretInput::Text(text) if text.len() > WORD_BYTES_MAX || text.contains('\0'))
        {
            refuse(key, format!("must be a text of at most {WORD_BYTES_MAX} bytes"));
        }
    }
}

fn overrides(entry: &PluginEntry, path: &Path, issues: &mut Vec<Issue>) {
    let path = path.key("overrides");
    if entry.overrides.len() > OVERRIDES_MAX {
        let problem = format!("has more than {OVERRIDES_MAX} methods");
        issues.push(Issue::error(path.clone(), problem));
    }
    for (index, name) in entry.overrides.iter().enumerate() {
        if Map::core().method(name).is_none() {
            let problem =
                format!("{name:?} is not a method of the gateway's own: `gatehouse methods` lists them");
            issues.push(Issue::error(path.index(index), problem));
        }
    }
}

/// `kinds` are the channels of the plugins before.
fn channels<'d>(entry: &'d PluginEntry, path: &Path, kinds: &mut BTreeSet<&'d str>, issues: &mut Vec<Issue>) {
    let path = path.key("channels");
    if entry.channels.len() > CHANNELS_MAX {
        let problem = format!("has more than {CHANNELS_MAX} channels");
        issues.push(Issue::error(path.clone(), problem));
    }
    for (index, kind) in entry.channels.iter().enumerate() {
        let problem = if !may_be_brought(kind) {
            "cannot be the channel of a plugin: use lower-case letters, digits and dashes, and no channel that Gatehouse has itself"
        } else if entry.is_set_up() && !kinds.insert(kind) {
            "is the channel of another plugin already"
        } else {
            continue;
        };
        issues.push(Issue::error(path.index(index), format!("{kind:?} {problem}")));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn found(entries: Value) -> Vec<String> {
        let document: Document =
            serde_json::from_value(json!({"plugins": {"entries": entries}})).expect("types");
        let mut issues = Vec::new();
        check(&document, &mut issues);
        issues.iter().map(|issue| issue.path.clone()).collect()
    }

    #[test]
    fn what_can_be_reached_or_run_is_taken() {
        for entry in [
            json!({"endpoint": "127.0.0.1:50051"}),
            json!({"endpoint": "http://kitchen:50051"}),
            json!({"endpoint": "unix:/run/kitchen.sock", "overrides": ["models.list"]}),
            json!({"command": "/usr/bin/python3", "args": ["kitchen.py"], "env": {"API_KEY": "k"}}),
            json!({"command": "kitchen", "enabled": false}),
        ] {
            assert_eq!(found(json!({"kitchen": entry})), [] as [&str; 0], "{entry}");
        }
    }

    #[test]
    fn what_cannot_is_refused_with_its_place() {
        for (entry, place) in [
            (json!({"endpoint": "https://kitchen:1"}), "endpoint"),
            (json!({"endpoint": "unix:kitchen.sock"}), "endpoint"),
            (json!({"endpoint": "kitchen"}), "endpoint"),
            (json!({"endpoint": "http://kitchen:1/path"}), "endpoint"),
            (json!({"command": "./kitchen"}), "command"),
            (json!({"command": ""}), "command"),
            (json!({"command": "k", "args": ["x".repeat(5_000)]}), "args[0]"),
            (
                json!({"command": "k", "env": {"GATEHOUSE_TOKEN": "x"}}),
                "env.GATEHOUSE_TOKEN",
            ),
            (json!({"command": "k", "env": {"1X": "x"}}), "env.1X"),
            (json!({"endpoint": "h:1", "args": ["x"]}), "args"),
            (
                json!({"endpoint": "h:1", "overrides": ["models.lst"]}),
                "overrides[0]",
            ),
            (json!({"endpoint": "h:1", "channels": ["irc"]}), "channels[0]"),
            (
                json!({"endpoint": "h:1", "channels": ["lines", "Lines"]}),
                "channels[1]",
            ),
            (
                json!({"endpoint": "h:1", "channels": ["lines", "lines"]}),
                "channels[1]",
            ),
            (
                json!({"endpoint": "h:1", "config": {"x": "y".repeat(300_000)}}),
                "config",
            ),
        ] {
            assert_eq!(
                found(json!({"kitchen": entry})),
                [format!("plugins.entries.kitchen.{place}")]
            );
        }
        assert_eq!(
            found(json!({"Kitchen": {"endpoint": "h:1"}})),
            ["plugins.entries.Kitchen"]
        );
        assert_eq!(found(json!({"kitchen": {}})), ["plugins.entries.kitchen"]);
    }

    #[test]
    fn a_channel_belongs_to_one_plugin_that_is_set_up() {
        let lines = |more: Value| {
            let mut entry = json!({"endpoint": "h:1", "channels": ["lines"]});
            entry
                .as_object_mut()
                .expect("an object")
                .extend(more.as_object().expect("an object").clone());
            entry
        };

        assert_eq!(
            found(json!({"a": lines(json!({})), "b": lines(json!({}))})),
            ["plugins.entries.b.channels[0]"]
        );
        let off = json!({"a": lines(json!({"enabled": false})), "b": lines(json!({}))});
        assert_eq!(found(off), [] as [&str; 0]);
    }

    #[test]
    fn more_plugins_than_a_map_takes_are_refused() {
        let many: serde_json::Map<String, Value> = (0..=ENTRIES_MAX)
            .map(|n| (format!("p{n:03}"), json!({"endpoint": "h:1"})))
            .collect();

        assert_eq!(found(Value::Object(many)), ["plugins.entries.p100"]);
    }
}
