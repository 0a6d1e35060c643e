//! Former texts, and whose the files are.

use super::*;

#[test]
fn former_texts_are_kept_up_to_a_bound() {
    let (disk, store) = mortal();

    for time in 0..i64::try_from(HISTORY_MAX).expect("small") + 10 {
        store
            .write_document(&format!("text {time}"), Timestamp::from_ms(time), Some("why"))
            .expect("alive");
    }

    let names = disk.list(Path::new("/h/config/history")).expect("alive");
    assert_eq!(
        names.iter().filter(|name| name.ends_with(".json5")).count(),
        HISTORY_MAX
    );
    assert_eq!(
        names.iter().filter(|name| name.ends_with(".note")).count(),
        HISTORY_MAX
    );
}

#[test]
fn what_is_kept_is_listed_with_when_and_why_it_was_replaced() {
    let (disk, store) = mortal();
    for (time, text, note) in [
        (1, "{a: 1}", None),
        (2, "{a: 2}", Some("two")),
        (3, "{a: 3}", Some("three")),
    ] {
        store
            .write_document(text, Timestamp::from_ms(time), note)
            .expect("alive");
    }
    disk.write(Path::new("/h/config/history/notes.txt"), b"mine", 0o600)
        .expect("alive");

    let history = store.history().expect("alive");

    let told: Vec<_> = history
        .iter()
        .map(|one| (one.replaced_at.as_ms(), one.note.as_deref(), one.size_bytes))
        .collect();
    assert_eq!(told, [(3, Some("three"), 6), (2, Some("two"), 6)]);
    assert_eq!(
        store.read_former(&history[1]).expect("alive").as_deref(),
        Some("{a: 1}")
    );
    assert!(hash("{a: 1}").starts_with(&history[1].revision));
}

#[test]
fn files_are_for_their_owner_and_links_stay_links() {
    let home = tempfile::tempdir().expect("a folder");
    let real = home.path().join("dotfiles.json5");
    std::fs::write(&real, "{}").expect("written");
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o644)).expect("opened");
    let link = home.path().join("gatehouse.json5");
    std::os::unix::fs::symlink(&real, &link).expect("linked");
    let store = Store::new(Real, link.clone(), home.path().join("config"));
    store.prepare().expect("folders");
    assert!(store.document_is_open());

    store
        .write_document("{a: 1}", Timestamp::from_ms(5), None)
        .expect("written");
    store.write_token("t").expect("written");

    assert!(std::fs::symlink_metadata(&link).expect("there").is_symlink());
    assert_eq!(std::fs::read_to_string(&real).expect("there"), "{a: 1}");
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&real), 0o640);
    assert_eq!(mode(&store.token_path()), 0o600);
    assert_eq!(store.read_token().expect("readable"), Some("t".to_owned()));
}

#[test]
fn a_last_valid_copy_that_was_touched_is_not_believed() {
    let (disk, store) = mortal();
    store.write_last_valid("{a: 1}").expect("alive");
    assert_eq!(store.read_last_valid().expect("alive"), Some("{a: 1}".to_owned()));

    disk.write(
        Path::new("/h/config/last-valid.json5"),
        b"// revision 00\n{a: 2}",
        0o600,
    )
    .expect("alive");

    assert_eq!(store.read_last_valid().expect("alive"), None);
}

#[test]
fn the_credential_of_a_plugin_is_in_a_folder_of_its_own_where_there_is_one() {
    let home = tempfile::tempdir().expect("a folder");
    let credentials = home.path().join("credential");
    std::fs::create_dir_all(credentials.join("plugin-matrix")).expect("a folder");
    let store = Store::new(
        Real,
        home.path().join("gatehouse.json5"),
        home.path().join("config"),
    )
    .with_credentials(credentials.clone());

    let (own, beside) = (store.plugin_token("matrix"), store.plugin_token("kitchen"));

    let kept = |path: PathBuf| std::fs::read_to_string(path).expect("there").trim().to_owned();
    assert_eq!(
        kept(credentials.join("plugin-matrix/secret")),
        own.expect("made").expose()
    );
    assert_eq!(
        kept(home.path().join("config/plugins/kitchen.token")),
        beside.expect("made").expose()
    );
    assert!(!home.path().join("config/plugins/matrix.token").exists());
    let again = store.plugin_token("matrix").expect("kept");
    assert_eq!(again.expose(), kept(credentials.join("plugin-matrix/secret")));
}

#[test]
fn a_document_stays_its_owners_when_roots_gateway_changes_it() {
    let home = tempfile::tempdir().expect("a folder");
    let document = home.path().join("gatehouse.json5");
    std::fs::write(&document, "{}").expect("written");
    let theirs = (1_000, 1_001);
    if std::os::unix::fs::chown(&document, Some(theirs.0), Some(theirs.1)).is_err() {
        return; // only root gives files away
    }
    let store = Store::new(Real, document.clone(), home.path().join("config"));
    store.prepare().expect("folders");

    store
        .write_document("{a: 1}", Timestamp::from_ms(5), None)
        .expect("written");

    let facts = std::fs::metadata(&document).expect("there");
    assert_eq!((facts.uid(), facts.gid()), theirs);
}
