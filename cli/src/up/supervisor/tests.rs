use std::{fs, path::Path, process};

use tokio::process::Command;

use super::*;
use crate::{
    term::Style,
    up::child::{Kind, RESTART_MAX},
};

/// A program of our own: a shell script that knows where it may leave traces.
fn script(name: &'static str, index: usize, home: &Path, text: &str) -> Program {
    let (home, text) = (home.to_owned(), text.to_owned());
    let command = move || {
        let mut command = Command::new("sh");
        command.args(["-c", &text]).current_dir(&home);
        command
    };
    Program {
        name: name.into(),
        index,
        command: Box::new(command),
        answers: None,
        pause_max: RESTART_MAX,
        kind: Kind::Service,
    }
}

/// Lives until it is asked to end, as every service does; says when it came and when it went.
const OBEDIENT: &str = "echo $$ >> $0.pids; read request; echo went >> $0.pids";

/// Longer than any test.
const PATIENT: [Duration; 2] = [Duration::from_secs(60); 2];

fn start(first: Program, second: Program) -> Supervisor {
    Supervisor::start(vec![vec![first], vec![second]], &quiet())
}

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
async fn a_step_ends_before_the_next_one_is_asked_and_its_programs_are_asked_together() {
    let home = tempfile::tempdir().unwrap();
    let together = |name, index, other: &str| {
        let text = format!(
            "touch {name}.came; read request; touch {name}.asked; until test -e {other}.asked; do sleep 0.01; done; test -e last.asked || touch {name}.first"
        );
        script(name, index, home.path(), &text)
    };
    let last = script(
        "last",
        2,
        home.path(),
        "touch last.came; read request; touch last.asked",
    );
    let steps = vec![
        vec![together("edge", 0, "session"), together("session", 1, "edge")],
        vec![last],
    ];
    let supervisor = Supervisor::start(steps, &quiet());
    until("all programs", || {
        ["edge", "session", "last"]
            .iter()
            .all(|name| home.path().join(format!("{name}.came")).exists())
    })
    .await;

    supervisor.stop(&PATIENT, std::future::pending()).await;

    for trace in ["edge.first", "session.first", "last.asked"] {
        assert!(home.path().join(trace).exists(), "{trace}");
    }
}

#[tokio::test]
async fn a_program_that_hangs_keeps_the_next_step_waiting_for_its_limit_only_and_is_killed_at_the_end() {
    let home = tempfile::tempdir().unwrap();
    let hanging = script(
        "hanging",
        0,
        home.path(),
        "echo $$ > hanging.pid; while :; do sleep 0.05; done",
    );
    let supervisor = start(hanging, obedient("next", 1, home.path()));
    until("both", || {
        !read(home.path(), "hanging.pid").is_empty() && !read(home.path(), "next.pids").is_empty()
    })
    .await;
    let pid = read(home.path(), "hanging.pid").remove(0);

    supervisor
        .stop(&[Duration::from_millis(100); 2], std::future::pending())
        .await;

    assert_eq!(read(home.path(), "next.pids")[1], "went");
    assert!(!is_alive(&pid));
}

#[tokio::test]
async fn whoever_is_needed_by_the_step_before_comes_back_while_it_waits() {
    let home = tempfile::tempdir().unwrap();
    let waiting = script(
        "waiting",
        0,
        home.path(),
        "touch waiting.came; read request; touch asked; until test -e done; do sleep 0.01; done",
    );
    let supervisor = start(waiting, obedient("needed", 1, home.path()));
    until("both", || {
        home.path().join("waiting.came").exists() && !read(home.path(), "needed.pids").is_empty()
    })
    .await;
    let first = read(home.path(), "needed.pids").remove(0);

    let stop = tokio::spawn(async move { supervisor.stop(&PATIENT, std::future::pending()).await });
    until("the request", || home.path().join("asked").exists()).await;
    process::Command::new("kill")
        .args(["-9", &first])
        .status()
        .unwrap();
    until("a new process", || read(home.path(), "needed.pids").len() == 2).await;
    fs::write(home.path().join("done"), "").unwrap();

    stop.await.unwrap();
    assert_eq!(read(home.path(), "needed.pids")[2], "went");
}

#[tokio::test]
async fn a_program_that_crashes_comes_back_and_the_others_stay() {
    let home = tempfile::tempdir().unwrap();
    let supervisor = start(
        obedient("edge", 0, home.path()),
        obedient("other", 1, home.path()),
    );
    until("both", || {
        read(home.path(), "edge.pids").len() + read(home.path(), "other.pids").len() == 2
    })
    .await;
    let first = read(home.path(), "other.pids").remove(0);

    process::Command::new("kill")
        .args(["-9", &first])
        .status()
        .unwrap();
    until("a new process", || read(home.path(), "other.pids").len() == 2).await;

    assert_ne!(read(home.path(), "other.pids")[1], first);
    assert_eq!(read(home.path(), "edge.pids").len(), 1, "the edge was left alone");
    supervisor.stop(&PATIENT, std::future::pending()).await;
    for pid in read(home.path(), "other.pids")
        .iter()
        .chain(&read(home.path(), "edge.pids"))
    {
        assert!(pid == "went" || !is_alive(pid), "{pid} is left behind");
    }
}

