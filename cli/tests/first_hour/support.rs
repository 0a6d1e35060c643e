//! A user, their folders and their gateways.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

/// A user with an own home folder, and the gateways that they start.
pub(crate) struct Person {
    root: TempDir,
}

impl Person {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["me", "work", "tmp"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        Self { root }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// In a folder, as this user.
    pub(crate) fn command(&self, folder: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse"));
        command.args(arguments);
        self.surround(&mut command, folder);
        command
    }

    /// What a command of this user finds around it.
    pub(crate) fn surround(&self, command: &mut Command, folder: &str) {
        command
            .current_dir(self.path(folder))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path("me"))
            .env("TMPDIR", self.path("tmp"))
            .env("GATEHOUSE_METRICS_LISTEN", "off")
            .stdin(Stdio::null());
    }

    pub(crate) fn run(&self, folder: &str, arguments: &[&str]) -> Output {
        self.command(folder, arguments).output().unwrap()
    }

    pub(crate) fn done(&self, folder: &str, arguments: &[&str]) -> String {
        let output = self.run(folder, arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}{}",
            out(&output),
            err(&output)
        );
        out(&output)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path("me/.local/share/gatehouse")
    }

    /// The processes of the services by their names.
    pub(crate) fn service(&self, supervisor: &str, name: &str) -> Option<String> {
        let entries = fs::read_dir("/proc").unwrap().map_while(Result::ok);
        let mut found = entries.filter(|entry| {
            let read = |file: &str| fs::read_to_string(entry.path().join(file)).unwrap_or_default();
            read("status")
                .lines()
                .any(|line| line == format!("PPid:\t{supervisor}"))
                && read("cmdline").split('\0').nth(1) == Some(name)
        });
        found
            .next()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        // Whatever a test left running: nothing of it stays.
        for home in [self.home(), self.path("other"), self.path("work/data")] {
            if home.is_dir() {
                let _ = self.run("tmp", &["stop", "--now", "--home", home.to_str().unwrap()]);
            }
        }
    }
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// What is found within half a minute.
pub(crate) fn until<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + Duration::from_secs(30);
    while Instant::now() < end {
        if let Some(found) = look() {
            return Some(found);
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    None
}
