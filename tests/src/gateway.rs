//! A gateway as a user starts it: `gatehouse up` in a home of its own.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command as AsyncCommand};

use crate::{http, wait::until};

/// How long a gateway may take to end when nothing hangs, on a busy machine, with the answers of these tests under way.
const END: Duration = Duration::from_secs(60);

/// In the home: what a gateway says that was started with its words in a file.
const LOG: &str = "up.log";

/// A running gateway. Dropping it kills the supervisor; the services end by themselves when it is gone.
#[derive(Debug)]
pub struct Gateway {
    home: TempDir,
    up: Child,
    token: String,
}

impl Gateway {
    /// Starts a gateway with this configuration and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready in time.
    pub async fn start(config: &Value) -> Self {
        Self::start_with(config, &[]).await
    }

    /// The same with environment variables on top.
    ///
    /// # Panics
    /// When it does not become ready in time.
    pub async fn start_with(config: &Value, env: &[(&str, &str)]) -> Self {
        let home = tempfile::Builder::new()
            .prefix("gatehouse-")
            .tempdir()
            .expect("a temporary folder");
        fs::write(home.path().join("gatehouse.json5"), config.to_string()).expect("the configuration");
        Self::start_in(home, env).await
    }

    /// Starts a gateway whose words go into a file of its home: see [`Gateway::log`].
    ///
    /// # Panics
    /// When it does not become ready in time.
    pub async fn start_logged(config: &Value) -> Self {
        let home = tempfile::Builder::new()
            .prefix("gatehouse-")
            .tempdir()
            .expect("a temporary folder");
        fs::write(home.path().join("gatehouse.json5"), config.to_string()).expect("the configuration");
        let log = fs::File::create(home.path().join(LOG)).expect("the log");
        let mut command = command(home.path(), &[]);
        command.stdout(log.try_clone().expect("the log")).stderr(log);
        let up = command
            .spawn()
            .expect("the gatehouse binary: build it with `cargo build -p gatehouse`");
        Self::ready(home, up).await
    }

    /// What a gateway that was started so has said.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.path(LOG)).unwrap_or_default()
    }

    /// Starts a gateway in a home that is there already.
    ///
    /// # Panics
    /// When it does not become ready in time.
    pub async fn start_in(home: TempDir, env: &[(&str, &str)]) -> Self {
        let up = spawn(home.path(), env);
        Self::ready(home, up).await
    }

    async fn ready(home: TempDir, up: Child) -> Self {
        let mut gateway = Self {
            home,
            up,
            token: String::new(),
        };
        until("the edge", async || gateway.is_ready().await.then_some(())).await;
        gateway.token = fs::read_to_string(gateway.path("config/token"))
            .expect("the token")
            .trim()
            .to_owned();
        gateway
    }

    /// Ends the gateway as Ctrl-C does, and starts it again in the same home.
    ///
    /// # Panics
    /// When it does not end or does not come back in time.
    pub async fn restart(self) -> Self {
        self.restart_after(|_| ()).await
    }

    /// The same, with something done to the home while the gateway is down.
    ///
    /// # Panics
    /// When it does not end or does not come back in time.
    pub async fn restart_after(mut self, meanwhile: impl FnOnce(&Path)) -> Self {
        self.interrupt().await;
        meanwhile(self.home.path());
        let Self { home, .. } = self;
        Self::start_in(home, &[]).await
    }

    /// Ends the gateway as Ctrl-C does, and starts it again in the same home with this environment.
    ///
    /// # Panics
    /// When it does not end or does not come back in time.
    pub async fn restart_with(mut self, env: &[(&str, &str)]) -> Self {
        self.interrupt().await;
        let Self { home, .. } = self;
        Self::start_in(home, env).await
    }

    /// Ends the gateway as Ctrl-C does, and says how it ended.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn interrupt(&mut self) -> Option<i32> {
        self.signal("INT");
        tokio::time::timeout(END, self.up.wait())
            .await
            .expect("gatehouse up ends in time")
            .expect("gatehouse up can be waited for")
            .code()
    }

    /// Starts a gateway that was ended again, and does not wait for it.
    pub fn start_again(&mut self) {
        self.up = spawn(self.home.path(), &[]);
    }

    /// Sends the supervisor a signal.
    pub fn signal(&self, name: &str) {
        if let Some(pid) = self.up.id() {
            signal(pid, name);
        }
    }

    /// Asks one service to end, as an operator does. Returns the process id it had.
    ///
    /// # Panics
    /// When it does not run within the usual deadline.
    pub async fn ask_to_end(&self, service: &str) -> u32 {
        let pid = until(service, async || self.pid(service)).await;
        signal(pid, "TERM");
        pid
    }

    /// Whether everything it is made of is there.
    pub async fn is_ready(&self) -> bool {
        let answer = http::get(&format!("{}/readyz", self.http())).await;
        match answer {
            // Whole: a test that begins while events do not flow yet would miss them.
            Ok(answer) if answer.status().is_success() => {
                let report = answer.text().await.unwrap_or_default();
                report.contains(r#""degraded":[]"#)
            }
            _ => false,
        }
    }

    /// The WebSocket's address. The edge has it again after a crash, unless somebody else took the port meanwhile.
    #[must_use]
    pub fn url(&self) -> String {
        let file = fs::read_to_string(self.path("run/edge.url"));
        file.map_or_else(|_| "ws://127.0.0.1:1".to_owned(), |url| url.trim().to_owned())
    }

    /// The HTTP address of the same port.
    #[must_use]
    pub fn http(&self) -> String {
        self.url().replacen("ws://", "http://", 1)
    }

    /// Where its metrics are, as the supervisor says.
    ///
    /// # Panics
    /// When it serves none.
    #[must_use]
    pub fn metrics_url(&self) -> String {
        let mut supervisor = UnixStream::connect(self.path("run/up.sock")).expect("the supervisor");
        supervisor
            .write_all(b"{\"ask\":\"hello\"}\n")
            .expect("the question");
        let mut line = String::new();
        BufReader::new(supervisor)
            .read_line(&mut line)
            .expect("the answer");
        let answer: Value = serde_json::from_str(&line).expect("JSON");
        answer["metrics"]
            .as_str()
            .expect("metrics that are served")
            .to_owned()
    }

    /// The gateway token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A file or folder in the home.
    #[must_use]
    pub fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        self.home.path().join(inside)
    }

    /// The process id of one service, when it runs.
    #[must_use]
    pub fn pid(&self, service: &str) -> Option<u32> {
        let up = self.up.id()?;
        children(up)
            .into_iter()
            .find(|pid| arguments(*pid).get(1).is_some_and(|word| word == service))
    }

    /// The process ids of the supervisor and all services.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        let up = self.up.id();
        up.into_iter()
            .chain(up.map(children).unwrap_or_default())
            .collect()
    }

    /// The process ids of the accounts that are processes of their own.
    #[must_use]
    pub fn accounts(&self) -> Vec<u32> {
        let mut below = self.pid("channel-bridge").map(children).unwrap_or_default();
        below.retain(|pid| arguments(*pid).get(1).is_some_and(|word| word == "channel"));
        below
    }

    /// Kills one service without warning. Returns the process id it had.
    ///
    /// # Panics
    /// When it does not run within the usual deadline.
    pub async fn kill(&self, service: &str) -> u32 {
        let pid = until(service, async || self.pid(service)).await;
        signal(pid, "KILL");
        pid
    }

    /// Runs a command of the binary in this home.
    ///
    /// # Panics
    /// When it cannot be run.
    pub async fn run(&self, arguments: &[&str]) -> std::process::Output {
        run_in(self.home.path(), arguments).await
    }

    /// Kills the supervisor without warning.
    ///
    /// # Panics
    /// When it has ended already.
    pub async fn kill_supervisor(&mut self) {
        self.up.kill().await.expect("the supervisor runs");
    }
}

