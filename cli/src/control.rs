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
    /// The gateway's address for other machines, if they can come in.
    pub(crate) others: Option<String>,
    /// The address of its Control UI, if it serves one.
    pub(crate) page: Option<String>,
    /// Where its metrics are.
    pub(crate) metrics: Option<String>,
    /// The file of its log, unless it writes to its standard output.
    pub(crate) log: Option<PathBuf>,
    /// The longest that an end takes, in seconds.
    pub(crate) end_seconds: u64,
    /// The services that ended by themselves and have not been well since.
    pub(crate) failing: Vec<Failing>,
}

/// A service that ends by itself, again and again as a rule: it is started anew with growing pauses.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Failing {
    /// Its name.
    pub(crate) service: String,
    /// How it ended.
    pub(crate) why: String,
    /// What it said last: which file or setting, and what to do, where it could tell.
    pub(crate) last_line: String,
    /// When, milliseconds since 1970.
    pub(crate) ended_ms: i64,
}

impl Failing {
    /// In one line.
    pub(crate) fn told(&self) -> String {
        let said = self
            .last_line
            .strip_prefix("gatehouse: ")
            .unwrap_or(&self.last_line);
        match said {
            "" => format!("it {}", self.why),
            said => format!("it {}: {said}", self.why),
        }
    }
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
