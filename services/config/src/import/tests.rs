use serde_json::json;

use super::*;
use crate::revision::samples::{INCLUDED, OPENCLAW};

/// A folder with what the documents include.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in INCLUDED {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

fn import_with(text: &str, env: &(dyn Fn(&str) -> Option<String> + Sync)) -> Imported {
    let folder = folder();
    let around = Around {
        folder: folder.path().to_owned(),
        env,
        addresses: &[("openai", "https://api.openai.com/v1")],
        name: "openclaw.json",
    };
    import(text, &around).unwrap_or_else(|issues| panic!("{issues:?}"))
}

fn imported(text: &str) -> Imported {
    import_with(text, &|_| None)
}

fn of(name: &str) -> &'static str {
    OPENCLAW
        .iter()
        .find(|(known, _)| *known == name)
        .expect("there")
        .1
}

fn told(imported: &Imported) -> String {
    let lines: Vec<String> = imported.noted.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[test]
fn every_key_of_every_document_is_in_the_one_that_is_made_or_is_named() {
    for (name, text) in OPENCLAW {
        let folder = folder();
        let (own, _) = text::parse(text).expect("JSON5");
        let source = include::follow(text, &own, folder.path()).value;

        let imported = imported(text);

        let (made, _) = text::parse(&imported.text).expect("JSON5");
        for (place, value) in leaves(&source) {
            let stands = place.get(&made) == Some(value);
            let path = place.to_string();
            let is_named = imported.noted.iter().any(|one| {
                path.strip_prefix(&one.place)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            });
            assert!(
                stands || is_named,
                "{name}: {path} is dropped without a word\n{}",
                told(&imported)
            );
            assert!(
                stands || !imported.taken.contains(&path),
                "{name}: {path} is not taken"
            );
        }
    }
}

#[test]
fn what_is_made_runs_without_a_word_about_keys_that_have_no_effect() {
    let set = |_: &str| Some("kX9qmQ2vL7pR4wZ8".to_owned());
    for (name, text) in OPENCLAW {
        let imported = imported(text);
        let sources = Sources {
            env: Box::new(set),
            folder: PathBuf::from("/nowhere"),
            secrets: PathBuf::from("/nowhere"),
        };

        let revision = Revision::read(&imported.text, &sources);

        let revision = revision.unwrap_or_else(|refused| panic!("{name}: {refused:?}\n{}", imported.text));
        assert!(
            revision.left_out().is_empty(),
            "{name}: {:?}",
            revision.warnings()
        );
        let unknown: Vec<_> = revision
            .warnings()
            .iter()
            .filter(|one| one.message.contains("unknown"))
            .collect();
        assert!(unknown.is_empty(), "{name}: {unknown:?}");
    }
}

#[test]
fn older_forms_and_other_words_become_what_they_mean_here() {
    let agents = imported(of("agents-list-bindings"));
    let (made, _) = text::parse(&agents.text).expect("JSON5");
    assert_eq!(made["agents"]["entries"]["emba_master"]["model"], "google/g");
    assert!(made["agents"].get("list").is_none(), "{made}");
    assert!(
        told(&agents).contains("agents.list[1]: stands under agents.entries.emba_master"),
        "{}",
        told(&agents)
    );
    assert!(
        told(&agents).contains("agents.list[0].tools"),
        "{}",
        told(&agents)
    );

    let ollama = imported(of("ollama-native"));
    let (made, _) = text::parse(&ollama.text).expect("JSON5");
    assert_eq!(
        made["models"]["providers"]["ollama"]["baseUrl"],
        "http://127.0.0.1:11434/v1"
    );
    assert!(made["models"]["providers"]["ollama"].get("api").is_none());
    assert_eq!(
        made["models"]["providers"]["openai"]["baseUrl"],
        "https://api.openai.com/v1"
    );
    assert_eq!(
        made["models"]["providers"]["openai"]["apiKey"],
        "${OPENAI_API_KEY}"
    );
    assert!(ollama.unset.contains("OPENAI_API_KEY"));

    let azure = import_with(
        r#"{"models": {"providers": {"azure": {"baseUrl": "${AZ_URL}", "apiKey": "${AZ_KEY}"}}}}"#,
        &|name| (name == "AZ_URL").then(|| "https://az.example/v1".to_owned()),
    );
    let (made, _) = text::parse(&azure.text).expect("JSON5");
    assert_eq!(
        made["models"]["providers"]["azure"]["baseUrl"],
        "https://az.example/v1"
    );
    assert_eq!(made["models"]["providers"]["azure"]["apiKey"], "${AZ_KEY}");
    assert!(told(&azure).contains("models.providers.azure.baseUrl: the value that AZ_URL has here"));
}

#[test]
fn what_cannot_be_used_needs_a_decision_and_no_secret_is_told() {
    let azure = imported(of("azure-envref"));
    let decision = |imported: &Imported, place: &str| {
        imported
            .noted
            .iter()
            .any(|one| one.fate == Fate::Decision && one.place == place)
    };
    assert!(decision(&azure, "models.providers.azure"), "{}", told(&azure));
    assert!(decision(&imported(of("mode-remote")), "gateway.mode"));
    assert!(
        told(&imported(of("mode-remote"))).contains("gateway.remote: a gateway elsewhere is reached with")
    );
    let written = imported(
        r#"{"hooks": {"enabled": true, "token": "kX9qmQ2vL7pR4wZ8"}, "channels": {"telegram": {"botToken": "123456789:AAEhBP0av28kX9qmQ2vL7pR4wZ8kX9qmQ2v"}}}"#,
    );
    assert!(!told(&written).contains("kX9qmQ2vL7pR4wZ8"), "{}", told(&written));
    let secrets: Vec<&str> = written
        .noted
        .iter()
        .filter(|one| one.fate == Fate::Secret)
        .map(|one| one.place.as_str())
        .collect();
    assert_eq!(secrets, ["hooks.token", "channels.telegram.botToken"]);
    let (head, _) = written.text.split_once('{').expect("a document");
    assert!(
        head.contains("Secrets that are written out") && !head.contains("kX9qmQ2vL7pR4wZ8"),
        "{head}"
    );
}

#[test]
fn a_word_that_would_let_more_people_share_when_it_is_gone_becomes_the_narrow_one() {
    let document = json!({"session": {"dmScope": "per-something"}, "gateway": {"auth": {"mode": "tokn"}}});

    let imported = imported(&document.to_string());

    let (made, _) = text::parse(&imported.text).expect("JSON5");
    assert_eq!(made["session"]["dmScope"], "per-channel-peer");
    assert!(
        made["gateway"]["auth"].get("mode").is_none(),
        "the default asks for the token"
    );
    assert!(told(&imported).contains("session.dmScope") && told(&imported).contains("gateway.auth.mode"));
}

#[test]
fn items_of_a_list_are_named_by_their_place_in_what_was_imported() {
    let document = json!({"gateway": {"trustedProxies": ["10.0.0.1", "no", "10.0.0.2", "neither"]}});

    let imported = imported(&document.to_string());

    let (made, _) = text::parse(&imported.text).expect("JSON5");
    assert_eq!(made["gateway"]["trustedProxies"], json!(["10.0.0.1", "10.0.0.2"]));
    let told = told(&imported);
    assert!(
        told.contains("gateway.trustedProxies[1]") && told.contains("gateway.trustedProxies[3]"),
        "{told}"
    );
}

#[test]
fn comments_stay_and_the_head_says_what_came_of_the_rest() {
    let text = "{\n  // my port\n  gateway: { port: 18789, /* gone */ remote: { url: 'wss://h' } },\n}\n";

    let imported = imported(text);

    assert!(
        imported.text.contains("// my port") && imported.text.contains("port: 18789"),
        "{}",
        imported.text
    );
    assert!(
        imported.text.starts_with("// Made of openclaw.json"),
        "{}",
        imported.text
    );
    assert!(
        imported.text.contains("//   gateway.remote: "),
        "{}",
        imported.text
    );
    assert!(!imported.text.contains("wss://h"));
    assert_eq!(imported.taken, ["gateway.port"]);
}

#[test]
fn a_text_that_is_none_is_refused_with_its_place() {
    let folder = folder();
    let around = Around {
        folder: folder.path().to_owned(),
        env: &|_| None,
        addresses: &[],
        name: "x",
    };

    let issues = import("{ a: ", &around).expect_err("cut off");

    assert!(issues[0].message.contains("line 1"), "{issues:?}");
    assert!(import("{ $include: './none.json5' }", &around).is_err());
}

#[test]
fn comments_stay_where_other_files_are_included_as_well() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(
        folder.path().join("agents.json5"),
        "{ list: [{ id: 'main', name: 'Ann' }] } // theirs",
    )
    .expect("written");
    let around = Around {
        folder: folder.path().to_owned(),
        env: &|_| None,
        addresses: &[],
        name: "openclaw.json",
    };
    let text = "{\n  // the port of the router\n  gateway: { port: 19000 }, // not 18789\n  agents: { $include: './agents.json5' },\n}\n";

    let imported = import(text, &around).expect("it can be used");

    for kept in ["// the port of the router", "// not 18789", "port: 19000"] {
        assert!(imported.text.contains(kept), "{kept}: {}", imported.text);
    }
    let (made, _) = text::parse(&imported.text).expect("JSON5");
    assert_eq!(
        made["agents"]["entries"]["main"]["name"], "Ann",
        "{}",
        imported.text
    );
    assert_eq!(made["agents"].get("$include"), None, "{}", imported.text);
}
