//! Keeps all programs running, and stops them in order: the door first, then the rest, then whoever is left.

use std::{pin::pin, time::Duration};

use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    child::{Fatal, Program, Stop, keep},
    log::Log,
};

/// From the request to stop until whoever is left is killed.
pub(super) const STOP_GRACE: Duration = Duration::from_secs(10);

/// How much of it the door has for itself, so that those behind it still answer what it lets finish.
const DOOR_GRACE: Duration = Duration::from_secs(5);

/// All programs of a house, running.
#[derive(Debug)]
pub(super) struct Supervisor {
    door: Kept,
    rest: Vec<Kept>,
    forced: CancellationToken,
    fatal: mpsc::Receiver<Fatal>,
}

#[derive(Debug)]
struct Kept {
    asked: CancellationToken,
    task: JoinHandle<()>,
}

impl Supervisor {
    /// Starts all programs at once: the services wait for each other, nobody waits here.
    pub(super) fn start(door: Program, rest: Vec<Program>, log: &Log) -> Self {
        let (said, fatal) = mpsc::channel(rest.len() + 1);
        let forced = CancellationToken::new();
        let start = |program: Program| {
            let asked = CancellationToken::new();
            let stop = Stop {
                asked: asked.clone(),
                forced: forced.clone(),
            };
            let task = tokio::spawn(keep(program, log.clone(), stop, said.clone()));
            Kept { asked, task }
        };
        Self {
            door: start(door),
            rest: rest.into_iter().map(start).collect(),
            forced,
            fatal,
        }
    }

    /// Waits until a program says that its configuration is wrong.
    ///
    /// # Cancel safety
    /// Safe: nothing is lost.
    pub(super) async fn fatal(&mut self) -> Fatal {
        match self.fatal.recv().await {
            Some(fatal) => fatal,
            None => std::future::pending().await, // every program was asked to stop
        }
    }

    /// Stops everything within [`STOP_GRACE`], or at once when `impatient` ends. Returns when no process is left.
    pub(super) async fn stop(mut self, impatient: impl Future<Output = ()>) {
        let began = Instant::now();
        let forced = self.forced.clone();
        let all: Vec<_> = std::iter::once(&self.door)
            .chain(&self.rest)
            .map(|kept| kept.asked.clone())
            .collect();
        let ended = async {
            self.door.asked.cancel();
            // A door that hangs must not keep the others from draining.
            let _ = timeout_at(began + DOOR_GRACE, &mut self.door.task).await;
            for kept in &self.rest {
                kept.asked.cancel();
            }
            for kept in &mut self.rest {
                // A task that panicked has dropped its child, which kills it.
                let _ = (&mut kept.task).await;
            }
            if !self.door.task.is_finished() {
                let _ = (&mut self.door.task).await;
            }
        };
        let mut ended = pin!(ended);
        tokio::select! {
            () = &mut ended => return,
            () = sleep_until(began + STOP_GRACE) => {}
            () = impatient => {}
        }
        forced.cancel();
        for asked in all {
            asked.cancel();
        }
        ended.await;
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, process};

    use tokio::{process::Command, time::sleep};

    use super::*;
    use crate::{term::Style, up::child::RESTART_MAX};

    /// A program of our own: a shell script that knows where it may leave traces.
    fn script(name: &'static str, index: usize, home: &Path, text: &str) -> Program {
        let (home, text) = (home.to_owned(), text.to_owned());
        let command = move || {
            let mut command = Command::new("sh");
            command.args(["-c", &text]).current_dir(&home);
            command
        };
        Program {
            name,
            index,
            command: Box::new(command),
            answers: None,
            pause_max: RESTART_MAX,
        }
    }

    /// Lives until its standard input ends, as every service does; says when it came and when it went.
    const OBEDIENT: &str = "echo $$ >> $0.pids; cat > /dev/null; echo went >> $0.pids";

    fn obedient(name: &'static str, index: usize, home: &Path) -> Program {
        let text = OBEDIENT.replace("$0", name);
        script(name, index, home, &text)
    }

    fn quiet() -> Log {
        Log::to(std::io::sink(), Style::plain(), true).0
    }