#[tokio::test]
async fn a_program_is_started_again_on_request_after_it_went_by_itself() {
    let home = tempfile::tempdir().unwrap();
    let supervisor = start(
        obedient("edge", 0, home.path()),
        obedient("other", 1, home.path()),
    );
    until("both", || {
        read(home.path(), "edge.pids").len() + read(home.path(), "other.pids").len() == 2
    })
    .await;

    let restarts = supervisor.restarts();
    let unknown = restarts.restart("nobody").await;
    restarts.restart("other").await.unwrap();
    until("a new process", || read(home.path(), "other.pids").len() == 3).await;

    assert!(unknown.is_err_and(|why| why.contains("nobody")));
    assert_eq!(
        read(home.path(), "other.pids")[1],
        "went",
        "it was asked, not killed"
    );
    assert_eq!(read(home.path(), "edge.pids").len(), 1, "the edge was left alone");
    supervisor.stop(&PATIENT, std::future::pending()).await;
}

#[tokio::test]
async fn a_program_that_cannot_live_is_started_with_growing_pauses() {
    let home = tempfile::tempdir().unwrap();
    let dying = script("dying", 1, home.path(), "echo >> dying.starts; exit 1");
    let supervisor = start(obedient("edge", 0, home.path()), dying);

    sleep(Duration::from_millis(1_200)).await;

    let starts = read(home.path(), "dying.starts").len();
    assert!((3..=5).contains(&starts), "at 0, 100, 300 and 700 ms: {starts}");
    supervisor.stop(&PATIENT, std::future::pending()).await;
}

/// What a log was told, line by line.
#[derive(Clone, Default)]
struct Told(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Told {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Told {
    fn count(&self, part: &str) -> usize {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(part)).count()
    }
}

#[tokio::test]
async fn what_a_service_says_each_time_it_ends_is_told_once_and_another_reason_again() {
    let (home, told) = (tempfile::tempdir().unwrap(), Told::default());
    let text = "echo >> dying.starts; echo 'looks at it' >&2; echo \"gatehouse: $(cat reason) is damaged: restore it\" >&2; exit 1";
    let dying = script("dying", 0, home.path(), text);
    fs::write(home.path().join("reason"), "one.db").unwrap();
    let (log, _writer) = Log::to(told.clone(), Style::plain(), true);
    let supervisor = Supervisor::start(vec![vec![dying]], &log);
    let mut restarts = supervisor.restarts();
    let starts = || read(home.path(), "dying.starts").len();
    until("some ends", || starts() >= 4).await;

    for once in [
        "one.db is damaged: restore it",
        "dying ended with exit status: 1; starting it again",
        "dying ends so each time",
    ] {
        assert_eq!(told.count(once), 1, "{once}");
    }
    fs::write(home.path().join("reason"), "two.db").unwrap();
    until("another reason", || told.count("two.db is damaged") == 1).await;
    while !restarts.failing().iter().any(|one| one.told().contains("two.db")) {
        restarts.change().await;
    }
    supervisor.stop(&PATIENT, std::future::pending()).await;
}

#[tokio::test]
async fn a_wrong_configuration_is_told_with_the_programs_last_word() {
    let home = tempfile::tempdir().unwrap();
    let wrong = script(
        "wrong",
        1,
        home.path(),
        "echo first; echo 'at gateway.port: 0 is not a port' >&2; exit 78",
    );
    let mut supervisor = start(obedient("edge", 0, home.path()), wrong);

    let fatal = supervisor.fatal().await;

    assert_eq!(
        (&*fatal.name, fatal.last_line.as_str()),
        ("wrong", "at gateway.port: 0 is not a port")
    );
    supervisor.stop(&PATIENT, std::future::pending()).await;
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
    let supervisor = start(obedient("edge", 0, home.path()), deaf);
    until("the deaf one", || !read(home.path(), "deaf.pid").is_empty()).await;
    let pid = read(home.path(), "deaf.pid").remove(0);

    supervisor.stop(&PATIENT, sleep(Duration::from_millis(200))).await;

    assert!(!is_alive(&pid));
}

#[tokio::test]
async fn a_program_that_does_not_exist_does_not_stop_the_others() {
    let home = tempfile::tempdir().unwrap();
    let absent = Program {
        name: "absent".into(),
        index: 1,
        command: Box::new(|| Command::new("/nonexistent/program")),
        answers: None,
        pause_max: RESTART_MAX,
        kind: Kind::Service,
    };
    let supervisor = start(obedient("edge", 0, home.path()), absent);

    until("the edge", || !read(home.path(), "edge.pids").is_empty()).await;

    supervisor.stop(&PATIENT, std::future::pending()).await;
    assert_eq!(read(home.path(), "edge.pids")[1], "went");
}
