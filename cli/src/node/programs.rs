//! Programs: which there are, and running those that are allowed.

use std::{
    collections::BTreeSet,
    env,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    time::timeout,
};

use super::refused::{Refused, words};
use crate::exit::{Exit, Failed};

/// What is kept of each output: a page that a person or a model reads. The rest is read and dropped, so that nothing waits.
const OUTPUT_BYTES_MAX: usize = 256 * 1024;
/// How long a program may run when nobody says.
const RUN_DEFAULT: Duration = Duration::from_secs(30);
/// The longest: that of an invocation.
const RUN_MAX: Duration = Duration::from_secs(3_600);
/// Arguments and names at most: more than any sensible call has.
const WORDS_MAX: usize = 256;

/// What may be run.
#[derive(Debug, Default)]
pub(crate) struct Programs {
    /// Whole paths without links.
    allowed: BTreeSet<PathBuf>,
    notify: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Which {
    bins: Vec<String>,
}

/// What is asked for. `rawCommand`, `agentId` and `sessionKey` are labels; a working folder and an environment are refused where
/// they say anything, because an allowed program may mean something else with them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    command: Vec<String>,
    timeout_ms: Option<u64>,
    cwd: Option<Value>,
    env: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Notify {
    #[serde(default)]
    title: String,
    #[serde(default)]
    body: String,
}

impl Programs {
    pub(crate) fn allow(programs: &[PathBuf], notify: Option<&Path>) -> Result<Self, Failed> {
        let whole = |path: &Path| {
            let found = path
                .canonicalize()
                .ok()
                .filter(|found| path.is_absolute() && is_program(found));
            found.ok_or_else(|| {
                Failed::new(Exit::Usage, format!("{} is not a program", path.display()))
                    .next("name it by its whole path, for example /usr/bin/uptime")
            })
        };
        Ok(Self {
            allowed: programs
                .iter()
                .map(|path| whole(path))
                .collect::<Result<_, _>>()?,
            notify: notify.map(whole).transpose()?,
        })
    }

    pub(crate) fn runs_any(&self) -> bool {
        !self.allowed.is_empty()
    }

    pub(crate) fn notifies(&self) -> bool {
        self.notify.is_some()
    }

    /// Which of these programs there are, and where.
    pub(crate) fn which(&self, params: Value) -> Result<Value, Refused> {
        let Which { bins } = serde_json::from_value(params).map_err(Refused::params)?;
        let found = bins.into_iter().take(WORDS_MAX).filter_map(|name| {
            let path = find(&name)?;
            Some((name, Value::from(path.to_string_lossy().into_owned())))
        });
        Ok(json!({ "bins": found.collect::<serde_json::Map<_, _>>() }))
    }

    /// Runs a program that is allowed.
    pub(crate) async fn run(&self, params: Value, within: Duration) -> Result<Value, Refused> {
        let asked: Run = serde_json::from_value(params).map_err(Refused::params)?;
        let says = |value: &Option<Value>| {
            value
                .as_ref()
                .is_some_and(|value| !value.is_null() && value.as_object().is_none_or(|env| !env.is_empty()))
        };
        if says(&asked.cwd) || says(&asked.env) {
            return Err(Refused::new(
                "INVALID_PARAMS",
                "this node takes neither cwd nor env",
            ));
        }
        let Some((program, arguments)) = asked
            .command
            .split_first()
            .filter(|_| asked.command.len() <= WORDS_MAX)
        else {
            return Err(Refused::new(
                "INVALID_PARAMS",
                format!("command: 1 to {WORDS_MAX} words"),
            ));
        };
        let found = find(program).filter(|found| self.allowed.contains(found));
        let program = found.ok_or_else(|| {
            Refused::new(
                "SYSTEM_RUN_DENIED",
                format!(
                    "{program} is not allowed on this node; it is with `gatehouse node run --allow PROGRAM`"
                ),
            )
        })?;
        let limit = asked.timeout_ms.map_or(RUN_DEFAULT, Duration::from_millis);
        run(&program, arguments, limit.min(within).min(RUN_MAX)).await
    }

    /// Shows somebody something.
    pub(crate) async fn notify(&self, params: Value) -> Result<Value, Refused> {
        let Notify { title, body } = serde_json::from_value(params).map_err(Refused::params)?;
        let Some(program) = &self.notify else {
            return Err(Refused::new("UNAVAILABLE", "this node shows no notifications"));
        };
        // A title that looks like an option must not become one.
        let words = ["--".to_owned(), title, body];
        let done = run(program, &words, RUN_DEFAULT).await?;
        if done.get("success").and_then(Value::as_bool) == Some(true) {
            return Ok(json!({"ok": true}));
        }
        let why = done.get("stderr").and_then(Value::as_str).unwrap_or_default();
        Err(Refused::new(
            "NOTIFY_FAILED",
            format!("{} failed: {why}", program.display()),
        ))
    }
}

/// Where a program is: its whole path without links. A name is looked up as a shell would.
fn find(name: &str) -> Option<PathBuf> {
    let whole = |path: PathBuf| path.canonicalize().ok().filter(|path| is_program(path));
    if name.contains('/') {
        return Some(PathBuf::from(name))
            .filter(|path| path.is_absolute())
            .and_then(whole);
    }
    if name.is_empty() {
        return None;
    }
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .find_map(|folder| whole(folder.join(name)))
}

fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

/// Ends a program with all that it began.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

async fn run(program: &Path, arguments: &[String], limit: Duration) -> Result<Value, Refused> {
    let failed = |error: &std::io::Error| {
        Refused::new("RUN_FAILED", format!("{}: {}", program.display(), words(error)))
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .current_dir("/")
        // The token of this node is nothing for whoever it runs.
        .env_remove("GATEHOUSE_TOKEN")
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(&error))?;
    // Whatever happens to the invocation, nothing of it is left running.
    let group = Group(
        child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .map(Pid::from_raw),
    );
    let ran = timeout(limit, finish(&mut child)).await;
    drop(group);
    let (code, timed_out, out, err) = match ran {
        Ok(Ok((status, out, err))) => (status.code(), false, out, err),
        Ok(Err(error)) => return Err(failed(&error)),
        Err(_) => (None, true, Kept::default(), Kept::default()),
    };
    Ok(json!({
        "exitCode": code, "timedOut": timed_out, "success": code == Some(0),
        "stdout": out.text(), "stderr": err.text(), "truncated": out.cut || err.cut,
        "error": timed_out.then(|| format!("did not end within {} ms", limit.as_millis())),
    }))
}

async fn finish(child: &mut Child) -> std::io::Result<(std::process::ExitStatus, Kept, Kept)> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (out, err, status) = tokio::join!(keep(out), keep(err), child.wait());
    Ok((status?, out?, err?))
}

/// The beginning of an output.
#[derive(Debug, Default)]
struct Kept {
    bytes: Vec<u8>,
    cut: bool,
}

impl Kept {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

async fn keep(output: Option<impl AsyncRead + Unpin>) -> std::io::Result<Kept> {
    let mut kept = Kept::default();
    let Some(mut output) = output else { return Ok(kept) };
    let mut piece = vec![0; 16 * 1024];
    loop {
        let read = output.read(&mut piece).await?;
        if read == 0 {
            return Ok(kept);
        }
        let room = OUTPUT_BYTES_MAX - kept.bytes.len();
        kept.bytes
            .extend_from_slice(piece.get(..read.min(room)).unwrap_or_default());
        kept.cut |= read > room;
    }
}

#[cfg(test)]
mod tests;
