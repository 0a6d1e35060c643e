//! Secrets, variables and files that a document names, and what its readers are handed.

use super::*;

#[test]
fn a_resolved_secret_is_in_no_message() {
    let found = errors(json!({
        "gateway": {"bind": "${KEY}", "auth": {"token": "${KEY}"}}, "session": {"dmScope": "${NOWHERE}"},
        "models": {"providers": {"p": {"baseUrl": "${KEY}"}}}, "channels": {"irc": {"port": "${KEY}", "tlsCaFile": "${KEY}"}},
    }));

    assert_eq!(found.len(), 2, "{found:?}");
    assert!(!found.join("\n").contains("key-from-env"), "{found:?}");
}

#[test]
fn a_variable_is_in_nothing_but_secrets() {
    let revision = read(json!({
        "agents": {"defaults": {"systemPrompt": "${KEY}"}, "entries": {"main": {"name": "${KEY}", "identity": {"theme": "a ${KEY}"}}}},
        "models": {"providers": {"a": {"baseUrl": "http://h/${KEY}?k=${KEY}", "apiKey": "${KEY}", "models": [{"id": "${KEY}"}]}}},
        "channels": {"irc": {"server": "s", "nick": "n", "realname": "${KEY}", "tlsCaFile": "${KEY}"}, "telegram": {"botToken": "${KEY}"}},
        "plugins": {"x": "${KEY}"}, "${KEY}": "${KEY}",
    }));

    let mut found = 0;
    for reader in [
        Reader::Edge,
        Reader::Session,
        Reader::Agent,
        Reader::ChannelBridge,
        Reader::Broadcast,
    ] {
        found += revision.cut(reader).matches("key-from-env").count();
    }

    assert_eq!(found, 1, "apiKey, for the agent");
    assert!(!revision.shown().to_string().contains("key-from-env"));
    let told: Vec<&str> = revision
        .warnings()
        .iter()
        .map(|issue| issue.path.as_str())
        .collect();
    for path in [
        "agents.defaults.systemPrompt",
        "agents.entries.main.name",
        "models.providers.a.baseUrl",
    ] {
        assert!(told.contains(&path), "{path} in {told:?}");
    }
}

#[test]
fn a_file_that_is_named_is_handed_out_whole_with_the_folder_it_must_not_leave() {
    let of = |path: &str| {
        let revision = read(json!({"channels": {"irc": {"server": "s", "nick": "n", "tlsCaFile": path}}}));
        let cut: Value = serde_json::from_str(&revision.cut(Reader::ChannelBridge)).expect("JSON");
        assert_eq!(revision.shown()["channels"]["irc"]["tlsCaFile"], path);
        cut["channels"]["irc"]["tlsCaFile"].clone()
    };

    assert_eq!(of("ca.pem"), json!({"path": "/home/gateway/ca.pem"}));
    assert_eq!(of("/etc/ca.pem"), json!({"path": "/etc/ca.pem"}));
    assert_eq!(
        of("secrets/ca.pem"),
        json!({"path": "/home/gateway/secrets/ca.pem", "within": "/home/gateway/secrets"})
    );
}

#[test]
fn a_reference_that_leads_nowhere_is_all_that_is_said_about_its_key() {
    let document = json!({"channels": {"webhook": {"secret": "${NOWHERE}"}}, "gateway": {"auth": {"token": "${NOWHERE}"}}});

    let refused = Revision::read(&document.to_string(), &sources()).expect_err("nothing is there");

    assert!(refused.only_secrets(), "{refused:?}");
    assert_eq!(refused.missing.len(), 2);
}

#[test]
fn changed_paths_name_keys_and_no_values() {
    let old = json!({"a": {"b": 1, "c": 2}, "d": [1]});
    let new = json!({"a": {"b": 1, "c": 3, "e": {}}, "f": "x"});

    assert_eq!(changed_paths(&old, &new, 10), ["a.c", "a.e", "f", "d"]);
    assert_eq!(changed_paths(&old, &new, 2), ["a.c", "a.e", "..."]);
}

/// Whether everything that stands in `sent` was read.
fn holds(read: &Value, sent: &Value, at: &str) {
    match (read, sent) {
        (Value::Object(read), Value::Object(sent)) => {
            for (key, value) in sent {
                let inner = format!("{at}.{key}");
                // Without its secrets a map may be empty, and what is empty is not written again.
                if value.as_object().is_some_and(Map::is_empty) {
                    continue;
                }
                holds(
                    read.get(key).unwrap_or_else(|| panic!("{inner} was not read")),
                    value,
                    &inner,
                );
            }
        }
        (Value::Array(read), Value::Array(sent)) => {
            assert_eq!(read.len(), sent.len(), "{at}");
            read.iter()
                .zip(sent)
                .for_each(|(read, sent)| holds(read, sent, at));
        }
        _ => assert_eq!(read, sent, "{at}"),
    }
}

#[test]
fn every_reader_reads_all_of_its_sections_of_the_largest_and_of_the_smallest_document() {
    for sample in [samples::MAXIMAL, samples::MINIMAL] {
        let revision = Revision::read(sample, &sources()).unwrap_or_else(|refused| panic!("{refused:?}"));
        for reader in Reader::ALL {
            let sent: Value = serde_json::from_str(&revision.cut(reader)).unwrap();

            let read: Document = serde_json::from_value(sent.clone()).unwrap();

            holds(&serde_json::to_value(&read).unwrap(), &sent, "");
        }
    }
}
