//! A document that includes other files, while it runs and when it is changed.

use super::*;
use crate::configuration::Whole;

const DOCUMENT: &str =
    "{\n  // mine\n  gateway: { port: 2000 },\n  agents: { $include: './agents.json5' },\n}\n";
const AGENTS: &str = "{ defaults: { model: 'echo/echo', timeoutSeconds: 60 } }";

fn home() -> Folder {
    let home = Folder::new(Some(DOCUMENT));
    home.put("agents.json5", AGENTS);
    home
}

impl Folder {
    fn put(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).expect("written");
    }
}

fn seconds(configuration: &Configuration) -> Value {
    configuration.state().revision.filled()["agents"]["defaults"]["timeoutSeconds"].clone()
}

#[test]
fn an_edit_of_an_included_file_is_a_new_revision_and_a_broken_one_leaves_what_runs() {
    let home = home();
    let mut configuration = home.start(&[]).expect("valid");
    let first = running(&configuration);
    assert_eq!(seconds(&configuration), 60);
    assert_eq!(configuration.includes(), [home.0.path().join("agents.json5")]);

    home.put("agents.json5", "{ defaults: { timeoutSeconds: 90 } }");
    assert!(configuration.news().is_some_and(|news| !news.is_unfinished));
    configuration.reload().expect("read");

    assert_eq!(seconds(&configuration), 90);
    let second = running(&configuration);
    assert_ne!(second, first);
    assert!(configuration.news().is_none());
    for broken in ["{ defaults: {", ""] {
        home.put("agents.json5", broken);
        configuration.reload().expect("read");

        assert!(!configuration.state().file.valid, "{broken:?}");
        assert_eq!(
            (seconds(&configuration), running(&configuration)),
            (json!(90), second.clone())
        );
    }
    home.put("agents.json5", AGENTS);
    configuration.reload().expect("read");
    assert_eq!(
        (running(&configuration), configuration.state().file.valid),
        (first, true)
    );
    assert_eq!(home.text(), DOCUMENT);
}

#[test]
fn a_file_that_goes_does_not_take_its_content_along() {
    let home = home();
    let mut configuration = home.start(&[]).expect("valid");

    fs::remove_file(home.0.path().join("agents.json5")).expect("removed");
    assert!(configuration.news().is_some_and(|news| news.is_unfinished));
    configuration.reload().expect("read");

    assert_eq!(
        (seconds(&configuration), configuration.state().file.valid),
        (json!(60), false)
    );
    drop(configuration);
    let mut again = home.start(&[]).expect("the last one that ran stands for itself");
    assert_eq!((seconds(&again), again.state().file.valid), (json!(60), false));
    let refused =
        patch(&mut again, &json!({"gateway": {"port": 3000}})).expect_err("it would forget the include");
    assert!(matches!(refused, Error::Included(_)), "{refused}");
    assert_eq!(home.text(), DOCUMENT);
    home.put("agents.json5", AGENTS);
    again.reload().expect("read");
    assert!(again.state().file.valid);
}

#[test]
fn a_first_start_without_the_files_runs_what_the_document_says_itself_and_says_what_is_missing() {
    let home = Folder::new(Some(DOCUMENT));

    let configuration = home.start(&[]).expect("starts");

    let state = configuration.state();
    assert_eq!(state.revision.document().gateway.port, 2000);
    assert!(!state.file.valid);
    assert!(
        state
            .file
            .issues
            .iter()
            .any(|issue| issue.is_error() && issue.message.contains("agents.json5 is not there"))
    );
    let told = crate::registry::complaint(&state).expect("something is missing");
    assert!(
        told.starts_with("the configuration runs without what it includes: "),
        "{told}"
    );
}

