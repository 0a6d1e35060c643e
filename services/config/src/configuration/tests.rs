mod change;
mod credentials;
mod file;
mod include;
mod secrets;
mod whole;

use std::{fs, path::Path};

use gatehouse_core::Env;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use gatehouse_core::hex;

struct Folder(TempDir);

impl Folder {
    fn new(document: Option<&str>) -> Self {
        let home = Self(tempfile::tempdir().expect("a folder"));
        if let Some(text) = document {
            home.edit(text);
        }
        home
    }

    fn home(&self) -> Home {
        Home::read(&Env::of([(
            "GATEHOUSE_HOME",
            self.0.path().to_str().expect("UTF-8"),
        )]))
    }

    fn start(&self, env: &[(&str, &str)]) -> Result<Configuration, ConfigError> {
        let env = Env::of(env.iter().copied());
        let configuration = Configuration::open(
            store_of(&self.home()),
            sources_of(&self.home(), &env),
            Clock::fixed(1_000),
        )?;
        configuration.save_running();
        Ok(configuration)
    }

    fn edit(&self, text: &str) {
        fs::write(self.file(), text).expect("written");
    }

    fn file(&self) -> std::path::PathBuf {
        self.0.path().join("gatehouse.json5")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).expect("there")
    }

    fn history(&self) -> Vec<String> {
        let mut texts: Vec<String> = fs::read_dir(self.0.path().join("config/history"))
            .expect("there")
            .map(|entry| fs::read_to_string(entry.expect("readable").path()).expect("text"))
            .collect();
        texts.sort();
        texts
    }
}

fn running(configuration: &Configuration) -> String {
    configuration.state().revision.hash().to_owned()
}

fn against(configuration: &Configuration, raw: &str) -> Patch {
    Patch {
        raw: raw.to_owned(),
        base_hash: Some(running(configuration)),
        ..Patch::default()
    }
}

fn patch(configuration: &mut Configuration, value: &Value) -> Result<Patched, Error> {
    configuration.patch(&against(configuration, &value.to_string()))
}

#[test]
fn without_a_file_the_defaults_run_and_a_sample_is_written() {
    let home = Folder::new(None);

    let configuration = home.start(&[]).expect("defaults run");

    assert_eq!(home.text(), SAMPLE);
    assert_eq!(configuration.state().revision.document().gateway.port, 18_789);
    assert!(configuration.state().file.valid && configuration.state().file.issues.is_empty());
    assert_eq!(configuration.token().expose().len(), 43);
    assert_eq!(home.start(&[]).expect("again").token(), configuration.token());
}

#[test]
fn what_the_sample_proposes_is_valid() {
    let text: String = SAMPLE
        .lines()
        .map(|line| {
            line.trim_start()
                .strip_prefix("// ")
                .filter(|rest| rest.contains(['{', '}', ':']))
                .map_or(line, |rest| {
                    if rest.chars().next().is_some_and(char::is_uppercase) {
                        ""
                    } else {
                        rest
                    }
                })
        })
        .filter(|line| !line.contains("http://127.0.0.1:18789"))
        .collect::<Vec<_>>()
        .join("\n");
    let text = text.replace(
        "`gatehouse config schema --markdown`. Check an edit with `gatehouse config validate`.",
        "",
    );
    let home = Folder::new(Some(&text));

    let configuration = home.start(&[("OPENAI_API_KEY", "k")]).expect("valid");

    assert_eq!(configuration.state().file.issues, []);
    assert!(
        configuration.state().revision.document().channels.irc.is_some(),
        "{text}"
    );
}

#[test]
fn an_invalid_file_stops_a_first_start_and_not_a_later_one() {
    let home = Folder::new(Some("{gateway: {port: 'x'}}"));
    let refusal = home.start(&[]).expect_err("nothing valid is kept");
    assert_eq!(refusal.exit_code(), 78);
    let words = refusal.to_string();
    assert!(
        words.contains("gateway.port: must be a whole number from 1 to 65535; it is \"x\""),
        "{words}"
    );

    home.edit("{gateway: {port: 2000}}");
    home.start(&[]).expect("valid");
    home.edit("{gateway: {port: 'y'}}");
    let configuration = home.start(&[]).expect("the last valid revision runs");

    assert_eq!(configuration.state().revision.document().gateway.port, 2000);
    assert!(!configuration.state().file.valid);
    assert_eq!(configuration.state().file.issues.len(), 1);
    assert_eq!(home.text(), "{gateway: {port: 'y'}}", "the file is left alone");
}

