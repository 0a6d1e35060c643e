//! Keeps one program running: starts it, passes its output on, starts it again with growing pauses when it ends.

use std::{borrow::Cow, future::Future, pin::Pin, process::Stdio, sync::Arc, time::Duration};

use gatehouse_core::{Clock, drain, telemetry::escape};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::{AsyncRead, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, Command},
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    lines::next_line,
    log::Log,
    watchdog::{Timing, hangs},
};
use crate::{control::Failing, exit::Exit};

/// The first pause before a program is started again.
const RESTART_FIRST: Duration = Duration::from_millis(100);

/// The longest pause: a program that cannot start costs nothing, and is back soon after its cause is gone.
pub(super) const RESTART_MAX: Duration = Duration::from_secs(10);

/// The same for the edge: while it is away nobody is told anything.
pub(super) const RESTART_MAX_EDGE: Duration = Duration::from_millis(400);

/// A program that lived so long is healthy: the next pause is the first one again.
const HEALTHY_AFTER: Duration = Duration::from_secs(30);

/// How long a program that is to be started again may take to end: the longest that answers under way may go on. It keeps the bound
/// that is configured itself, and one that hangs is noticed before.
const AGAIN_MAX: Duration = drain::plan::ANSWERS_MAX.saturating_add(drain::plan::FIRST);

/// How long somebody else's program may take to end.
const OTHERS_END: Duration = Duration::from_secs(5);

/// How long the rest of a dead program's output is waited for. A grandchild may hold the pipe open for ever.
const OUTPUT_AFTER_END: Duration = Duration::from_millis(500);

/// Something to keep running.
pub(super) struct Program {
    /// The name in the log.
    pub(super) name: Cow<'static, str>,
    /// Its number, which chooses the colour.
    pub(super) index: usize,
    /// Makes the command. Pipes and the process group are ours to set.
    pub(super) command: Box<dyn Fn() -> Command + Send + Sync>,
    /// Whether it answers now. Unset: nobody asks.
    pub(super) answers: Option<Probe>,
    /// The longest pause before it is started again.
    pub(super) pause_max: Duration,
    /// Whose it is.
    pub(super) kind: Kind,
}

/// Whose program it is, and so how it is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One of the gateway's services: a line on its standard input, and an exit code that says that the configuration is wrong.
    Service,
    /// Somebody else's: SIGTERM to all that it started, and SIGKILL when it takes longer than [`OTHERS_END`]. Whatever its exit code
    /// means, it does not end the gateway.
    Other,
}

/// Asks a program whether it answers.
pub(super) type Probe = Box<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// A program said that its configuration is wrong: nothing that we can do by starting it again.
#[derive(Debug)]
pub(super) struct Fatal {
    /// The program.
    pub(super) name: Cow<'static, str>,
    /// Its last line, which says why.
    pub(super) last_line: String,
}

/// When a program is asked to end, and when it is made to.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    /// Asked: a line on its standard input, which every service takes as the request to drain.
    pub(super) asked: CancellationToken,
    /// Made to.
    pub(super) forced: CancellationToken,
    /// To be followed by a new process.
    pub(super) again: Arc<Notify>,
    /// Counts the processes that were started.
    pub(super) lives: watch::Sender<u64>,
    /// How the last one ended, unless it was asked to.
    pub(super) failing: watch::Sender<Option<Failing>>,
}

/// What a service that ends by itself begins its last line with: why, and what to do.
const REASON: &str = "gatehouse: ";

