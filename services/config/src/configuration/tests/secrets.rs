//! Secrets that are read, written back, changed and guessed.

use super::*;

#[test]
fn what_was_read_can_be_written_back_and_keeps_its_secrets() {
    let home = Folder::new(Some(
        "{models: {providers: {a: {baseUrl: 'http://h', apiKey: 'sk-very-secret'}}}}",
    ));
    let mut configuration = home.start(&[]).expect("valid");
    let mut read = configuration.state().file.parsed.clone();
    assert!(!read.to_string().contains("sk-very-secret"));

    read["models"]["providers"]["a"]["baseUrl"] = json!("http://h/v2");
    patch(&mut configuration, &read).expect("taken");

    assert_eq!(
        home.text(),
        "{models: {providers: {a: {baseUrl: \"http://h/v2\", apiKey: \"sk-very-secret\"}}}}"
    );
}

#[test]
fn the_token_is_changed_where_it_is_kept() {
    let home = Folder::new(Some("{}"));
    let mut configuration = home.start(&[]).expect("valid");
    let (before, revision) = (configuration.state().credentials, running(&configuration));
    let (token, path) = configuration.rotate_token().expect("ours");
    assert_eq!(fs::read_to_string(&path).expect("there").trim(), token.expose());
    assert_ne!(configuration.state().credentials, before);
    assert_eq!(running(&configuration), revision, "the document is the same");

    let home = Folder::new(Some("{gateway: {auth: {token: 'written-out-in-the-file'}}}"));
    let mut configuration = home.start(&[]).expect("valid");
    assert_eq!(configuration.token().expose(), "written-out-in-the-file");
    let (token, path) = configuration.rotate_token().expect("ours");
    assert!(fs::read_to_string(&path).expect("there").contains(token.expose()));
    assert_eq!(
        configuration.state().credentials[0].digest,
        hex::encode(&token.digest())
    );

    let home = Folder::new(Some("{gateway: {auth: {token: '${TOKEN}'}}}"));
    let mut configuration = home.start(&[("TOKEN", "from-the-environment")]).expect("valid");
    assert!(matches!(configuration.rotate_token(), Err(Error::TokenReferred)));
    assert!(!Path::new(&home.0.path().join("config/token")).exists());
}

#[test]
fn nothing_that_can_be_printed_holds_a_secret() {
    let home = Folder::new(Some(
        "{gateway: {auth: {token: 'token-secret-kX9qvL7p'}}, models: {providers: {a: {baseUrl: 'http://h', apiKey: '${KEY}'}}},
          plugins: {x: {password: 'plugin-secret-00'}}}",
    ));
    let configuration = home.start(&[("KEY", "key-secret-00000")]).expect("valid");

    let printed = format!(
        "{configuration:?} {:?}",
        configuration.state().revision.document()
    );

    assert!(!printed.contains("key-secret"), "{printed}");
    assert!(!printed.contains("token-secret"), "{printed}");
    assert!(!printed.contains("plugin-secret"), "{printed}");
}

#[test]
fn what_opens_or_locks_is_done_with_force_alone_and_told() {
    let home = Folder::new(Some("{}"));
    let mut configuration = home.start(&[]).expect("valid");
    let raw = "{gateway: {auth: {tokenScopes: []}, trustedProxies: ['0.0.0.0/0']}}";

    let error = configuration
        .patch(&against(&configuration, raw))
        .expect_err("wants force");

    assert!(
        matches!(&error, Error::ForceRequired(issues) if issues.len() == 2),
        "{error}"
    );
    let words = error.to_string();
    assert!(
        words.contains("locks everybody out") && words.contains("--force"),
        "{words}"
    );
    assert_eq!(home.text(), "{}");
    let forced = Patch {
        force: true,
        ..against(&configuration, raw)
    };
    let patched = configuration.patch(&forced).expect("taken");
    assert_eq!(patched.notes.len(), 2, "{:?}", patched.notes);
    patch(&mut configuration, &json!({"gateway": {"port": 2000}})).expect("it is not new any more");
}

#[test]
fn a_kept_token_that_can_be_guessed_stops_the_start() {
    let home = Folder::new(Some("{}"));
    home.start(&[]).expect("valid");
    fs::write(home.0.path().join("config/token"), "letmein\n").expect("written");

    let refusal = home.start(&[]).expect_err("weak");

    assert!(refusal.to_string().contains("Remove the file"), "{refusal}");
    assert!(!refusal.to_string().contains("letmein"));
}

#[test]
fn a_reference_is_replaced_whole_and_anything_else_is_merged() {
    let home = Folder::new(Some(
        "{\n  models: { providers: { a: { baseUrl: 'http://h/v1',\n    // the key\n    apiKey: { source: 'env', id: 'KEY' } } } },\n  \
         secrets: { providers: { vault: { source: 'file', path: 'secrets/one', mode: 'singleValue' } } },\n}\n",
    ));
    fs::create_dir(home.0.path().join("secrets")).expect("made");
    fs::write(home.0.path().join("secrets/key"), "key-of-the-file").expect("written");
    let mut configuration = home.start(&[("KEY", "key-of-the-environment")]).expect("runs");
    let mut change = |value: Value| {
        patch(&mut configuration, &value).expect("taken");
        configuration.state().revision.written().clone()
    };

    let key = json!({"source": "file", "path": "secrets/key"});
    let vault = json!({"source": "file", "path": "secrets/two"});
    let after = change(
        json!({"models": {"providers": {"a": {"apiKey": key}}}, "secrets": {"providers": {"vault": vault}}}),
    );

    assert_eq!(
        after["models"]["providers"]["a"]["apiKey"], key,
        "no `id` is left over"
    );
    assert_eq!(
        after["secrets"]["providers"]["vault"], vault,
        "no `mode` is left over"
    );
    assert_eq!(after["models"]["providers"]["a"]["baseUrl"], "http://h/v1");
    assert!(home.text().contains("// the key"), "{}", home.text());

    let after = change(json!({"secrets": {"providers": {"vault": {"mode": "singleValue"}}}}));

    assert_eq!(
        after["secrets"]["providers"]["vault"]["path"], "secrets/two",
        "a part without `source` is merged"
    );
}
