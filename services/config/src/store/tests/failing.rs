//! Writes that fail.

use super::*;

/// The disk of this machine, with one kind of failure.
#[derive(Clone)]
struct Failing {
    kind: io::ErrorKind,
    /// Whether files cannot be written at all, or only not get another's name.
    is_whole: bool,
}

impl Failing {
    fn fails<T>(&self) -> io::Result<T> {
        Err(self.kind.into())
    }
}

impl Disk for Failing {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        Real.create_folder(path)
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        Real.read(path)
    }

    fn give_owner(&self, file: &Path, of: &Path) {
        Real.give_owner(file, of);
    }

    fn mode(&self, path: &Path) -> io::Result<Option<u32>> {
        Real.mode(path)
    }

    fn resolve(&self, path: &Path) -> PathBuf {
        Real.resolve(path)
    }

    fn write(&self, path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
        let is_document = path.to_string_lossy().contains("gatehouse.json5.");
        if self.is_whole && is_document {
            return self.fails();
        }
        Real.write(path, content, mode)
    }

    fn overwrite(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        if self.is_whole {
            return self.fails();
        }
        Real.overwrite(path, content)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if to.ends_with("gatehouse.json5") {
            return self.fails();
        }
        Real.rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        Real.sync_folder(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Real.remove(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        Real.list(path)
    }
}

/// An installation on such a disk, with a document in it.
fn failing(kind: io::ErrorKind, is_whole: bool) -> (tempfile::TempDir, Store<Failing>) {
    let home = tempfile::tempdir().expect("a folder");
    let document = home.path().join("gatehouse.json5");
    std::fs::write(&document, "{ a: 'as it was' }").expect("written");
    let store = Store::new(Failing { kind, is_whole }, document, home.path().join("config"));
    store.prepare().expect("folders");
    (home, store)
}

#[test]
fn a_file_that_cannot_be_replaced_is_written_in_place() {
    for kind in [
        io::ErrorKind::ResourceBusy,
        io::ErrorKind::CrossesDevices,
        io::ErrorKind::PermissionDenied,
    ] {
        let (home, store) = failing(kind, false);

        for text in ["{ a: 'longer than it was before' }", "{}"] {
            store
                .write_document(text, Timestamp::from_ms(5), None)
                .expect("written");

            assert_eq!(store.read_document().expect("there").as_deref(), Some(text));
        }

        let mut left = Real.list(home.path()).expect("there");
        left.sort();
        assert_eq!(left, ["config", "gatehouse.json5"], "no left-over");
        assert_eq!(
            Real.list(&home.path().join("config")).expect("there"),
            ["history"]
        );
        assert_eq!(
            Real.list(&home.path().join("config/history"))
                .expect("there")
                .len(),
            2
        );
    }
}

#[test]
fn a_write_that_fails_says_what_and_why_and_changes_nothing() {
    for (kind, words) in [
        (io::ErrorKind::ReadOnlyFilesystem, "read-only mount"),
        (io::ErrorKind::PermissionDenied, "may not write there"),
        (io::ErrorKind::StorageFull, "the disk is full"),
        (io::ErrorKind::QuotaExceeded, "the disk is full"),
        (io::ErrorKind::ResourceBusy, "mounted by itself"),
        (io::ErrorKind::TimedOut, "timed out"),
    ] {
        let (home, store) = failing(kind, true);

        let error = store
            .write_document("{ a: 'new' }", Timestamp::from_ms(5), None)
            .expect_err("it fails");

        let told = error.to_string();
        let path = store.document().display().to_string();
        assert!(told.starts_with(&path) && told.contains(words), "{told}");
        assert_eq!(
            store.read_document().expect("there").as_deref(),
            Some("{ a: 'as it was' }")
        );
        assert_eq!(
            Real.list(home.path()).expect("there").len(),
            2,
            "no half file is left"
        );
        store.end_write_in_place().expect("nothing to end");
        assert_eq!(
            store.read_document().expect("there").as_deref(),
            Some("{ a: 'as it was' }")
        );
    }
}
