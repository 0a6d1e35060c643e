//! The process of one account, as the bridge starts and ends it.
//!
//! It is this very program under another word. It listens on a socket in a folder for its owner alone, and answers whoever shows a
//! credential that is made for this one life and told over its standard input: neither the command line nor the environment holds a
//! secret. That input also says that the bridge is gone: nothing outlives it.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use gatehouse_core::{Env, Home, Secret, client::Peer, hex, private};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::adapter::AccountKey;

/// How long the process may take until it listens: a program that starts takes milliseconds, on a busy machine a second or two.
const LISTENS_WITHIN: Duration = Duration::from_secs(20);
/// How long it may take to end once its connection is over.
const ENDS_WITHIN: Duration = Duration::from_millis(500);
/// What it may say before it listens: one line. Beyond it is not ours.
const SAID_BYTES_MAX: u64 = 64 * 1024;
/// Its socket, in its folder. The whole path has to fit into the 107 bytes of a socket's address.
const SOCKET: &str = "s";
/// What its standard output says when it listens.
pub(super) const LISTENING: &str = "gatehouse: listening";
/// Variables that the process is given: how it logs, and which certificates it trusts. Nothing that may be a secret.
const PASSED: [&str; 9] = [
    "GATEHOUSE_LOG",
    "GATEHOUSE_LOG_FORMAT",
    "NO_COLOR",
    "RUST_BACKTRACE",
    "LANG",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// How processes of accounts are started.
#[derive(Clone, Debug)]
pub(crate) struct Isolation {
    /// The program, and its words before the channel's. Unset: this one.
    pub(super) program: Option<PathBuf>,
    pub(super) words: Vec<OsString>,
    /// The environment, all of it.
    pub(super) environment: Passed,
    /// Where their folders are made.
    pub(super) run: PathBuf,
}

/// Variables with their values.
pub(crate) type Passed = Vec<(String, String)>;

/// Of the environment, what such a process is given.
pub(crate) fn passed(env: &Env) -> Passed {
    let passed = |name: &&str| Some(((*name).to_owned(), env.get(name)?.to_owned()));
    PASSED.iter().filter_map(passed).collect()
}

/// The first line of the standard input.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Told {
    /// Where to listen.
    pub(super) socket: PathBuf,
    /// What the bridge shows.
    pub(super) credential: String,
}

impl Isolation {
    /// This program, with what it may know of the environment.
    pub(crate) fn of(environment: Passed, home: &Home) -> Self {
        Self {
            program: None,
            words: vec!["channel".into()],
            environment,
            run: std::path::absolute(&home.run).unwrap_or_else(|_| home.run.clone()),
        }
    }

    /// Starts the process of an account, and returns when it listens.
    ///
    /// # Errors
    /// Why it does not, for a person.
    pub(super) async fn start(&self, kind: &str, account: &AccountKey) -> Result<Process, String> {
        let place =
            Place::make(&self.run, account).map_err(|error| format!("its folder cannot be made: {error}"))?;
        let credential = Secret::generate();
        let told = Told {
            socket: place.0.join(SOCKET),
            credential: credential.expose().to_owned(),
        };
        let mut child = Command::new(self.program.clone().unwrap_or_else(this_program))
            .args(&self.words)
            .arg(kind)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("its process cannot be started: {error}"))?;
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("its process cannot be spoken to".to_owned());
        };
        let line =
            serde_json::to_string(&told).map_err(|_| "its folder has no name in Unicode".to_owned())?;
        let listens = async {
            input.write_all(format!("{line}\n").as_bytes()).await?;
            listening(output).await
        };
        match timeout(LISTENS_WITHIN, listens).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false) | Err(_)) => {
                let how = ended(timeout(ENDS_WITHIN, child.wait()).await.ok());
                let how = how.unwrap_or_else(|| "does not listen".to_owned());
                return Err(format!("its process {how} before it listened; its log says why"));
            }
            Err(_) => {
                let seconds = LISTENS_WITHIN.as_secs();
                return Err(format!("its process did not listen within {seconds} seconds"));
            }
        }
        let (peer, _) = Peer::watched(&gatehouse_core::Address::Unix(told.socket), &credential);
        tracing::info!(account.id = %account, process.pid = child.id(), "an account runs in a process of its own");
        Ok(Process {
            child,
            _input: input,
            peer,
            _place: place,
        })
    }
}

/// Waits until it says that it listens. False: its output ended before.
async fn listening(output: ChildStdout) -> io::Result<bool> {
    let mut lines = BufReader::new(output.take(SAID_BYTES_MAX)).lines();
    while let Some(line) = lines.next_line().await? {
        if line.ends_with(LISTENING) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The program that runs, also when another version of it was put in its place meanwhile.
fn this_program() -> PathBuf {
    match std::env::current_exe() {
        Ok(path) if path.exists() => path,
        Ok(_) | Err(_) => PathBuf::from("/proc/self/exe"),
    }
}

/// A process that listens. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// Its end tells the process that we are gone.
    _input: ChildStdin,
    peer: Peer,
    _place: Place,
}

impl Process {
    pub(super) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Ends it, when its connection is over. How it ended by itself, if that was not as it should.
    pub(super) async fn end(mut self) -> Option<String> {
        let by_itself = timeout(ENDS_WITHIN, self.child.wait()).await.ok();
        if by_itself.is_none() {
            let _ = self.child.kill().await; // it may have ended between the two
        }
        ended(by_itself)
    }
}

/// What an end that was not asked for looks like.
fn ended(status: Option<io::Result<ExitStatus>>) -> Option<String> {
    let status = status?.ok().filter(|status| !status.success())?;
    Some(match status.signal() {
        Some(signal) => format!("was ended by signal {signal}{}", meaning(signal)),
        None => format!("ended with {status}"),
    })
}

/// What a signal says about a process that only we and the kernel end.
const fn meaning(signal: i32) -> &'static str {
    match signal {
        6 => " (it gave up, for example because it took more memory than one account may have)",
        9 => " (killed)",
        _ => "",
    }
}

/// The folder of one process, for its owner alone. Dropped, it goes with all that is in it.
#[derive(Debug)]
struct Place(PathBuf);

impl Place {
    /// Always the same for one account, so that what a killed bridge left behind is found and goes.
    fn make(run: &Path, account: &AccountKey) -> io::Result<Self> {
        let name = Sha256::digest(account.to_string());
        let path = run.join(format!("c-{}", hex::encode(&name[..6])));
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        private::create_folder(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // whoever comes next finds it
    }
}
