//! Refusals as a change meets them: on files of this machine.

use std::{fs, os::unix::fs::symlink};

use gatehouse_core::{Clock, Env, Home};

use crate::{
    configuration::{Configuration, Patch, sources_of, store_of},
    error::Error,
};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(document: &str) -> Self {
        let home = Self(tempfile::tempdir().expect("a folder"));
        fs::create_dir(home.0.path().join("secrets")).expect("made");
        fs::write(home.0.path().join("secrets/key"), "kept-inside-the-folder\n").expect("written");
        fs::write(home.0.path().join("outside"), "kept-outside-the-folder\n").expect("written");
        fs::write(home.0.path().join("gatehouse.json5"), document).expect("written");
        home
    }

    fn start(&self) -> Configuration {
        let home = self.0.path().to_str().expect("UTF-8");
        let env = Env::of([("GATEHOUSE_HOME", home), ("BY_HAND", "kept-in-the-environment")]);
        let home = Home::read(&env);
        let configuration =
            Configuration::open(store_of(&home), sources_of(&home, &env), Clock::fixed(1_000))
                .expect("starts");
        configuration.save_running();
        configuration
    }

    fn text(&self) -> String {
        fs::read_to_string(self.0.path().join("gatehouse.json5")).expect("there")
    }
}

fn patch(configuration: &mut Configuration, raw: &str) -> Result<(), Error> {
    let base_hash = Some(configuration.state().revision.hash().to_owned());
    let patch = Patch {
        raw: raw.to_owned(),
        base_hash,
        ..Patch::default()
    };
    configuration.patch(&patch).map(drop)
}

const PROVIDER: &str = "{models: {providers: {p: {baseUrl: 'http://h', apiKey: {source: 'file', path: '";

#[test]
fn a_refused_change_writes_nothing_and_says_what_to_do() {
    let home = Folder::new("{}");
    let mut configuration = home.start();

    for raw in [
        format!("{PROVIDER}outside'}}}}}}}}}}"),
        "{models: {providers: {p: {baseUrl: 'http://h', apiKey: '${BY_HAND}'}}}}".to_owned(),
        "{env: {allow: ['BY_HAND']}}".to_owned(),
    ] {
        let error = patch(&mut configuration, &raw).expect_err(&raw);

        assert!(matches!(error, Error::Forbidden(_)), "{error}");
        let words = error.to_string();
        assert!(words.contains("editing the configuration file"), "{words}");
        assert!(!words.contains("kept-"), "{words}");
    }
    // Whether a file or a variable is there is not told either.
    let missing = patch(&mut configuration, &format!("{PROVIDER}nowhere'}}}}}}}}}}")).expect_err("refused");
    let there = patch(&mut configuration, &format!("{PROVIDER}outside'}}}}}}}}}}")).expect_err("refused");
    assert_eq!(missing.to_string(), there.to_string());
    assert_eq!(home.text(), "{}");
}

#[test]
fn a_file_within_the_folder_is_taken_and_a_link_out_of_it_is_not() {
    let home = Folder::new("{}");
    let mut configuration = home.start();
    patch(&mut configuration, &format!("{PROVIDER}secrets/key'}}}}}}}}}}")).expect("within");
    let cut =
        |configuration: &Configuration| configuration.state().revision.cut(crate::revision::Reader::Agent);
    assert!(cut(&configuration).contains("kept-inside-the-folder"));

    symlink("../outside", home.0.path().join("secrets/link")).expect("linked");
    let refused =
        patch(&mut configuration, &format!("{PROVIDER}secrets/link'}}}}}}}}}}")).expect_err("a link out");
    assert!(refused.to_string().contains("leads out"), "{refused}");

    // What is exchanged after it was set is caught when it is read: at the next start, and with the next change.
    fs::remove_file(home.0.path().join("secrets/key")).expect("removed");
    symlink("../outside", home.0.path().join("secrets/key")).expect("linked");
    let error = patch(&mut configuration, "{gateway: {port: 2000}}").expect_err("a link out");
    assert!(!error.to_string().contains("kept-"), "{error}");
    assert!(!cut(&configuration).contains("kept-outside"));
}

#[test]
fn what_was_written_by_hand_outlives_changes_and_restarts() {
    let home = Folder::new(
        "{models: {providers: {p: {baseUrl: 'http://h', apiKey: {source: 'file', path: 'outside'}, headers: {X: '${BY_HAND}'}}}}}",
    );
    let mut configuration = home.start();
    patch(&mut configuration, "{gateway: {port: 2000}}").expect("nothing to do with it");
    drop(configuration);

    let mut configuration = home.start();

    let cut = configuration.state().revision.cut(crate::revision::Reader::Agent);
    assert!(cut.contains("kept-outside-the-folder") && cut.contains("kept-in-the-environment"));
    let error = patch(
        &mut configuration,
        "{models: {providers: {p: {baseUrl: 'http://evil'}}}}",
    )
    .expect_err("another server");
    assert!(error.to_string().contains("does not follow"), "{error}");
    patch(
        &mut configuration,
        "{models: {providers: {q: {baseUrl: 'http://h', apiKey: '${BY_HAND}'}}}}",
    )
    .expect_err("not listed");
}
