use std::{
    collections::{BTreeMap, HashMap},
    os::unix::fs::PermissionsExt,
    sync::{Arc, Mutex},
};

use proptest::prelude::*;

use super::*;

/// A disk that dies: it counts operations, and after the last one that is allowed everything fails. What was not flushed
/// may be lost: a content up to its length, a name wholly.
#[derive(Clone, Default)]
pub(crate) struct Mortal(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Names now, and as they would be after a power cut.
    names: BTreeMap<PathBuf, usize>,
    flushed_names: BTreeMap<PathBuf, usize>,
    contents: HashMap<usize, Vec<u8>>,
    left: usize,
    next: usize,
}

impl Mortal {
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> io::Result<T> {
        let mut state = self.0.lock().expect("not poisoned");
        if state.left == 0 {
            return Err(io::Error::other("the machine is dead"));
        }
        state.left -= 1;
        Ok(change(&mut state))
    }

    fn live(&self, operations: usize) {
        self.0.lock().expect("not poisoned").left = operations;
    }

    /// The machine comes back after a power cut: names that were not flushed are as they were, or as they became.
    fn reboot(&self, lucky: bool) {
        let mut state = self.0.lock().expect("not poisoned");
        if lucky {
            state.flushed_names = state.names.clone();
        } else {
            state.names = state.flushed_names.clone();
        }
        state.left = usize::MAX;
    }
}

impl Disk for Mortal {
    fn create_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        self.with(|state| {
            state
                .names
                .get(path)
                .and_then(|id| state.contents.get(id))
                .cloned()
        })
    }

    fn mode(&self, path: &Path) -> io::Result<Option<u32>> {
        self.with(|state| state.names.contains_key(path).then_some(0o600))
    }

    fn resolve(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }

    fn write(&self, path: &Path, content: &[u8], _: u32) -> io::Result<()> {
        // Half of it first: a machine may die in the middle of a write.
        let id = self.with(|state| {
            let id = state.next;
            state.next += 1;
            state.names.insert(path.to_owned(), id);
            state
                .contents
                .insert(id, content.iter().take(content.len() / 2).copied().collect());
            id
        })?;
        self.with(|state| {
            state.contents.insert(id, content.to_owned());
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.with(|state| {
            if let Some(id) = state.names.remove(from) {
                state.names.insert(to.to_owned(), id);
            }
        })
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.with(|state| {
            let here: Vec<(PathBuf, usize)> = state
                .names
                .iter()
                .filter(|(name, _)| name.parent() == Some(path))
                .map(|(name, id)| (name.clone(), *id))
                .collect();
            state.flushed_names.retain(|name, _| name.parent() != Some(path));
            state.flushed_names.extend(here);
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.with(|state| {
            state.names.remove(path);
        })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.with(|state| {
            let inside = state.names.keys().filter(|name| name.parent() == Some(path));
            inside
                .filter_map(|name| Some(name.file_name()?.to_string_lossy().into_owned()))
                .collect()
        })
    }
}

fn mortal() -> (Mortal, Store<Mortal>) {
    let disk = Mortal::default();
    disk.live(usize::MAX);
    let store = Store::new(
        disk.clone(),
        PathBuf::from("/h/gatehouse.json5"),
        PathBuf::from("/h/config"),
    );
    (disk, store)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn a_machine_that_dies_at_any_step_leaves_one_whole_text(
        texts in prop::collection::vec("[a-z]{0,30}", 1..6), life in 0usize..120, lucky in any::<bool>()
    ) {
        let (disk, store) = mortal();
        store.write_document("first", 0, None).expect("alive");
        let mut acknowledged = "first".to_owned();
        let mut submitted = vec!["first".to_owned()];
        disk.live(life);

        for (time, text) in (1..).zip(&texts) {
            submitted.push(text.clone());
            let written = store.write_document(text, time, Some("note")).and_then(|()| store.write_last_valid(text));
            if written.is_err() {
                break;
            }
            acknowledged.clone_from(text);
        }
        disk.reboot(lucky);

        let found = store.read_document().expect("alive").expect("never gone");
        let newest = submitted.last().expect("at least one");
        prop_assert!(found == acknowledged || found == *newest, "{found:?} is neither {acknowledged:?} nor {newest:?}");
        if let Some(valid) = store.read_last_valid().expect("alive") {
            prop_assert!(submitted.contains(&valid));
        }
        store.write_document("after", 1_000, None).expect("a left-over is in nobody's way");
        prop_assert_eq!(store.read_document().expect("alive"), Some("after".to_owned()));
    }
}

#[test]
fn former_texts_are_kept_up_to_a_bound() {
    let (disk, store) = mortal();

    for time in 0..i64::try_from(HISTORY_MAX).expect("small") + 10 {
        store
            .write_document(&format!("text {time}"), time, Some("why"))
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

    store.write_document("{a: 1}", 5, None).expect("written");
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
