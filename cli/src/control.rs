//! What `gatehouse stop`, `restart` and others say to the `gatehouse up` of a home, over a socket in its run folder: a line of JSON,
//! answered by one. The folder is its owner's alone, and that is the permission. That somebody answers there is how it is known that a
//! gateway runs: there is no PID file that could go stale.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    args::Common,
    exit::{Exit, Failed},
    home,
};

/// In the run folder.
pub(crate) const SOCKET: &str = "up.sock";

/// The longest line in either direction.
pub(crate) const LINE_BYTES_MAX: u64 = 16 * 1024;

/// Whoever lives answers within milliseconds; on a loaded machine within seconds.
const ANSWER: Duration = Duration::from_secs(10);

/// What is asked.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub(crate) enum Ask {
    /// How it is.
    Hello,
    /// The end: in order, or at once.
    Stop {
        /// Without waiting for anybody.
        now: bool,
    },
    /// A new process for one service, or for everything.
    Restart {
        /// The service. Unset: all, the supervisor included.
        service: Option<String>,
    },
}

/// What is answered.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Answer {
    /// Why it was not done.
    pub(crate) error: Option<String>,
    /// The supervisor's process.
    pub(crate) pid: u32,
    /// Its version.
    pub(crate) version: String,
    /// When it started, milliseconds since 1970.
    pub(crate) started_ms: i64,
    /// The gateway's address, once it is ready.
    pub(crate) url: Option<String>,
    /// The address of its Control UI, if it serves one.
    pub(crate) page: Option<String>,
    /// Where its metrics are.
    pub(crate) metrics: Option<String>,
    /// The file of its log, unless it writes to its standard output.
    pub(crate) log: Option<PathBuf>,
    /// The longest that an end takes, in seconds.
    pub(crate) end_seconds: u64,
}

/// Whether a gateway runs whose sockets are in this folder.
pub(crate) fn is_alive(run: &Path) -> bool {
    UnixStream::connect(run.join(SOCKET)).is_ok()
}

/// A question that was answered. The connection stays until the supervisor ends.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) answer: Answer,
    stream: UnixStream,
}

/// Asks the gateway of a run folder. `deadline`: how long what was asked may take.
pub(crate) fn ask(run: &Path, ask: &Ask, deadline: Option<Duration>) -> io::Result<Asked> {
    let mut stream = UnixStream::connect(run.join(SOCKET))?;
    stream.set_write_timeout(Some(ANSWER))?;
    stream.set_read_timeout(Some(deadline.unwrap_or(ANSWER)))?;
    let mut line = serde_json::to_vec(ask)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut line = String::new();
    BufReader::new(Read::by_ref(&mut stream).take(LINE_BYTES_MAX)).read_line(&mut line)?;
    let answer = serde_json::from_str(&line).map_err(|error| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the answer cannot be read: {error}"),
        )
    })?;
    Ok(Asked { answer, stream })
}

impl Asked {
    /// Waits until the supervisor is gone. False when it is not within that time.
    pub(crate) fn until_gone(&mut self, within: Duration) -> bool {
        if self.stream.set_read_timeout(Some(within)).is_err() {
            return false;
        }
        // It says nothing more: what comes is the end.
        match self.stream.read(&mut [0; 1]) {
            Ok(bytes) => bytes == 0,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

/// Asks the gateway of the home that is meant; one that does not run is said with what to do.
pub(crate) fn ask_own(common: &Common, what: &Ask, deadline: Option<Duration>) -> Result<Asked, Failed> {
    let asked = ask(&common.run_dir(), what, deadline).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => not_running(common),
        _ => Failed::new(
            Exit::Unavailable,
            format!(
                "the gateway of {} does not answer: {error}",
                common.home.display()
            ),
        )
        .next("`ps -C gatehouse` shows its processes; `gatehouse doctor` looks at everything else"),
    })?;
    match asked.answer.error {
        Some(why) => Err(Failed::new(Exit::Failed, why)),
        None => Ok(asked),
    }
}

/// No gateway runs in the home that is meant.
pub(crate) fn not_running(common: &Common) -> Failed {
    Failed::new(
        Exit::Unavailable,
        format!("no gateway runs in {} ({})", common.home.display(), common.found),
    )
    .next(start_step(common))
}

/// How to start the gateway that was meant, without making another one.
pub(crate) fn start_step(common: &Common) -> String {
    let home = common.home.display();
    let other = home::other_than(&common.home).filter(|_| common.found != home::Found::Named);
    match other {
        Some(other) => format!(
            "your gateway has its home in {}: start it with `gatehouse up -d --home {}`",
            other.display(),
            other.display()
        ),
        None if common.found == home::Found::Named => {
            format!("start it with `gatehouse up -d --home {home}`")
        }
        None => "start it with `gatehouse up -d`, or name its home with --home".to_owned(),
    }
}
