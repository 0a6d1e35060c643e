use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn workspaces() -> (tempfile::TempDir, Workspaces, AgentId) {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("workspace");
    (home, Workspaces::new(root), AgentId::main())
}

#[test]
fn a_text_is_read_as_it_was_written_and_for_nobody_else() {
    let (_home, workspaces, main) = workspaces();
    assert_eq!(workspaces.read(&main, Name::Soul).unwrap(), None);

    let written = workspaces.write(&main, Name::Soul, "be kind", None).unwrap();

    let found = workspaces.read(&main, Name::Soul).unwrap().unwrap();
    assert_eq!((found.text.as_str(), found.size), ("be kind", 7));
    assert_eq!(written, Written::Done(found));
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(workspaces.path(&main, Name::Soul)), 0o600);
    assert_eq!(mode(workspaces.folder(&main)), 0o700);
    assert_eq!(
        fs::read_dir(workspaces.folder(&main)).unwrap().count(),
        1,
        "nothing is left behind"
    );
}

#[test]
fn whoever_says_what_he_replaces_replaces_nothing_else() {
    let (_home, workspaces, main) = workspaces();
    workspaces.write(&main, Name::User, "Ann", None).unwrap();
    let of_ann = workspaces.read(&main, Name::User).unwrap().unwrap().hash();

    let second = workspaces
        .write(&main, Name::User, "Bob", Some(&of_ann.to_uppercase()))
        .unwrap();
    let third = workspaces
        .write(&main, Name::User, "Cleo", Some(&of_ann))
        .unwrap();
    let absent = workspaces.write(&main, Name::Memory, "x", Some(&of_ann)).unwrap();

    assert!(matches!(second, Written::Done(_)), "{second:?}");
    assert_eq!((third, absent), (Written::Changed, Written::Changed));
    assert_eq!(workspaces.read(&main, Name::User).unwrap().unwrap().text, "Bob");
}

#[test]
fn a_link_a_folder_and_what_is_no_text_are_read_by_nobody() {
    let (home, workspaces, main) = workspaces();
    fs::create_dir_all(workspaces.folder(&main)).unwrap();
    let secret = home.path().join("token");
    fs::write(&secret, "secret").unwrap();
    symlink(&secret, workspaces.path(&main, Name::Agents)).unwrap();
    fs::create_dir(workspaces.path(&main, Name::Soul)).unwrap();
    fs::write(workspaces.path(&main, Name::User), b"\xff\xfe").unwrap();
    fs::write(workspaces.path(&main, Name::Tools), "x".repeat(70_000)).unwrap();

    for name in [Name::Agents, Name::Soul, Name::User, Name::Tools] {
        assert!(workspaces.read(&main, name).is_err(), "{name:?}");
    }
    assert_eq!(
        workspaces.prompt(&main, Some("be brief")).as_deref(),
        Some("be brief")
    );

    workspaces.write(&main, Name::Agents, "mine", None).unwrap();
    assert_eq!(
        fs::read_to_string(&secret).unwrap(),
        "secret",
        "the link is replaced, not followed"
    );
}

#[test]
fn a_model_is_told_what_the_document_says_and_then_each_file_that_says_something() {
    let (_home, workspaces, main) = workspaces();
    assert_eq!(workspaces.prompt(&main, None), None);
    workspaces
        .write(&main, Name::User, "Ann, likes tea\n", None)
        .unwrap();
    workspaces.write(&main, Name::Soul, "be kind", None).unwrap();
    workspaces.write(&main, Name::Tools, " \n", None).unwrap();

    assert_eq!(
        workspaces.prompt(&main, Some("be brief")).as_deref(),
        Some("be brief\n\n# SOUL.md\n\nbe kind\n\n# USER.md\n\nAnn, likes tea")
    );
}

#[test]
fn only_names_that_are_told_to_models_are_names() {
    for name in Name::ALL {
        assert_eq!(Name::parse(name.word()), Some(name));
    }
    for foreign in [
        "",
        "agents.md",
        "../AGENTS.md",
        "AGENTS.md/",
        "/etc/passwd",
        "BOOTSTRAP.md",
        "AGENTS.md\0",
    ] {
        assert_eq!(Name::parse(foreign), None, "{foreign:?}");
    }
}