#[test]
fn a_missing_secret_stops_the_start_even_when_an_older_revision_would_run() {
    let home = Folder::new(Some("{}"));
    home.start(&[]).expect("valid");
    home.edit(
        "{gateway: {auth: {token: '${ONE}'}}, agents: {defaults: {model: 'a/m'}},
          models: {providers: {a: {baseUrl: 'http://h', apiKey: '${TWO}'}}}}",
    );

    let refusal = home
        .start(&[("ONE", "kX9qmQ2vL7pR4wZ8")])
        .expect_err("TWO is missing");

    let words = refusal.to_string();
    assert_eq!(refusal.exit_code(), 78);
    assert!(
        words.contains("models.providers.a.apiKey\n    looked for: the environment variable TWO is not set"),
        "{words}"
    );
    assert!(words.contains("to set it: set TWO"), "{words}");
}

#[test]
fn a_change_needs_the_hash_it_was_made_against() {
    let home = Folder::new(Some("{\n  // mine\n  gateway: { port: 2000 },\n}\n"));
    let mut configuration = home.start(&[]).expect("valid");
    let first = running(&configuration);

    assert!(matches!(
        configuration.patch(&Patch {
            raw: "{}".to_owned(),
            ..Patch::default()
        }),
        Err(Error::BaseHashMissing)
    ));
    patch(&mut configuration, &json!({"gateway": {"port": 2001}})).expect("taken");

    assert_eq!(home.text(), "{\n  // mine\n  gateway: { port: 2001 },\n}\n");
    assert!(
        matches!(configuration.patch(&Patch { raw: "{}".to_owned(), base_hash: Some(first), ..Patch::default() }), Err(Error::Changed { hash: now }) if now == running(&configuration))
    );
    assert_eq!(home.history(), ["{\n  // mine\n  gateway: { port: 2000 },\n}\n"]);
}

#[test]
fn a_change_with_a_mistake_changes_nothing() {
    let home = Folder::new(Some("{}"));
    let mut configuration = home.start(&[]).expect("valid");
    let before = running(&configuration);

    for wrong in [
        "{gateway: {port: 0}}",
        "{gateway: {auth: {token: '${GATEHOUSE_SECRET_NOWHERE}'}}}",
        "{gateway: {auth: {token: ''}}}",
        "{gateway: {auth: {token: 'short'}}}",
        "{gateway: {auth: {token: 'aaaaaaaaaaaaaaaaaaaaaaaa'}}}",
    ] {
        let error = configuration
            .patch(&against(&configuration, wrong))
            .expect_err(wrong);
        assert!(matches!(error, Error::Invalid(_)), "{error}");
    }
    assert!(matches!(
        configuration.patch(&against(&configuration, "{a: ")),
        Err(Error::Unreadable(_))
    ));

    assert_eq!((running(&configuration), home.text().as_str()), (before, "{}"));
}

#[test]
fn an_unnoticed_edit_by_hand_is_never_overwritten() {
    let home = Folder::new(Some("{}"));
    let mut configuration = home.start(&[]).expect("valid");
    home.edit("{gateway: {port: 2000}} // by hand");

    let error = patch(&mut configuration, &json!({"gateway": {"port": 3000}})).expect_err("the base is old");

    assert!(matches!(error, Error::Changed { .. }));
    assert_eq!(configuration.state().revision.document().gateway.port, 2000);
    patch(&mut configuration, &json!({"gateway": {"bind": "auto"}})).expect("taken");
    assert_eq!(home.text(), "{gateway: {port: 2000, bind: \"auto\"}} // by hand");
}

#[test]
fn an_edit_with_a_mistake_is_reported_and_what_runs_goes_on() {
    let home = Folder::new(Some("{gateway: {port: 2000}}"));
    let mut configuration = home.start(&[]).expect("valid");
    let before = running(&configuration);

    home.edit("{gateway: {port: 2000, auth: {token: 'secret-in-a-broken-file'}");
    configuration.reload().expect("looked");

    let state = configuration.state();
    assert_eq!(state.revision.hash(), before);
    assert!(!state.file.valid);
    assert_eq!(state.file.shown, None, "what cannot be read cannot be redacted");
    let patched = patch(&mut configuration, &json!({"gateway": {"port": 2001}})).expect("taken");
    assert_eq!(patched.notes.len(), 1);
    assert!(patched.state.file.valid);
    assert_eq!(home.text(), "{gateway: {port: 2001}}");
    assert!(
        home.history()
            .iter()
            .any(|text| text.contains("secret-in-a-broken-file")),
        "it is kept"
    );

    fs::remove_file(home.file()).expect("removed");
    configuration.reload().expect("looked");
    assert!(!configuration.state().file.exists && !configuration.state().file.valid);
    home.edit("{gateway: {port: 2001}}");
    configuration.reload().expect("looked");
    assert!(configuration.state().file.valid);
}