/// Keeps `program` running until it is asked to stop. Returns when the process is gone.
pub(super) async fn supervise(program: Program, log: Log, stop: Stop, fatal: mpsc::Sender<Fatal>) {
    let mut pause = RESTART_FIRST;
    let mut repeats = Repeats::default();
    while !stop.asked.is_cancelled() {
        let born = Instant::now();
        let ended = match start(&program) {
            Ok(child) => {
                stop.lives.send_modify(|lives| *lives += 1);
                run_to_end(child, &program, &log, &stop, repeats.known()).await
            }
            Err(error) => End::Crashed(format!("cannot be started: {error}"), String::new()),
        };
        let (why, last_line) = match ended {
            End::Stopped => return,
            End::Again => {
                stop.failing.send_replace(None);
                pause = RESTART_FIRST;
                repeats = Repeats::default();
                continue;
            }
            End::Misconfigured(last_line) => {
                // The queue has room for one message of each program.
                let _ = fatal.try_send(Fatal {
                    name: program.name.clone(),
                    last_line,
                });
                return;
            }
            End::Crashed(why, last_line) => {
                stop.failing.send_replace(Some(Failing {
                    service: program.name.to_string(),
                    why: why.clone(),
                    last_line: last_line.clone(),
                    ended_ms: Clock::system().now_ms(),
                }));
                (why, last_line)
            }
        };
        if born.elapsed() >= HEALTHY_AFTER {
            pause = RESTART_FIRST;
            repeats = Repeats::default();
        }
        let (name, within) = (&program.name, program.pause_max.as_secs_f32());
        match repeats.count(program.kind, &why, last_line) {
            0 => log.own(&format!("{name} {why}; starting it again in {} ms", pause.as_millis())),
            1 => log.own(&format!(
                "{name} ends so each time: it is tried again, at most every {within} s, until that is mended; it is not told again, and \
                 `gatehouse status` has it"
            )),
            _ => {}
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.again.notified() => {}
            () = stop.asked.cancelled() => return,
        }
        pause = (pause * 2).min(program.pause_max);
    }
}

/// Ends that are as the one before: a file that is damaged would fill the log with one sentence.
#[derive(Debug, Default)]
struct Repeats {
    /// How it ended, and what it said.
    last: Option<(String, String)>,
    count: u32,
}

impl Repeats {
    /// The reason that was told.
    fn known(&self) -> Option<&str> {
        self.last.as_ref().map(|(_, said)| said.as_str())
    }

    /// How many ends in a row were like this one. Only a service that says why it ends is known by that.
    fn count(&mut self, kind: Kind, why: &str, said: String) -> u32 {
        let ended = (why.to_owned(), said);
        let has_reason = kind == Kind::Service && ended.1.starts_with(REASON);
        self.count = match &self.last {
            Some(last) if *last == ended => self.count.saturating_add(1),
            Some(_) | None => 0,
        };
        self.last = has_reason.then_some(ended);
        self.count
    }
}

enum End {
    /// By request.
    Stopped,
    /// By request, to be started again.
    Again,
    /// With the exit code for a wrong configuration.
    Misconfigured(String),
    /// Otherwise: how, and what it said last.
    Crashed(String, String),
}

fn start(program: &Program) -> std::io::Result<Child> {
    let mut command = (program.command)();
    command
        .stdin(Stdio::piped()) // its end tells the program that we are gone, however we went
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0) // Ctrl-C reaches us alone, so that the order of stopping is ours
        .kill_on_drop(true)
        .spawn()
}

