use super::*;

fn asked(folder: &Path, words: &[&str]) -> Result<(), Failed> {
    use crate::args::{Cli, Command, Config, ConfigCommand};
    let home = folder.join("home");
    let mut line = vec!["gatehouse", "config", "import"];
    line.extend(words);
    let home = home.to_str().unwrap();
    line.extend(["--home", home]);
    let cli = Cli::read(line.iter().map(Into::into)).unwrap();
    let Command::Config(Config {
        command: Some(ConfigCommand::Import(import)),
    }) = &cli.command
    else {
        panic!("another command");
    };
    let common = cli.everywhere.common(crate::home::For::Alone)?;
    run(&common, import)
}

#[test]
fn a_document_is_written_once_for_its_owner_and_with_force_what_stood_there_is_kept() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("openclaw.json");
    fs::write(&source, "{ gateway: { port: 19000 }, mcp: {} }").unwrap();
    let source = source.to_str().unwrap();
    let target = folder.path().join("home/gatehouse.json5");

    asked(folder.path(), &[source, "--dry-run"]).unwrap();
    assert!(!target.exists());
    asked(folder.path(), &[source]).unwrap();
    let text = fs::read_to_string(&target).unwrap();
    assert!(
        text.contains("port: 19000") && text.contains("//   mcp: "),
        "{text}"
    );
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);

    let refused = asked(folder.path(), &[source]).unwrap_err();
    assert!(refused.to_string().contains("--force"), "{refused}");
    asked(folder.path(), &[source, "--force"]).unwrap();
    let kept = fs::read_dir(folder.path().join("home")).unwrap();
    let kept = kept.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().contains(".before-import-")
    });
    assert_eq!(kept.count(), 1);
}

#[test]
fn the_document_of_a_gateway_that_runs_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("openclaw.json");
    fs::write(&source, "{ gateway: { port: 19000 } }").unwrap();
    let home = folder.path().join("home");
    fs::create_dir(&home).unwrap();
    let _running = HomeLock::take(&home).unwrap();

    let refused = asked(folder.path(), &[source.to_str().unwrap()]).unwrap_err();

    assert_eq!(refused.exit, Exit::Refused, "{refused}");
}

#[test]
fn what_was_taken_is_counted_by_section() {
    let taken = ["gateway.port", "bindings[0].agentId", "gateway.bind"].map(str::to_owned);

    assert_eq!(by_section(&taken), "gateway 2, bindings 1");
    assert_eq!(by_section(&[]), "nothing");
}

#[test]
fn what_stands_in_the_file_of_variables_beside_the_document_is_known_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("openclaw.json");
    fs::write(
        &source,
        r#"{ gateway: { auth: { token: "${GATE}" } }, session: { dmScope: "${SCOPE}" } }"#,
    )
    .unwrap();
    fs::write(
        folder.path().join(".env"),
        "GATE=hM4sT8vQ2wZ6xC9b\nSCOPE=per-peer\nOTHER=x\n",
    )
    .unwrap();

    asked(folder.path(), &[source.to_str().unwrap()]).unwrap();

    let text = fs::read_to_string(folder.path().join("home/gatehouse.json5")).unwrap();
    assert!(
        text.contains("per-peer") && text.contains("${GATE}"),
        "a secret stays a reference: {text}"
    );
    assert!(!text.contains("hM4sT8vQ2wZ6xC9b"), "{text}");
}

#[test]
fn a_document_that_says_nothing_is_no_import() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("openclaw.json");
    for nothing in ["", " \n", "// moved\n", "{}", "{ /* later */ }"] {
        fs::write(&source, nothing).unwrap();

        let refused = asked(folder.path(), &[source.to_str().unwrap()]).unwrap_err();

        assert_eq!(refused.exit, Exit::Failed, "{nothing:?}");
        assert!(refused.message.contains("there is no key in it"), "{refused}");
        assert!(!folder.path().join("home").exists(), "{nothing:?}");
    }
}
