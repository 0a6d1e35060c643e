//! Jobs in real processes whose clock is set: an hour forward, an hour back, and a night in which the machine sleeps, with a session service
//! that is killed at a fire time. Each time of the job gets one row, and the model is asked once for each that fired.
//! The clock is libfaketime's; `early.c` says why it takes a second library.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use gatehouse_tests::{Gateway, gateway, http, model::Model, until};
use serde_json::{Value, json};
use tempfile::TempDir;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// The times of the job lie so far apart.
const STEP: i64 = 10 * MINUTE;

/// The file that says how far the clock is from the machine's.
const OFFSET: &str = "offset";

/// The clock on the wall of one gateway's processes. What they measure time with goes on as it does, as it would on a machine.
struct Wall {
    folder: TempDir,
    libraries: String,
}

impl Wall {
    /// `None`: this machine has no libfaketime.
    fn new() -> Option<Self> {
        let faketime = faketime()?;
        let folder = tempfile::tempdir().expect("a folder");
        let early = early(folder.path());
        let libraries = format!("{}:{}", early.display(), faketime.display());
        Some(Self { folder, libraries })
    }

    /// Sets it to a time, in milliseconds since 1970.
    fn set(&self, to_ms: i64) {
        let seconds = (to_ms - machine_ms()).div_euclid(SECOND);
        let next = self.folder.path().join("next");
        fs::write(&next, format!("{seconds:+}\n")).expect("written");
        fs::rename(&next, self.folder.path().join(OFFSET)).expect("in place"); // nobody reads half of it
    }

    /// What makes a process read this clock, in this zone.
    fn env(&self, zone: &str) -> Vec<(&'static str, String)> {
        vec![("LD_PRELOAD", self.libraries.clone()), ("TZ", zone.to_owned())]
    }
}

fn borrowed<'a>(env: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    env.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// Compiles what stands in front of libfaketime.
fn early(folder: &Path) -> PathBuf {
    let library = folder.join("early.so");
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(format!("-DOFFSET_FILE=\"{}\"", folder.join(OFFSET).display()))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("it/clock/early.c"))
        .arg("-ldl")
        .status();
    assert!(status.expect("a C compiler, as the build needs one").success());
    library
}

fn faketime() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut candidates = folders
        .map(|entry| entry.path())
        .chain(["/usr/lib".into(), "/usr/lib64".into()]);
    candidates.find_map(|folder| {
        let library = folder.join("faketime/libfaketimeMT.so.1");
        library.is_file().then_some(library)
    })
}

fn machine_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.expect("after 1970").as_millis()).expect("a time of this age")
}

/// Asks until it is answered: the session service may just have been killed.
pub(crate) async fn ask(gateway: &Gateway, method: &str, params: Value) -> Value {
    until(method, async || {
        let answer = http::client()
            .post(format!("{}/rpc/{method}", gateway.http()))
            .bearer_auth(gateway.token())
            .body(params.to_string())
            .send()
            .await
            .ok()?;
        let status = answer.status();
        let text = answer.text().await.ok()?;
        assert!(!status.is_client_error(), "{method}: {text}");
        status
            .is_success()
            .then(|| serde_json::from_str(&text).expect("JSON"))
    })
    .await
}

fn job(name: &str, schedule: Value) -> Value {
    json!({
        "name": name, "schedule": schedule, "sessionTarget": "isolated", "wakeMode": "now",
        "payload": {"kind": "agentTurn", "message": name}, "delivery": {"mode": "none"},
        "missed": {"policy": "run", "withinMinutes": 30},
    })
}

async fn add(gateway: &Gateway, job: Value) -> String {
    let added = ask(gateway, "cron.add", job).await;
    added["id"].as_str().expect("its id").to_owned()
}

/// What became of each time of a job that is over: the time and the word, in order.
pub(crate) async fn rows(gateway: &Gateway, id: &str) -> Vec<(i64, String)> {
    let told = ask(gateway, "cron.runs", json!({"id": id, "limit": 200})).await;
    assert_ne!(told["hasMore"], json!(true), "{told}");
    let entries = told["entries"].as_array().expect("entries");
    let mut rows: Vec<(i64, String)> = entries
        .iter()
        .map(|run| {
            let at = run["runAtMs"].as_i64().expect("its time");
            (at, run["slotState"].as_str().expect("its word").to_owned())
        })
        .collect();
    rows.sort_unstable();
    rows
}

async fn fires(gateway: &Gateway, id: &str, slot: i64) {
    until("the run of a time", async || {
        let rows = rows(gateway, id).await;
        rows.contains(&(slot, "fired".to_owned())).then_some(())
    })
    .await;
}

