use std::fs;

use super::*;

fn home(folder: &std::path::Path) -> (Home, Env) {
    let env = Env::of([
        ("GATEHOUSE_HOME", folder.to_str().expect("UTF-8")),
        ("TOKEN", "a-token-0123456789"),
    ]);
    (Home::read(&env), env)
}

#[test]
fn a_fresh_machine_gets_everything_a_start_needs() {
    let folder = tempfile::tempdir().expect("a folder");
    let (home, env) = home(&folder.path().join("data"));

    let found = preflight(&home, &env).expect("fresh");

    assert_eq!(
        (found.port, found.bind.to_string().as_str(), found.runs),
        (18_789, "127.0.0.1", Runs::File)
    );
    assert_eq!(found.warnings, []);
    assert!(home.credentials.join("operator").exists() && home.config.exists());
    assert_eq!(
        fs::read_to_string(&found.token_path).expect("there").trim(),
        gateway_token(&home, &env).expect("there").expose()
    );
    assert!(!found.token_in_config);
}

#[test]
fn what_the_file_says_is_what_a_start_would_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let (home, env) = home(folder.path());
    fs::write(&home.config, "{gateway: {port: 2000, bind: 'custom', customBindHost: '192.0.2.1', auth: {token: '${TOKEN}'}}, x: 1}")
        .expect("written");

    let found = preflight(&home, &env).expect("valid");

    assert_eq!((found.port, found.bind.to_string().as_str()), (2000, "192.0.2.1"));
    assert!(found.token_in_config);
    assert_eq!(found.warnings.len(), 1);
    assert_eq!(
        gateway_token(&home, &env).expect("there").expose(),
        "a-token-0123456789"
    );
    fs::write(&home.config, "{gateway: 1}").expect("written");
    assert_eq!(preflight(&home, &env).expect_err("a mistake").exit_code(), 78);
}

#[test]
fn a_token_that_can_be_guessed_is_not_the_one_that_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let (home, env) = home(folder.path());
    fs::write(&home.config, "{gateway: {auth: {token: 'letmein'}}}").expect("written");

    let found = preflight(&home, &env).expect("runs without it");

    assert!(!found.token_in_config);
    assert!(
        found.warnings[0].message.contains("is left out"),
        "{:?}",
        found.warnings
    );
    let token = gateway_token(&home, &env).expect("made");
    assert_eq!(
        fs::read_to_string(&found.token_path).expect("there").trim(),
        token.expose()
    );
    assert_ne!(token.expose(), "letmein");
}

#[test]
fn a_document_without_a_file_that_it_includes_says_what_runs_instead() {
    let folder = tempfile::tempdir().expect("a folder");
    let (home, env) = home(folder.path());
    let document = "{gateway: {port: 2000, auth: {token: '${TOKEN}'}}, agents: {$include: './agents.json5'}}";
    fs::write(&home.config, document).expect("written");

    let first = preflight(&home, &env).expect("what it says itself runs");

    assert_eq!((first.port, first.runs), (2000, Runs::WithoutIncluded));
    assert!(
        first
            .warnings
            .iter()
            .any(|issue| issue.message.contains("agents.json5 is not there"))
    );
    assert_eq!(
        gateway_token(&home, &env).expect("written").expose(),
        "a-token-0123456789",
        "commands come in while it runs"
    );

    fs::write(folder.path().join("agents.json5"), "{}").expect("written");
    assert_eq!(preflight(&home, &env).expect("whole").runs, Runs::File);
    let configuration = Configuration::open(store_of(&home), sources_of(&home, &env), Clock::system());
    configuration.expect("valid").save_running();
    fs::remove_file(folder.path().join("agents.json5")).expect("there");
    assert_eq!(preflight(&home, &env).expect("it ran").runs, Runs::LastValid);
}
