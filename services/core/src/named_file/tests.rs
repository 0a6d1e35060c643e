use std::{fs, os::unix::fs::symlink, process::Command};

use super::*;

const MAX: u64 = 1024;

struct Home(tempfile::TempDir);

impl Home {
    /// A folder `secrets` with one file, and a file beside it that is none of its business.
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(home.at("secrets/sub")).unwrap();
        fs::write(home.at("secrets/key"), "inside").unwrap();
        fs::write(home.at("secrets/sub/key"), "deeper").unwrap();
        fs::write(home.at("outside"), "outside").unwrap();
        home
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> Result<String, ReadError> {
        let file = NamedFile::within(&self.at(name), &self.at("secrets")).expect("beneath");
        file.read(MAX)
            .map(|content| String::from_utf8(content.bytes).unwrap())
    }
}

#[test]
fn a_file_beneath_its_folder_is_read() {
    let home = Home::new();
    symlink("sub/key", home.at("secrets/link-inside")).unwrap();

    assert_eq!(home.read("secrets/key").unwrap(), "inside");
    assert_eq!(home.read("secrets/sub/../key").unwrap(), "inside");
    assert_eq!(home.read("secrets/link-inside").unwrap(), "deeper");
}

#[test]
fn a_path_that_is_not_beneath_the_folder_is_none_of_it() {
    for path in [
        "/home/x/other",
        "/home/x/secrets/../other",
        "/home/x/secrets/a/../../other",
        "/home/x/secrets",
        "/home/x/secrets/.",
        "/home/x/secretsother/key",
        "/etc/shadow",
        "secrets/key",
        "../secrets/key",
        "",
    ] {
        assert_eq!(
            NamedFile::within(Path::new(path), Path::new("/home/x/secrets")),
            None,
            "{path}"
        );
    }
}

#[test]
fn a_link_leads_out_at_no_component() {
    let home = Home::new();
    fs::create_dir(home.at("elsewhere")).unwrap();
    fs::write(home.at("elsewhere/key"), "outside").unwrap();
    symlink("../outside", home.at("secrets/relative")).unwrap();
    symlink(home.at("outside"), home.at("secrets/absolute")).unwrap();
    symlink(home.at("elsewhere"), home.at("secrets/folder")).unwrap();
    symlink("relative", home.at("secrets/twice")).unwrap();
    symlink("/proc/self/environ", home.at("secrets/proc")).unwrap();
    symlink("/proc/self/cwd/Cargo.toml", home.at("secrets/magic")).unwrap();
    symlink("loop", home.at("secrets/loop")).unwrap();

    for name in [
        "relative",
        "absolute",
        "folder/key",
        "twice",
        "proc",
        "magic",
        "loop",
    ] {
        let refused = home.read(&format!("secrets/{name}")).expect_err(name);

        assert!(matches!(refused, ReadError::LeadsOut(_)), "{name}: {refused}");
    }
}

#[test]
fn without_the_kernels_help_no_link_is_followed_at_all() {
    let home = Home::new();
    symlink("../outside", home.at("secrets/link")).unwrap();
    symlink("sub", home.at("secrets/folder")).unwrap();
    let root = || OwnedFd::from(File::open(home.at("secrets")).unwrap());

    assert!(open_without_links(root(), Path::new("sub/key")).is_ok());
    for name in ["link", "folder/key"] {
        assert_eq!(
            open_without_links(root(), Path::new(name)).unwrap_err(),
            Errno::LOOP,
            "{name}"
        );
    }
}

#[test]
fn a_folder_that_is_a_link_is_refused() {
    let home = Home::new();
    symlink(home.at("secrets"), home.at("linked")).unwrap();
    let file = NamedFile::within(&home.at("linked/key"), &home.at("linked")).unwrap();

    assert!(matches!(file.read(MAX).unwrap_err(), ReadError::FolderIsLink(_)));
}

#[test]
fn only_regular_files_of_a_bounded_length_are_read() {
    let home = Home::new();
    let fifo = home.at("secrets/fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    fs::write(home.at("secrets/long"), vec![b'x'; 1025]).unwrap();
    fs::write(home.at("secrets/full"), vec![b'x'; 1024]).unwrap();

    // It does not wait for a writer either.
    assert!(matches!(
        home.read("secrets/fifo").unwrap_err(),
        ReadError::NotRegular
    ));
    assert!(matches!(
        home.read("secrets/sub").unwrap_err(),
        ReadError::NotRegular
    ));
    assert!(matches!(
        home.read("secrets/long").unwrap_err(),
        ReadError::TooLong(MAX)
    ));
    assert_eq!(home.read("secrets/full").unwrap().len(), 1024);
    for (path, what) in [
        ("/dev/zero", "a device"),
        ("/dev/null", "a device"),
        ("/", "a folder"),
    ] {
        assert!(
            matches!(
                NamedFile::anywhere(path).read(MAX).unwrap_err(),
                ReadError::NotRegular
            ),
            "{path} is {what}"
        );
    }
    for path in [
        "/proc/self/environ",
        "/proc/version",
        "/sys/kernel/mm/transparent_hugepage/enabled",
    ] {
        if Path::new(path).exists() {
            let refused = NamedFile::anywhere(path).read(MAX).expect_err(path);
            assert!(matches!(refused, ReadError::Kernel), "{path}: {refused}");
        }
    }
}

#[test]
fn it_travels_as_a_text_or_with_its_folder() {
    let free: NamedFile = serde_json::from_str(r#""/a/b""#).unwrap();
    let confined = NamedFile::within(Path::new("/a/b"), Path::new("/a")).unwrap();

    assert_eq!(free, NamedFile::anywhere("/a/b"));
    let text = serde_json::to_string(&confined).unwrap();
    assert_eq!(text, r#"{"path":"/a/b","within":"/a"}"#);
    assert_eq!(serde_json::from_str::<NamedFile>(&text).unwrap(), confined);
}