/// Runs a job by hand, and comes back when that has ended.
async fn run(gateway: &Gateway, id: &str) {
    let before = rows(gateway, id).await.len();
    ask(gateway, "cron.run", json!({"id": id, "mode": "force"})).await;
    until("a run by hand", async || {
        (rows(gateway, id).await.len() > before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_jumps_and_a_night_that_was_slept_through_give_each_time_of_a_job_one_row() {
    let Some(wall) = Wall::new() else {
        eprintln!("left out: no libfaketime (make prerequisites)");
        return;
    };
    let model = Model::start(1, Duration::ZERO).await;
    // Each time of the job by its number.
    let first = (machine_ms().div_euclid(STEP) + 2) * STEP;
    let slot = |n: i64| first + n * STEP;
    wall.set(slot(0) - MINUTE);
    let berlin = wall.env("Europe/Berlin");
    let gateway = Gateway::start_with(&model.config(&json!({})), &borrowed(&berlin)).await;
    let every = json!({"kind": "cron", "expr": "*/10 * * * *", "tz": "UTC", "staggerMs": 0});
    let id = add(&gateway, job("tick", every)).await;
    let marker = add(
        &gateway,
        job("marker", json!({"kind": "every", "everyMs": 30 * 24 * HOUR})),
    )
    .await;

    // Whatever is run by hand has the scheduler look at the clock.
    wall.set(slot(0) - SECOND);
    run(&gateway, &marker).await;
    fires(&gateway, &id, slot(0)).await;
    // The service that fires dies right at a time.
    wall.set(slot(1) - 2 * SECOND);
    gateway.kill("session").await;
    fires(&gateway, &id, slot(1)).await;
    // An hour forward, and a little more than to a time.
    wall.set(slot(7) + 2 * SECOND);
    run(&gateway, &marker).await;
    fires(&gateway, &id, slot(7)).await;
    let before = rows(&gateway, &id).await;
    // An hour back: the times that come again were decided about.
    wall.set(slot(2) - 2 * SECOND);
    run(&gateway, &marker).await;
    wall.set(slot(2) + 2 * SECOND);
    run(&gateway, &marker).await;
    assert_eq!(rows(&gateway, &id).await, before, "nothing runs a second time");
    // On to the first time that was not.
    wall.set(slot(8) - 2 * SECOND);
    run(&gateway, &marker).await;
    fires(&gateway, &id, slot(8)).await;
    // The machine sleeps for nine hours, five minutes into the last ten.
    let pids = gateway.pids();
    for pid in &pids {
        gateway::signal(*pid, "STOP"); // the supervisor first: it would miss the others
    }
    wall.set(slot(8) + 9 * HOUR + 5 * MINUTE);
    for pid in pids.iter().rev() {
        gateway::signal(*pid, "CONT");
    }
    fires(&gateway, &id, slot(62)).await;

    let found = rows(&gateway, &id).await;
    let due: Vec<(i64, String)> = (0..=62)
        .map(|n| {
            let fired = [0, 1, 7, 8, 62].contains(&n);
            (slot(n), if fired { "fired" } else { "missed" }.to_owned())
        })
        .collect();
    assert_eq!(found, due, "each time has one row");
    assert_eq!(
        model.asked(),
        5 + rows(&gateway, &marker).await.len(),
        "and the model was asked once for each that fired"
    );

    // The machine wakes up somewhere else: a job that names no zone goes by the clock on that wall.
    let local = add(
        &gateway,
        job(
            "local",
            json!({"kind": "cron", "expr": "0 8 * * *", "staggerMs": 0}),
        ),
    )
    .await;
    let next = async |gateway: &Gateway| {
        let told = ask(gateway, "cron.get", json!({"id": local})).await;
        let at = told["nextRunAtMs"].as_i64().expect("it is due");
        jiff::Timestamp::from_millisecond(at).expect("a time")
    };
    let hour = |at: jiff::Timestamp, zone: &str| at.in_tz(zone).expect("a zone").hour();
    assert_eq!(hour(next(&gateway).await, "Europe/Berlin"), 8);
    let york = wall.env("America/New_York");
    let gateway = gateway.restart_with(&borrowed(&york)).await;
    until("the clock on the other wall", async || {
        (hour(next(&gateway).await, "America/New_York") == 8).then_some(())
    })
    .await;
    assert_eq!(
        rows(&gateway, &id).await.len(),
        due.len(),
        "and nothing ran for it"
    );
}