    fn read(home: &Path, file: &str) -> Vec<String> {
        let text = fs::read_to_string(home.join(file)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    async fn until(what: &str, fits: impl Fn() -> bool) {
        for _ in 0..1_000 {
            if fits() {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("{what}: not within 10 s");
    }

    fn is_alive(pid: &str) -> bool {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| !rest.starts_with('Z'))
    }

    #[tokio::test]
    async fn the_door_goes_first_and_the_rest_after_it() {
        let home = tempfile::tempdir().unwrap();
        let door = script(
            "door",
            0,
            home.path(),
            "cat > /dev/null; sleep 0.3; test -e other.went || touch first",
        );
        let other = script(
            "other",
            1,
            home.path(),
            "touch other.came; cat > /dev/null; touch other.went",
        );
        let supervisor = Supervisor::start(door, vec![other], &quiet());
        until("the other program", || home.path().join("other.came").exists()).await;

        supervisor.stop(std::future::pending()).await;

        assert!(
            home.path().join("first").exists(),
            "the door ended while the other one lived"
        );
        assert!(home.path().join("other.went").exists());
    }

    #[tokio::test]
    async fn a_program_that_crashes_comes_back_and_the_others_stay() {
        let home = tempfile::tempdir().unwrap();
        let supervisor = Supervisor::start(
            obedient("door", 0, home.path()),
            vec![obedient("other", 1, home.path())],
            &quiet(),
        );
        until("both", || {
            read(home.path(), "door.pids").len() + read(home.path(), "other.pids").len() == 2
        })
        .await;
        let first = read(home.path(), "other.pids").remove(0);

        process::Command::new("kill")
            .args(["-9", &first])
            .status()
            .unwrap();
        until("a new process", || read(home.path(), "other.pids").len() == 2).await;

        assert_ne!(read(home.path(), "other.pids")[1], first);
        assert_eq!(read(home.path(), "door.pids").len(), 1, "the door was left alone");
        supervisor.stop(std::future::pending()).await;
        for pid in read(home.path(), "other.pids")
            .iter()
            .chain(&read(home.path(), "door.pids"))
        {
            assert!(pid == "went" || !is_alive(pid), "{pid} is left behind");
        }
    }

    #[tokio::test]
    async fn a_program_that_cannot_live_is_started_with_growing_pauses() {
        let home = tempfile::tempdir().unwrap();
        let dying = script("dying", 1, home.path(), "echo >> dying.starts; exit 1");
        let supervisor = Supervisor::start(obedient("door", 0, home.path()), vec![dying], &quiet());

        sleep(Duration::from_millis(1_200)).await;

        let starts = read(home.path(), "dying.starts").len();
        assert!((3..=5).contains(&starts), "at 0, 100, 300 and 700 ms: {starts}");
        supervisor.stop(std::future::pending()).await;
    }

    #[tokio::test]
    async fn a_wrong_configuration_is_told_with_the_programs_last_word() {
        let home = tempfile::tempdir().unwrap();
        let wrong = script(
            "wrong",
            1,
            home.path(),
            "echo first; echo 'at gateway.port: 0 is no port' >&2; exit 78",
        );
        let mut supervisor = Supervisor::start(obedient("door", 0, home.path()), vec![wrong], &quiet());

        let fatal = supervisor.fatal().await;

        assert_eq!(
            (fatal.name, fatal.last_line.as_str()),
            ("wrong", "at gateway.port: 0 is no port")
        );
        supervisor.stop(std::future::pending()).await;
    }

    #[tokio::test]
    async fn a_program_that_does_not_listen_is_killed_when_patience_ends() {
        let home = tempfile::tempdir().unwrap();
        let deaf = script(
            "deaf",
            1,
            home.path(),
            "echo $$ > deaf.pid; trap '' TERM; while :; do sleep 0.05; done",
        );
        let supervisor = Supervisor::start(obedient("door", 0, home.path()), vec![deaf], &quiet());
        until("the deaf one", || !read(home.path(), "deaf.pid").is_empty()).await;
        let pid = read(home.path(), "deaf.pid").remove(0);

        supervisor.stop(sleep(Duration::from_millis(200))).await;

        assert!(!is_alive(&pid));
    }

    #[tokio::test]
    async fn a_program_that_does_not_exist_does_not_stop_the_others() {
        let home = tempfile::tempdir().unwrap();
        let absent = Program {
            name: "absent",
            index: 1,
            command: Box::new(|| Command::new("/nonexistent/program")),
            answers: None,
            pause_max: RESTART_MAX,
        };
        let supervisor = Supervisor::start(obedient("door", 0, home.path()), vec![absent], &quiet());

        until("the door", || !read(home.path(), "door.pids").is_empty()).await;

        supervisor.stop(std::future::pending()).await;
        assert_eq!(read(home.path(), "door.pids")[1], "went");
    }
}
