//! A whole document that comes through a method.

use super::*;
use crate::MARKER;

const TOKEN: &str = "kX9qmQ2vL7pR4wZ8";
const KEY: &str = "sk-1f9a8b7c6d5e4f3a";

fn document() -> String {
    format!(
        "{{\n  // who may come in\n  gateway: {{ port: 2000, auth: {{ token: '{TOKEN}' }} }},\n  models: {{ providers: {{\n    \
         // apiKey: '{KEY}' was the old one\n    a: {{ baseUrl: 'http://h/v1', apiKey: '{KEY}', }},\n  }} }},\n}}\n"
    )
}

fn replace(configuration: &mut Configuration, raw: &str) -> Result<Patched, Error> {
    let base_hash = Some(running(configuration));
    configuration.replace(&Whole {
        raw: raw.to_owned(),
        base_hash,
        ..Whole::default()
    })
}

/// The text as clients are shown it.
fn shown(configuration: &Configuration) -> String {
    configuration.state().file.shown.clone().expect("readable")
}

#[test]
fn what_was_read_is_written_back_without_a_change_in_each_form() {
    let home = Folder::new(Some(&document()));
    let mut configuration = home.start(&[]).expect("valid");
    let state = configuration.state();
    let raw = shown(&configuration);
    let form = state.revision.source();
    assert!(
        raw.contains(MARKER) && !raw.contains(TOKEN) && !raw.contains(KEY),
        "{raw}"
    );

    for text in [raw, form.to_string(), format!("{form:#}\n")] {
        let done = replace(&mut configuration, &text).expect("the same");

        assert!(done.is_noop, "{text}");
        assert_eq!(home.text(), document());
    }
}

#[test]
fn a_form_changes_the_values_that_differ_and_leaves_comments_and_secrets() {
    let home = Folder::new(Some(&document()));
    let mut configuration = home.start(&[]).expect("valid");
    let mut form = configuration.state().revision.source();
    form["gateway"]["port"] = json!(2001);
    form["session"] = json!({"dmScope": "per-peer"});

    let done = replace(&mut configuration, &format!("{form:#}\n")).expect("taken");

    assert!(!done.is_noop);
    assert_eq!(done.restart.into_iter().collect::<Vec<_>>(), ["edge"]);
    let text = home.text();
    for kept in [
        "// who may come in",
        "port: 2001",
        TOKEN,
        "was the old one",
        "dmScope: \"per-peer\"",
    ] {
        assert!(text.contains(kept), "{kept} is not in\n{text}");
    }
    assert!(!text.contains(MARKER), "{text}");
}

#[test]
fn a_text_that_a_person_wrote_is_taken_as_it_stands_with_its_secrets_put_back() {
    let home = Folder::new(Some(&document()));
    let mut configuration = home.start(&[]).expect("valid");
    let edited = shown(&configuration)
        .replace("// who may come in", "/* the entrance */")
        .replace("2000", "2001");

    replace(&mut configuration, &edited).expect("taken");

    let wanted = document()
        .replace("// who may come in", "/* the entrance */")
        .replace("2000", "2001");
    assert_eq!(home.text(), wanted);
}

#[test]
fn what_a_form_takes_out_is_gone() {
    let home = Folder::new(Some(
        "{\n  // both\n  gateway: { port: 2000, drainSeconds: 5 },\n  session: { dmScope: 'main' },\n}\n",
    ));
    let mut configuration = home.start(&[]).expect("valid");

    replace(&mut configuration, r#"{"gateway":{"port":2000}}"#).expect("taken");

    assert_eq!(home.text(), "{\n  // both\n  gateway: { port: 2000, },\n}\n");
}

#[test]
fn a_mark_where_no_secret_is_kept_and_a_key_that_would_move_are_refused() {
    let home = Folder::new(Some(&document()));
    let mut configuration = home.start(&[]).expect("valid");
    let form = configuration.state().revision.source();

    let mut new = form.clone();
    new["models"]["providers"]["b"] = json!({"baseUrl": "http://i/v1", "apiKey": MARKER});
    assert!(matches!(
        replace(&mut configuration, &new.to_string()),
        Err(Error::Invalid(_))
    ));
    let mut moved = form.clone();
    moved["models"]["providers"]["a"]["baseUrl"] = json!("http://evil/v1");
    assert!(matches!(
        replace(&mut configuration, &moved.to_string()),
        Err(Error::Forbidden(_))
    ));
    let mut open = form;
    open["gateway"]["bind"] = json!("lan");
    assert!(matches!(
        replace(&mut configuration, &open.to_string()),
        Err(Error::ForceRequired(_))
    ));
    assert_eq!(home.text(), document());
}

#[test]
fn a_text_against_another_revision_is_refused_in_the_words_that_clients_look_for() {
    let home = Folder::new(Some("{}"));
    let mut configuration = home.start(&[]).expect("valid");
    let stale = Whole {
        raw: "{}".to_owned(),
        base_hash: Some("00".to_owned()),
        ..Whole::default()
    };

    let refused = configuration.replace(&stale).expect_err("stale");
    let none = Whole {
        base_hash: None,
        ..stale
    };

    assert!(
        refused.to_string().starts_with("config changed since last load"),
        "{refused}"
    );
    assert!(matches!(
        configuration.replace(&none),
        Err(Error::BaseHashMissing)
    ));
    assert!(matches!(
        replace(&mut configuration, "{ gateway: "),
        Err(Error::Unreadable(_))
    ));
}

#[test]
fn a_key_that_is_given_twice_and_a_mark_in_other_letters_lose_no_secret() {
    let home = Folder::new(Some(&document()));
    let mut configuration = home.start(&[]).expect("valid");
    let escaped = MARKER.replacen('_', "\\u005f", 1);
    let text = format!(
        "{{ gateway: {{ port: 2002, auth: {{ token: '{escaped}', token: '{MARKER}' }} }} /* one */ }}"
    );

    replace(&mut configuration, &text).expect("taken");

    assert_eq!(
        configuration.state().revision.written()["gateway"]["auth"]["token"],
        TOKEN
    );
    assert!(!home.text().contains(MARKER), "{}", home.text());
}
