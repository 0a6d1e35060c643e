//! `gatehouse up -d`: a gateway that outlives the terminal it was started from. A process of its own in a session of its own, which
//! writes its log into the home; we wait until it is ready, and tell what it says when it cannot start.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use gatehouse_core::{Home, private};
use serde_json::json;
use tokio::{
    signal::ctrl_c,
    time::{Instant, sleep},
};

use super::{banner, control_ui, lock, log_file};
use crate::{
    args::{Common, Up},
    control::{self, Answer, Ask, Failing},
    exit::{Exit, Failed},
    gateway::TOKEN_FILE,
    output,
    service::environment,
    term::Style,
};

/// How often it is asked. A start takes about half a second.
const PAUSE: Duration = Duration::from_millis(50);

/// How long a start is waited for. A large database is migrated before anything is served, and goes on without us.
const READY: Duration = Duration::from_secs(120);

/// A service that ended and is not back by then is told: a disk without room, or a damaged file. The start goes on, as it may be mended.
const PATIENT: Duration = Duration::from_secs(3);

/// In the folder of logs: what a start says before it has a log.
const LAST_WORDS: &str = "start.err";

/// The most of them that is read.
const LAST_WORDS_BYTES_MAX: usize = 64 * 1024;

/// Makes this process one that no terminal ends.
pub(super) fn leave_the_terminal() {
    // It fails for the leader of a group: then whoever made us one has done the same already.
    let _ = nix::unistd::setsid();
}

/// Starts a gateway and waits until it is ready.
pub(super) async fn start(common: &Common, up: &Up, style: Style) -> Result<(), Failed> {
    let began = Instant::now();
    let home = Home::read(&environment(common));
    if control::is_alive(&home.run) {
        return Err(lock::held(&home.path));
    }
    let (mut child, words) = spawn(&home, up)?;
    let mut told = BTreeSet::new();
    let answer = loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(said(&words, status.code()));
        }
        let asked = control::ask(&home.run, &Ask::Hello, None);
        // Another one may have been faster: then ours is about to say so.
        match asked {
            Ok(asked) if asked.answer.pid == child.id() && asked.answer.url.is_some() => break asked.answer,
            Ok(asked) if began.elapsed() > PATIENT => tell_failing(asked.answer.failing, &mut told),
            _ => {}
        }
        if began.elapsed() > READY {
            return Err(Failed::new(
                Exit::Unavailable,
                format!(
                    "the gateway is not ready after {} s and goes on starting",
                    READY.as_secs()
                ),
            )
            .next("`gatehouse logs` says what it waits for; `gatehouse stop` ends it"));
        }
        tokio::select! {
            () = sleep(PAUSE) => {}
            _ = ctrl_c() => {
                let _ = child.kill(); // nobody uses it yet, and no process of it outlives it
                let _ = child.wait();
                return Err(Failed::new(Exit::Interrupted, "stopped before the gateway was ready"));
            }
        }
    };
    let _ = fs::remove_file(words);
    tell(common, &home.path, &answer, began.elapsed(), style)
}

fn spawn(home: &Home, up: &Up) -> Result<(std::process::Child, PathBuf), Failed> {
    let failed =
        |step: &str, error: std::io::Error| Failed::new(Exit::Failed, format!("cannot {step}: {error}"));
    let folder = home.path.join(log_file::FOLDER);
    private::create_folder(&folder).map_err(|error| {
        failed(&format!("make {}", folder.display()), error).next("choose another folder with --home DIR")
    })?;
    let path = folder.join(LAST_WORDS);
    let _ = fs::remove_file(&path);
    let words = private::create_new(&path, &[]);
    let words = words.map_err(|error| failed(&format!("write {}", path.display()), error))?;
    let both = |words: &File| words.try_clone().map(Stdio::from);
    let program = crate::program::path().map_err(|error| failed("find our own program", error))?;
    // It is found from everywhere, and the next working directory may be another one.
    let absolute = std::path::absolute(&home.path).unwrap_or_else(|_| home.path.clone());
    let mut command = Command::new(program);
    command
        .args(["up", "--detached", "--json", "--home"])
        .arg(absolute);
    if let Some(port) = up.port {
        command.args(["--port", &port.to_string()]);
    }
    if let Some(bind) = up.bind {
        command.args(["--bind", &bind.to_string()]);
    }
    if let Some(root) = &up.control_ui {
        // The next working directory may be another one.
        let whole = (root.as_os_str() != control_ui::AUTO)
            .then(|| std::path::absolute(root).ok())
            .flatten();
        command.arg("--control-ui").arg(whole.as_ref().unwrap_or(root));
    }
    if let Some(metrics) = up.metrics {
        command.args(["--metrics", &metrics.to_string()]);
    }
    if let Some(format) = &up.log_format {
        command.args(["--log-format", format]);
    }
    let child = both(&words).and_then(|output| {
        let errors = both(&words)?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn()
    });
    Ok((child.map_err(|error| failed("start the gateway", error))?, path))
}

/// Says why services end instead of starting, each reason once.
fn tell_failing(failing: Vec<Failing>, told: &mut BTreeSet<(String, String)>) {
    for one in failing {
        let text = format!("{} does not start: {}", one.service, one.told());
        if told.insert((one.service, one.last_line)) {
            output::remark(&text);
        }
    }
}

/// Why it ended.
fn said(words: &Path, code: Option<i32>) -> Failed {
    let text = fs::read(words).unwrap_or_default();
    let text = String::from_utf8_lossy(text.get(..LAST_WORDS_BYTES_MAX).unwrap_or(&text)).into_owned();
    let _ = fs::remove_file(words);
    let told = text.lines().rev().find_map(Failed::from_json);
    told.unwrap_or_else(|| {
        let code = code.map_or_else(|| "a signal".to_owned(), |code| format!("code {code}"));
        Failed::of_lines(
            Exit::Failed,
            &format!(
                "the gateway ended with {code} before it was ready\n{}",
                text.trim_end()
            ),
        )
    })
}

fn tell(common: &Common, home: &Path, answer: &Answer, took: Duration, style: Style) -> Result<(), Failed> {
    let url = answer.url.as_deref().unwrap_or_default();
    if common.json {
        return output::line(
            &json!({"url": url, "others": answer.others, "page": answer.page, "home": home, "pid": answer.pid, "log": answer.log})
                .to_string(),
        );
    }
    output::text(&banner::banner(
        &banner::Addresses {
            url,
            others: answer.others.as_deref(),
            page: answer.page.as_deref(),
            metrics: answer.metrics.as_deref(),
            has_token_file: home.join(TOKEN_FILE).is_file(),
        },
        home,
        banner::Shown::of(common, true),
        took,
        style,
    ))
}
