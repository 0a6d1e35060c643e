use super::*;

fn rendered(scope: Scope) -> String {
    scope.text(Path::new("/usr/local/bin/gatehouse"), Path::new(MACHINE_HOME))
}

/// `UPDATE_DOCS=1` writes it anew.
#[test]
fn the_unit_in_deploy_is_the_committed_reference() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/systemd/gatehouse.service");
    let text = rendered(Scope::Machine);
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), text, "run `make docs`");
}

#[test]
fn a_path_of_any_name_is_one_word_of_the_unit() {
    assert_eq!(quoted(Path::new("/usr/bin/gatehouse")), "/usr/bin/gatehouse");
    assert_eq!(
        quoted(Path::new("/home/an na/100%/$x\\\"y")),
        "\"/home/an na/100%%/$$x\\\\\\\"y\""
    );
}

/// What systemd's own checker says, where it is installed.
fn analyze(words: &[&str], unit: &str) -> Option<Output> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(NAME);
    fs::write(&path, unit).unwrap();
    Command::new("systemd-analyze")
        .args(words)
        .arg(&path)
        .env("XDG_RUNTIME_DIR", folder.path())
        .output()
        .ok()
}

#[test]
fn systemd_finds_no_mistake_in_the_units_and_little_that_the_machines_could_do_harm_with() {
    // It looks whether the program is there.
    let unit = |scope: Scope| scope.text(Path::new("/bin/true"), Path::new("/srv/my home/100%"));
    for (words, text) in [
        (vec!["verify"], unit(Scope::Machine)),
        (vec!["--user", "verify"], unit(Scope::Person)),
        // 2.0 of 10: what a service that serves a network has to be able to.
        (
            vec!["security", "--offline=true", "--threshold=20"],
            unit(Scope::Machine),
        ),
    ] {
        if let Some(told) = analyze(&words, &text) {
            let said = String::from_utf8_lossy(&told.stderr);
            assert!(told.status.success(), "{words:?}: {said}");
            assert!(!said.contains(NAME), "{words:?}: {said}");
        }
    }
}
