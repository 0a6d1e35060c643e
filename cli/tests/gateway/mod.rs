//! A gateway as `gatehouse up` runs it, for tests that ask it by the command line.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    time::Duration,
};

/// A busy machine starts six processes in this time.
pub(crate) const READY: Duration = Duration::from_secs(90);

/// A gateway that runs, and is stopped at the end of the test.
pub(crate) struct Gateway {
    pub(crate) up: Child,
    pub(crate) home: PathBuf,
    pub(crate) log: mpsc::Receiver<String>,
}

impl Gateway {
    pub(crate) fn start(home: &Path, umask: &str, env: &[(&str, &str)]) -> Self {
        let script = format!("umask {umask}; exec \"$0\" up --port 0");
        let mut up = Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_gatehouse")])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("GATEHOUSE_HOME", home)
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let output = BufReader::new(up.stdout.take().unwrap());
        let (lines, log) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = lines.send(line);
            }
        });
        let gateway = Self {
            up,
            home: home.to_owned(),
            log,
        };
        gateway.wait_for_line("gatehouse is ready");
        gateway
    }

    /// Every line up to the one that holds these words.
    pub(crate) fn wait_for_line(&self, words: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let line = self
                .log
                .recv_timeout(READY)
                .unwrap_or_else(|_| panic!("{words:?} is not said: {seen:#?}"));
            let found = line.to_lowercase().contains(words);
            seen.push(line);
            if found {
                return seen;
            }
        }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_gatehouse"))
            .args(arguments)
            .env_clear()
            .env("GATEHOUSE_HOME", &self.home)
            .output()
            .unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.up.id().to_string()).status();
        let _ = self.up.wait();
    }
}