#[test]
fn a_part_of_a_document_is_never_the_last_valid_one() {
    let home = Folder::new(Some(DOCUMENT));
    for _ in 0..2 {
        let configuration = home.start(&[]).expect("starts");
        configuration.save_running();
        assert_eq!(configuration.state().file.runs(), Runs::WithoutIncluded);
    }

    let mut configuration = home.start(&[]).expect("starts");
    let other = home.text().replace("2000", "'many'");
    fs::write(home.0.path().join("gatehouse.json5"), &other).expect("written");
    configuration.reload().expect("read");
    fs::write(home.0.path().join("gatehouse.json5"), DOCUMENT).expect("written");
    configuration.reload().expect("read");
    assert_eq!(
        configuration.state().file.runs(),
        Runs::WithoutIncluded,
        "the same text again is not whole either"
    );
    home.put("agents.json5", AGENTS);
    configuration.reload().expect("read");
    assert_eq!(configuration.state().file.runs(), Runs::File);
    fs::remove_file(home.0.path().join("agents.json5")).expect("there");
    drop(configuration);
    let again = home.start(&[]).expect("the last valid one runs");
    assert_eq!(again.state().file.runs(), Runs::LastValid);
}

#[test]
fn a_change_writes_beside_an_include_and_never_what_the_file_says() {
    let home = home();
    let mut configuration = home.start(&[]).expect("valid");

    patch(&mut configuration, &json!({"gateway": {"port": 2001}})).expect("not in a file");
    patch(
        &mut configuration,
        &json!({"agents": {"defaults": {"timeoutSeconds": 60}, "entries": {"work": {"name": "W"}}}}),
    )
    .expect("what is the same is not a change, and nobody else says who works");

    let text = home.text();
    assert!(
        text.contains("// mine") && text.contains("$include: './agents.json5'") && text.contains("2001"),
        "{text}"
    );
    assert!(
        text.contains("work") && !text.contains("timeoutSeconds"),
        "{text}"
    );
    for change in [
        json!({"agents": {"defaults": {"timeoutSeconds": 5}}}),
        json!({"agents": {"defaults": {"timeoutSeconds": null}}}),
        json!({"agents": {"defaults": null}}),
        json!({"agents": null}),
    ] {
        let refused = patch(&mut configuration, &change).expect_err("it stands in a file");
        let said = refused.to_string();
        assert!(
            matches!(refused, Error::Included(_))
                && said.contains("./agents.json5")
                && said.contains("change it there"),
            "{change}: {said}"
        );
        assert_eq!(home.text(), text, "{change}");
    }
    assert_eq!(
        fs::read_to_string(home.0.path().join("agents.json5")).expect("there"),
        AGENTS
    );
}

#[test]
fn a_whole_text_keeps_the_includes_unless_it_is_forced_and_names_no_new_ones() {
    let home = home();
    home.put("config.json5", "{ messages: {} }");
    let mut configuration = home.start(&[]).expect("valid");
    let mut set = |raw: &str, force: bool| {
        let whole = Whole {
            raw: raw.to_owned(),
            base_hash: Some(running(&configuration)),
            force,
            ..Whole::default()
        };
        configuration.replace(&whole)
    };

    let flat = r#"{"gateway":{"port":2000},"agents":{"defaults":{"model":"echo/echo","timeoutSeconds":60}}}"#;
    let refused = set(flat, false).expect_err("the include would be gone");
    assert!(
        refused
            .to_string()
            .contains("agents: the configuration file includes others here"),
        "{refused}"
    );
    let added =
        "{ $include: './config.json5', gateway: { port: 2000 }, agents: { $include: './agents.json5' } }";
    assert!(matches!(
        set(added, true).expect_err("by hand only"),
        Error::Forbidden(_)
    ));
    let other = "{ gateway: { port: 2000 }, agents: { $include: './config.json5' } }";
    assert!(matches!(
        set(other, true).expect_err("by hand only"),
        Error::Forbidden(_)
    ));
    set(
        "{ gateway: { port: 2002 }, agents: { $include: './agents.json5' } }",
        false,
    )
    .expect("it is kept");
    assert!(home.text().contains("2002") && home.text().contains("$include"));

    let forced = set(flat, true).expect("said, not silent");

    assert!(
        forced.notes.iter().any(|note| note.path == "agents"),
        "{:?}",
        forced.notes
    );
    assert!(!home.text().contains("$include"));
}
