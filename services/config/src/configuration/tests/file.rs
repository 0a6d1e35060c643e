//! What stands in the file, and what of it is taken.

use std::{os::unix::fs::symlink, path::Path, process::Command};

use super::*;

#[test]
fn a_file_that_is_emptied_is_not_taken_and_its_text_comes_back() {
    let whole = "{gateway: {port: 2000}}";
    for empty in ["", "  \n", "// nothing but a comment\n", "/* and\nanother */"] {
        let home = Folder::new(Some(whole));
        let mut configuration = home.start(&[]).expect("valid");
        let before = running(&configuration);

        home.edit(empty);
        configuration.reload().expect("looked");

        let state = configuration.state();
        assert_eq!(state.revision.hash(), before, "{empty:?}");
        assert!(!state.file.valid && state.file.issues[0].message.contains("the file is empty"));
        let again = home
            .start(&[])
            .expect("the last valid revision runs at the next start");
        assert_eq!(
            (running(&again), again.state().file.valid),
            (before.clone(), false)
        );
        home.edit(whole);
        configuration.reload().expect("looked");
        assert!(configuration.state().file.valid);
        home.edit("{}");
        configuration.reload().expect("looked");
        assert!(configuration.state().file.valid, "an empty object is a document");
    }
    let home = Folder::new(Some("// to be written\n"));
    assert!(home.start(&[]).expect("the defaults run").state().file.valid);
}

#[test]
fn a_token_file_that_is_gone_or_empty_is_written_again_and_nobody_is_locked_out() {
    let home = Folder::new(Some("{}"));
    let mut configuration = home.start(&[]).expect("valid");
    let (path, token) = (
        configuration.store().token_path(),
        configuration.token().expose().to_owned(),
    );
    let kept = || {
        let text = fs::read_to_string(&path).unwrap_or_default();
        text.trim().to_owned()
    };

    fs::remove_file(&path).expect("removed");
    home.edit("{gateway: {port: 2000}}"); // a revision that runs would make a token where there is none
    configuration.reload().expect("looked");
    assert_eq!((kept(), configuration.token().expose()), (token.clone(), &*token));
    fs::write(&path, "\n").expect("written");
    configuration.reload().expect("looked");
    assert_eq!(kept(), token);

    fs::remove_file(&path).expect("removed");
    home.edit("{gateway: {auth: {token: 'kQ8vZ2xLw7Rt5Yp3Nc9Bd4Hf6Jm1Gs0a'}}}");
    configuration.reload().expect("looked");
    fs::remove_file(&path).expect("it was there until the document had a token of its own");
    configuration.reload().expect("looked");
    assert!(!path.exists(), "the document has the token");
}

#[test]
fn half_a_document_is_not_taken() {
    let whole =
        "{gateway: {port: 2000, auth: {tokenScopes: ['operator.admin']}}, session: {dmScope: 'per-peer'}}";
    let home = Folder::new(Some(whole));
    let mut configuration = home.start(&[]).expect("valid");
    let before = running(&configuration);

    for (end, _) in whole.char_indices().skip(1) {
        let half = whole.get(..end).expect("between characters");
        home.edit(half);
        configuration.reload().expect("looked");

        assert_eq!(running(&configuration), before, "{half}");
        assert!(!configuration.state().file.valid);
    }
}

#[test]
fn a_secret_file_that_comes_later_is_noticed() {
    let home = Folder::new(Some("{}"));
    let mut configuration = home.start(&[]).expect("valid");
    let provider = "models: {providers: {a: {baseUrl: 'http://h', apiKey: {source: 'file', path: 'key'}}}}";
    home.edit(&format!("{{{provider}, agents: {{defaults: {{model: 'a/m'}}}}}}"));
    configuration.reload().expect("looked");
    assert!(!configuration.state().file.valid);

    fs::write(home.0.path().join("key"), "k\n").expect("written");
    configuration.reload().expect("looked");

    assert!(configuration.state().file.valid);
}

#[test]
fn an_entry_that_only_lacks_a_secret_comes_back_when_the_secret_is_there() {
    let provider = "models: {providers: {a: {baseUrl: 'http://h', apiKey: {source: 'file', path: 'key'}}}}";
    let home = Folder::new(Some(&format!("{{{provider}}}")));
    let mut configuration = home.start(&[]).expect("nothing asks for it");
    let agent =
        |configuration: &Configuration| configuration.state().revision.cut(crate::revision::Reader::Agent);
    assert!(configuration.state().file.valid && !agent(&configuration).contains("baseUrl"));

    configuration.reload().expect("looked");
    assert!(!agent(&configuration).contains("baseUrl"));
    fs::write(home.0.path().join("key"), "k\n").expect("written");
    configuration.reload().expect("looked");

    assert!(agent(&configuration).contains("baseUrl"));
    let issues = &configuration.state().file.issues;
    assert!(
        !issues.iter().any(|issue| issue.message.contains("is left out")),
        "{issues:?}"
    );
}

#[test]
fn a_file_that_is_no_text_is_a_mistake_like_others() {
    let home = Folder::new(Some("{gateway: {port: 2000}}"));
    home.start(&[]).expect("valid");
    fs::write(home.file(), [0xff, 0xfe, 0x00]).expect("written");

    let mut configuration = home.start(&[]).expect("the last valid revision runs");

    assert!(!configuration.state().file.valid && configuration.state().file.exists);
    patch(&mut configuration, &json!({"gateway": {"port": 2001}})).expect("taken");
    assert_eq!(home.text(), "{gateway: {port: 2001}}");
}

#[test]
fn what_stands_in_the_place_of_the_file_and_is_no_file_holds_nobody_up() {
    let home = Folder::new(Some("{gateway: {port: 2000}}"));
    let mut configuration = home.start(&[]).expect("valid");
    let places: [fn(&Path); 3] = [
        |path| {
            let made = Command::new("mkfifo").arg(path).status();
            assert!(made.expect("mkfifo").success());
        },
        |path| fs::create_dir(path).expect("a folder"),
        |path| symlink("/dev/zero", path).expect("a link"),
    ];

    for place in places {
        fs::remove_file(home.file()).expect("there");
        place(&home.file());
        configuration.reload().expect("it goes on");
        assert!(!configuration.state().file.valid);
        let told = format!("{:?}", configuration.state().file.issues);
        assert!(told.contains("the file can"), "{told}");

        let _ = fs::remove_file(home.file()).or_else(|_| fs::remove_dir(home.file()));
        fs::write(home.file(), "{gateway: {port: 2002}}").expect("written");
        configuration.reload().expect("it is taken again");
        assert!(configuration.state().file.valid);
    }
}