/// `known`: a line that was passed on already when the one before ended by it.
async fn run_to_end(mut child: Child, program: &Program, log: &Log, stop: &Stop, known: Option<&str>) -> End {
    let outputs = [
        child
            .stdout
            .take()
            .map(|output| pass_on(output, program, log, known)),
        child
            .stderr
            .take()
            .map(|output| pass_on(output, program, log, known)),
    ];
    // Taken out of the child, because waiting for a child closes the standard input that it still has.
    let mut input = child.stdin.take();
    let group = Group::of(&child, program.kind);
    let status = tokio::select! {
        status = child.wait() => status,
        silent = unresponsive(program) => {
            // It may have ended between the two; a process that hangs does not drain.
            let _ = child.kill().await;
            let last_line = last_words(outputs).await;
            let why = format!("has not answered for {} s and was killed", silent.as_secs());
            return End::Crashed(why, last_line);
        }
        () = stop.again.notified() => {
            log.own(&format!("{} is started again, as was asked", program.name));
            request(&mut input, &group).await;
            let in_time = tokio::select! {
                status = child.wait() => { drop(status); true }
                _ = unresponsive(program) => false,
                () = sleep(AGAIN_MAX) => false,
                () = group.over_time() => false,
                () = stop.forced.cancelled() => false,
            };
            if !in_time {
                log.own(&format!("{} does not end: killed", program.name));
                let _ = child.kill().await;
            }
            last_words(outputs).await;
            return End::Again;
        }
        () = stop.asked.cancelled() => {
            request(&mut input, &group).await;
            let late = async {
                tokio::select! {
                    () = stop.forced.cancelled() => {}
                    () = group.over_time() => {}
                }
            };
            tokio::select! {
                status = child.wait() => drop(status),
                () = late => {
                    log.own(&format!("{} does not end: killed", program.name));
                    // It may have ended between the two.
                    let _ = child.kill().await;
                }
            }
            last_words(outputs).await;
            return End::Stopped;
        }
    };
    let last_line = last_words(outputs).await;
    match status {
        Ok(status)
            if program.kind == Kind::Service
                && status.code() == Some(i32::from(Exit::Configuration.code())) =>
        {
            End::Misconfigured(last_line)
        }
        Ok(status) => End::Crashed(format!("ended with {status}"), last_line),
        Err(error) => End::Crashed(format!("cannot be waited for: {error}"), last_line),
    }
}

/// Asks a program to end by a line: the end of its input would say that we are gone, and that it has to go at once.
async fn request(input: &mut Option<ChildStdin>, group: &Group) {
    if let Some(leader) = group.0 {
        let _ = killpg(leader, Signal::SIGTERM); // it may have ended just now
    } else if let Some(input) = input {
        let _ = input.write_all(drain::REQUEST).await; // it may have ended just now
    }
}

/// Somebody else's program and all that it started: what is left of it is killed when this is dropped.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child, kind: Kind) -> Self {
        let leader = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .map(Pid::from_raw);
        Self(leader.filter(|_| kind == Kind::Other))
    }

    /// Waits until it has taken too long to end. A service has a bound of its own.
    async fn over_time(&self) {
        match self.0 {
            Some(_) => sleep(OTHERS_END).await,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            let _ = killpg(leader, Signal::SIGKILL);
        }
    }
}

/// How long a program has been silent, once that is too long.
async fn unresponsive(program: &Program) -> Duration {
    match &program.answers {
        Some(answers) => hangs(Timing::default(), answers).await,
        None => std::future::pending().await,
    }
}

/// Passes an output on line by line. The task's result is the last line.
fn pass_on(
    output: impl AsyncRead + Send + Unpin + 'static,
    program: &Program,
    log: &Log,
    known: Option<&str>,
) -> JoinHandle<String> {
    let (index, name, log) = (program.index, program.name.clone(), log.clone());
    let known = known.map(str::to_owned);
    tokio::spawn(async move {
        let mut reader = BufReader::new(output);
        let mut last = String::new();
        while let Some(line) = next_line(&mut reader).await {
            let shown = escape(&line);
            if known.as_deref() != Some(&*shown) {
                log.service(index, &name, &line);
            }
            if !line.trim().is_empty() {
                last = shown.into_owned();
            }
        }
        last
    })
}

async fn last_words(outputs: [Option<JoinHandle<String>>; 2]) -> String {
    let deadline = Instant::now() + OUTPUT_AFTER_END;
    let mut last = String::new();
    for mut output in outputs.into_iter().flatten() {
        match timeout_at(deadline, &mut output).await {
            Ok(Ok(line)) if !line.is_empty() => last = line,
            Ok(_) => {}
            Err(_) => output.abort(),
        }
    }
    last
}