/// Runs a command of the binary in a home.
///
/// # Panics
/// When it cannot be run.
pub async fn run_in(home: &Path, arguments: &[&str]) -> std::process::Output {
    let command = AsyncCommand::new(binary())
        .args(arguments)
        .arg("--home")
        .arg(home)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    tokio::time::timeout(Duration::from_secs(60), command)
        .await
        .expect("the command ends within a minute")
        .expect("the gatehouse binary: build it with `cargo build -p gatehouse`")
}

/// Starts `gatehouse up` in a home. Its words go to the test's own output, where a failing test shows them.
fn spawn(home: &Path, env: &[(&str, &str)]) -> Child {
    command(home, env)
        .spawn()
        .expect("the gatehouse binary: build it with `cargo build -p gatehouse`")
}

fn command(home: &Path, env: &[(&str, &str)]) -> AsyncCommand {
    let mut command = AsyncCommand::new(binary());
    command
        .args(["up", "--port", "0", "--home"])
        .arg(home)
        .env("GATEHOUSE_METRICS_LISTEN", "off")
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// The binary under test, as built beside the tests.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("GATEHOUSE_BIN") {
        return named.into();
    }
    // target/<profile>/deps/it-<hash> -> target/<profile>/gatehouse
    let tests = std::env::current_exe().expect("the path of the tests");
    let profile = tests.ancestors().find(|dir| dir.join("gatehouse").is_file());
    profile.map_or_else(|| PathBuf::from("gatehouse"), |dir| dir.join("gatehouse"))
}

/// Whether a process exists and has not ended.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    // The state follows the name, which stands in brackets and may hold anything.
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn children(pid: u32) -> Vec<u32> {
    // A process's children are listed with the thread that made them.
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let listed = threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    listed
        .flat_map(|line| {
            line.split_whitespace()
                .filter_map(|id| id.parse().ok())
                .collect::<Vec<_>>()
        })
        .collect()
}

fn arguments(pid: u32) -> Vec<String> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0)
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

/// Sends a signal, by its name without `SIG`.
pub fn signal(pid: u32, name: &str) {
    // A process that has just ended is no error: the test looks at what follows.
    let _ = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .stderr(Stdio::null())
        .status();
}
