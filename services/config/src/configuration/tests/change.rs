//! What a change through a method leaves behind, and what it says.

use super::*;
use crate::revision::hash;

#[test]
fn taking_out_what_is_not_there_changes_nothing() {
    for text in ["{ /* my notes */ }", "{}", "{\n  gateway: { port: 2000 },\n}\n"] {
        let home = Folder::new(Some(text));
        let mut configuration = home.start(&[]).expect("valid");
        let before = running(&configuration);

        for absent in [
            json!({"channels": {"irc": null}}),
            json!({"nope": {"x": null}}),
            json!({"gateway": {"bind": null, "auth": {"rateLimit": {"windowMs": null}}}}),
            json!({"gateway": {"port": {"deeper": null}}}),
            json!({}),
        ] {
            let patched = patch(&mut configuration, &absent).expect("nothing to do");

            assert_eq!(patched.state.revision.hash(), before, "{absent}");
        }
        assert_eq!(home.text(), text);
        assert_eq!(home.history(), [] as [String; 0]);
    }
}

#[test]
fn a_section_goes_with_its_last_key_and_an_entry_with_a_name_stays() {
    let unset = |text: &str, change: Value| {
        let home = Folder::new(Some(text));
        let mut configuration = home.start(&[]).expect("valid");
        patch(&mut configuration, &change).expect("taken");
        home.text()
    };

    assert_eq!(
        unset("{ gateway: { port: 2000 }, }", json!({"gateway": {"port": null}})),
        "{ }"
    );
    assert_eq!(
        unset(
            "{\n  gateway: { auth: { rateLimit: { windowMs: 1000 } } },\n}\n",
            json!({"gateway": {"auth": {"rateLimit": {"windowMs": null}}}})
        ),
        "{\n}\n"
    );
    assert_eq!(
        unset("{ hooks: { path: 'x' } }", json!({"hooks": {"path": null}})),
        "{ }"
    );
    let named = "{ agents: { entries: { work: { name: 'W' }, main: { default: true } } } }";
    assert_eq!(
        unset(named, json!({"agents": {"entries": {"work": {"name": null}}}})),
        "{ agents: { entries: { work: { }, main: { default: true } } } }"
    );
    let noted = "{\n  gateway: {\n    // why it is so\n    port: 2000,\n  },\n}\n";
    assert!(unset(noted, json!({"gateway": {"port": null}})).contains("// why it is so"));
    assert_eq!(
        unset("{ gateway: {} }", json!({"session": {"dmScope": "main"}})),
        "{ gateway: {}, session: { dmScope: \"main\" } }"
    );
}

#[test]
fn a_change_that_acts_after_a_start_names_the_service_that_has_to_start() {
    let home = Folder::new(Some("{}"));
    let mut configuration = home.start(&[]).expect("valid");

    for (change, services) in [
        (json!({"gateway": {"port": 2000}}), &["edge"][..]),
        (json!({"gateway": {"port": 2000, "drainSeconds": 20}}), &[]),
        (json!({"gateway": {"port": null}}), &["edge"]),
        (json!({"gateway": {"port": 18789}}), &[]),
        (json!({"agents": {"defaults": {"systemPrompt": "x"}}}), &[]),
    ] {
        let patched = patch(&mut configuration, &change).expect("taken");

        assert_eq!(
            patched.restart.into_iter().collect::<Vec<_>>(),
            services,
            "{change}"
        );
    }
}

#[test]
fn a_change_may_not_add_what_would_be_left_out_and_keeps_what_is() {
    let home = Folder::new(Some(
        "{models: {providers: {old: {baseUrl: 'http://h', api: 'ollama'}}}}",
    ));
    let mut configuration = home.start(&[]).expect("runs without it");
    assert!(configuration.state().file.valid);

    let error = patch(
        &mut configuration,
        &json!({"models": {"providers": {"new": {"baseUrl": "nowhere"}}}}),
    )
    .expect_err("told to whoever makes it");
    assert!(
        matches!(error, Error::Invalid(_)) && error.to_string().contains("models.providers.new.baseUrl"),
        "{error}"
    );
    patch(&mut configuration, &json!({"gateway": {"port": 2000}})).expect("nothing to do with it");

    assert!(home.text().contains("ollama"), "{}", home.text());
    let left_out = configuration.state().file.issues[0].to_string();
    assert!(
        left_out.starts_with("models.providers.old: is left out"),
        "{left_out}"
    );
}

#[test]
fn a_former_text_comes_back_whole_and_what_it_replaces_is_kept() {
    let first = "{\n  // the first\n  gateway: { port: 2000 },\n}\n";
    let home = Folder::new(Some(first));
    let mut configuration = home.start(&[]).expect("valid");
    patch(&mut configuration, &json!({"gateway": {"port": 3000}})).expect("taken");
    home.edit("{gateway: {port: 4000}}");
    configuration.reload().expect("looked");
    let history = configuration.history().expect("readable");
    assert_eq!(history.len(), 2, "an edit by hand is kept as well");
    let wanted = history
        .iter()
        .find(|one| hash(first).starts_with(&one.revision))
        .expect("kept");
    let mut restore = Restore {
        revision: wanted.revision.chars().take(6).collect(),
        base_hash: None,
        force: false,
    };

    assert!(matches!(
        configuration.restore(&restore),
        Err(Error::BaseHashMissing)
    ));
    restore.base_hash = Some(running(&configuration));
    let restored = configuration.restore(&restore).expect("as it was");

    assert_eq!(
        (home.text().as_str(), restored.state.revision.hash()),
        (first, hash(first).as_str())
    );
    assert!(restored.restart.contains("edge"));
    assert_eq!(configuration.history().expect("readable").len(), 3);
    restore.base_hash = Some(running(&configuration));
    restore.revision = "ffff".repeat(3);
    assert!(matches!(
        configuration.restore(&restore),
        Err(Error::NoSuchRevision)
    ));
    restore.revision = String::new();
    assert!(matches!(
        configuration.restore(&restore),
        Err(Error::AmbiguousRevision)
    ));
}

#[test]
fn a_former_text_that_names_files_of_the_machine_or_opens_up_does_not_come_back_by_a_method() {
    let by_hand =
        "{models: {providers: {a: {baseUrl: 'http://h', apiKey: {source: 'file', path: '/etc/hostname'}}}}}";
    let open = "{gateway: {bind: 'lan'}}";
    let home = Folder::new(Some(by_hand));
    let mut configuration = home.start(&[]).expect("valid");
    for text in [open, "{}"] {
        home.edit(text);
        configuration.reload().expect("looked");
    }
    let mut restore = |text: &str| {
        let restore = Restore {
            revision: hash(text).chars().take(12).collect(),
            base_hash: Some(running(&configuration)),
            force: false,
        };
        configuration.restore(&restore).expect_err(text)
    };

    let forbidden = restore(by_hand);
    assert!(matches!(forbidden, Error::Forbidden(_)), "{forbidden}");
    let opens = restore(open);
    assert!(matches!(opens, Error::ForceRequired(_)), "{opens}");
    assert_eq!(home.text(), "{}");
}
