mod failing;
mod files;

use std::{
    collections::{BTreeMap, HashMap},
    os::unix::fs::{MetadataExt, PermissionsExt},
    sync::{Arc, Mutex},
};

use proptest::prelude::*;
use proptest::test_runner::contextualize_config;

use super::{history::HISTORY_MAX, *};
use gatehouse_core::Timestamp;

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
    /// A name that no other file can take: a mount.
    mounted: Option<PathBuf>,
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

    fn give_owner(&self, _: &Path, _: &Path) {}

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

    fn overwrite(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        // A power cut leaves any of its pages: here the second half without the first.
        let id = self
            .with(|state| state.names.get(path).copied())?
            .ok_or(io::ErrorKind::NotFound)?;
        self.with(|state| {
            let found = state.contents.entry(id).or_default();
            let half = content.len() / 2;
            let mut torn: Vec<u8> = found.iter().take(half).copied().collect();
            torn.extend(content.iter().skip(torn.len()));
            *found = torn;
        })?;
        self.with(|state| {
            state.contents.insert(id, content.to_owned());
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.0.lock().expect("not poisoned").mounted.as_deref() == Some(to) {
            return self.with(|_| ()).and(Err(io::ErrorKind::ResourceBusy.into()));
        }
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
    #![proptest_config(contextualize_config(ProptestConfig::with_cases(300)))]
    #[test]
    fn a_machine_that_dies_at_any_step_leaves_one_whole_text(
        texts in prop::collection::vec("[a-z]{0,30}", 1..6), life in 0usize..120, lucky in any::<bool>()
    ) {
        let (disk, store) = mortal();
        store.write_document("first", Timestamp::EPOCH, None).expect("alive");
        let mut acknowledged = "first".to_owned();
        let mut submitted = vec!["first".to_owned()];
        disk.live(life);

        for (time, text) in (1..).zip(&texts) {
            submitted.push(text.clone());
            let written = store
                .write_document(text, Timestamp::from_ms(time), Some("note"))
                .and_then(|()| store.write_last_valid(text));
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
        store.write_document("after", Timestamp::from_ms(1_000), None).expect("a left-over is in nobody's way");
        prop_assert_eq!(store.read_document().expect("alive"), Some("after".to_owned()));
    }

    #[test]
    fn a_machine_that_dies_while_it_writes_a_mounted_file_leaves_one_whole_text_after_the_next_start(
        texts in prop::collection::vec("[a-z]{0,30}", 1..6), life in 0usize..160, lucky in any::<bool>()
    ) {
        let (disk, store) = mortal();
        store.write_document("the first text", Timestamp::EPOCH, None).expect("alive");
        disk.0.lock().expect("not poisoned").mounted = Some(PathBuf::from("/h/gatehouse.json5"));
        let mut acknowledged = "the first text".to_owned();
        let mut newest = acknowledged.clone();
        disk.live(life);

        for (time, text) in (1..).zip(&texts) {
            newest.clone_from(text);
            if store.write_document(text, Timestamp::from_ms(time), Some("note")).is_err() {
                break;
            }
            acknowledged.clone_from(text);
        }
        disk.reboot(lucky);
        store.end_write_in_place().expect("alive");

        let found = store.read_document().expect("alive").expect("never gone");
        prop_assert!(found == acknowledged || found == newest, "{found:?} is neither {acknowledged:?} nor {newest:?}");
        store.write_document("after", Timestamp::from_ms(1_000), None).expect("a left-over is in nobody's way");
        store.end_write_in_place().expect("alive");
        prop_assert_eq!(store.read_document().expect("alive"), Some("after".to_owned()));
    }
}

#[test]
fn a_file_that_was_edited_after_a_write_was_cut_off_is_left_as_it_is() {
    let (disk, store) = mortal();
    store
        .write_document("{a: 1}", Timestamp::EPOCH, None)
        .expect("alive");
    for (name, text) in [("replaced", "{a: 1}"), ("replacing", "{a: 1, b: 2}")] {
        let path = PathBuf::from(format!("/h/config/{name}.json5"));
        disk.write(&path, text.as_bytes(), 0o600).expect("alive");
    }
    disk.write(Path::new("/h/gatehouse.json5"), b"{by: 'hand'}", 0o600)
        .expect("alive");

    store.end_write_in_place().expect("alive");

    assert_eq!(
        store.read_document().expect("alive"),
        Some("{by: 'hand'}".to_owned())
    );
    assert!(
        !disk
            .list(Path::new("/h/config"))
            .expect("alive")
            .contains(&"replacing.json5".to_owned())
    );
}
