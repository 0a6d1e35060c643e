//! The jobs of an OpenClaw gateway. They are in its database (`state/openclaw.sqlite`), each as the JSON that its `cron.add` took: what
//! this gateway's `cron.add` takes of it is kept, the rest is named.

mod time;

use std::path::Path as FilePath;

use gatehouse_contract::{Map, Refuse};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Map as Object, Value, json};

use super::notes::{Fate, Noted, Notes};
use crate::path::Path;

/// Jobs that are read: as many as a gateway has at most.
const JOBS_MAX: usize = 10_000;

/// What `cron.add` takes.
const KEYS: &[&str] = &[
    "name",
    "displayName",
    "agentId",
    "sessionKey",
    "description",
    "enabled",
    "deleteAfterRun",
    "schedule",
    "sessionTarget",
    "wakeMode",
    "payload",
    "delivery",
    "failureAlert",
];

/// What the store of a gateway notes of its own.
const OWN: &[&str] = &["id", "state", "createdAtMs", "updatedAtMs"];

/// The jobs of a database.
#[derive(Debug)]
pub struct Jobs {
    /// The parameters of `cron.add`, each a job.
    pub jobs: Vec<Value>,
    /// What is not in them.
    pub noted: Vec<Noted>,
}

/// Reads the jobs. Nothing is written.
///
/// # Errors
/// In words, when there are none to be read.
pub fn jobs(database: &FilePath) -> Result<Jobs, String> {
    let failed = |error: rusqlite::Error| format!("cannot read the jobs of {}: {error}", database.display());
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags).map_err(failed)?;
    let mut rows = connection
        .prepare("SELECT job_id, name, enabled, job_json FROM cron_jobs ORDER BY sort_order, job_id LIMIT ?1")
        .map_err(failed)?;
    let bound = i64::try_from(JOBS_MAX).unwrap_or(i64::MAX);
    let rows = rows
        .query_map([bound], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, bool>(2)?,
                row.get::<_, String>(3)?,
            ))
        })
        .map_err(failed)?;
    let mut notes = Notes::default();
    let mut jobs = Vec::new();
    for row in rows {
        let (id, name, enabled, text) = row.map_err(failed)?;
        let place = Path::of(["cron_jobs", &id]);
        let Ok(Value::Object(mut job)) = serde_json::from_str(&text) else {
            notes.add(&place, Fate::Decision, "is not an object: add it by hand");
            continue;
        };
        // The columns are what that gateway goes by.
        job.insert("name".to_owned(), Value::from(name));
        job.insert("enabled".to_owned(), Value::from(enabled));
        match taken(job, &place, &mut notes) {
            Ok(job) => jobs.push(job),
            Err(why) => notes.add(&place, Fate::Decision, why),
        }
    }
    Ok(Jobs {
        jobs,
        noted: notes.all(),
    })
}

/// What of a job `cron.add` takes, or why it does not take it.
fn taken(job: Object<String, Value>, place: &Path, notes: &mut Notes) -> Result<Value, String> {
    let mut kept = Object::new();
    for (key, value) in job {
        if KEYS.contains(&key.as_str()) && !value.is_null() {
            kept.insert(key, value);
        } else if !OWN.contains(&key.as_str()) && !value.is_null() {
            notes.add(
                &place.key(&key),
                Fate::NoCounterpart,
                "a job has nothing of the kind here",
            );
        }
    }
    let kind = |part: &str| {
        kept.get(part)
            .and_then(|part| part["kind"].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    let (schedule, payload) = (kind("schedule"), kind("payload"));
    if !matches!(schedule.as_str(), "at" | "every" | "cron") {
        return Err(format!(
            "a schedule of the kind {schedule:?} is not offered: at, every and cron are"
        ));
    }
    if !matches!(payload.as_str(), "systemEvent" | "agentTurn") {
        return Err(format!(
            "work of the kind {payload:?} is not offered: systemEvent and agentTurn are"
        ));
    }
    let target = if payload == "systemEvent" {
        "main"
    } else {
        "isolated"
    };
    let enabled = kept.get("enabled") != Some(&Value::Bool(false));
    if let Some(schedule) = kept.get_mut("schedule") {
        time::check(
            schedule,
            enabled,
            jiff::Timestamp::now(),
            &place.key("schedule"),
            notes,
        )?;
    }
    alert(&mut kept, place, notes);
    kept.entry("sessionTarget").or_insert_with(|| json!(target));
    kept.entry("wakeMode").or_insert_with(|| json!("now"));
    let job = Value::Object(kept);
    let method = Map::core().method("cron.add").ok_or("this gateway has no jobs")?;
    let wire = method.request.encode(&job.to_string(), &mut Refuse);
    wire.map_err(|error| format!("is not taken as it is: {error}"))?;
    Ok(job)
}

/// Nobody is told before something failed.
fn alert(job: &mut Object<String, Value>, place: &Path, notes: &mut Notes) {
    let after = job
        .get_mut("failureAlert")
        .and_then(|alert| alert.get_mut("after"));
    if let Some(after) = after.filter(|after| after.as_f64() == Some(0.0)) {
        *after = json!(1);
        let told = "is 1 now: nobody is told before something failed";
        notes.add(&place.key("failureAlert").key("after"), Fate::Moved, told);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table as it is in OpenClaw's database, with what is read of it.
    const TABLE: &str = "CREATE TABLE cron_jobs (store_key TEXT NOT NULL, job_id TEXT NOT NULL, name TEXT NOT NULL, enabled INTEGER NOT NULL, \
         job_json TEXT NOT NULL, state_json TEXT NOT NULL DEFAULT '{}', sort_order INTEGER NOT NULL DEFAULT 0, updated_at INTEGER NOT NULL, \
         PRIMARY KEY (store_key, job_id)) STRICT";

    fn database(jobs: &[(&str, Value)]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("openclaw.sqlite");
        let connection = Connection::open(&path).expect("a database");
        connection.execute(TABLE, []).expect("a table");
        for (index, (id, job)) in jobs.iter().enumerate() {
            let row = (
                id,
                format!("Job {id}"),
                job.to_string(),
                i64::try_from(index).expect("few"),
            );
            connection
                .execute(
                    "INSERT INTO cron_jobs (store_key, job_id, name, enabled, job_json, sort_order, updated_at) VALUES ('default', ?1, ?2, 1, ?3, ?4, 0)",
                    row,
                )
                .expect("a row");
        }
        (folder, path)
    }

    #[test]
    fn jobs_become_parameters_of_cron_add_and_what_is_not_in_them_is_named() {
        let (_folder, path) = database(&[
            (
                "brief",
                json!({"id": "brief", "schedule": {"kind": "cron", "expr": "0 7 * * *", "tz": "Europe/Berlin"},
                    "payload": {"kind": "agentTurn", "message": "Good morning"}, "sessionTarget": "isolated", "pacing": {"a": 1}, "state": {}}),
            ),
            (
                "tick",
                json!({"schedule": {"kind": "every", "everyMs": 60000}, "payload": {"kind": "systemEvent", "text": "tick"}}),
            ),
            (
                "watch",
                json!({"schedule": {"kind": "stream"}, "payload": {"kind": "systemEvent", "text": "x"}}),
            ),
            (
                "script",
                json!({"schedule": {"kind": "every", "everyMs": 60000}, "payload": {"kind": "command", "command": "ls"}}),
            ),
        ]);

        let Jobs { jobs, noted } = jobs(&path).expect("readable");

        assert_eq!(jobs.len(), 2, "{noted:?}");
        assert_eq!(jobs[0]["name"], "Job brief");
        assert_eq!(jobs[0]["wakeMode"], "now");
        assert_eq!(jobs[1]["sessionTarget"], "main");
        let told: Vec<String> = noted.iter().map(ToString::to_string).collect();
        let told = told.join("\n");
        for needed in [
            "cron_jobs.watch: a schedule of the kind \"stream\"",
            "cron_jobs.script: work of the kind",
            "cron_jobs.brief.pacing",
        ] {
            assert!(told.contains(needed), "{needed}: {told}");
        }
        assert!(!told.contains("state"), "{told}");
    }

    #[test]
    fn a_job_whose_time_is_none_or_is_over_is_named_and_not_taken() {
        let job =
            |schedule: Value| json!({"schedule": schedule, "payload": {"kind": "agentTurn", "message": "x"}});
        let mut asleep = job(json!({"kind": "at", "at": "2020-01-01T00:00:00Z"}));
        asleep["failureAlert"] = json!({"after": 0});
        let (folder, path) = database(&[
            (
                "zone",
                job(json!({"kind": "cron", "expr": "0 7 * * *", "tz": "Mars/Base"})),
            ),
            ("words", job(json!({"kind": "cron", "expr": "every morning"}))),
            ("never", job(json!({"kind": "cron", "expr": "0 0 31 2 *"}))),
            ("past", job(json!({"kind": "at", "at": "2020-01-01T00:00:00Z"}))),
            ("when", job(json!({"kind": "at", "at": "tomorrow"}))),
            ("fast", job(json!({"kind": "every", "everyMs": 5}))),
            ("older", job(json!({"kind": "at", "atMs": 4_000_000_000_000_i64}))),
            ("asleep", asleep),
        ]);
        let connection = Connection::open(&path).expect("a database");
        let off = connection.execute("UPDATE cron_jobs SET enabled = 0 WHERE job_id = 'asleep'", []);
        assert_eq!(off, Ok(1));

        let Jobs { jobs, noted } = jobs(&path).expect("readable");

        drop(folder);
        let names: Vec<&str> = jobs.iter().filter_map(|job| job["name"].as_str()).collect();
        assert_eq!(names, ["Job older", "Job asleep"], "{noted:?}");
        assert_eq!(
            jobs[0]["schedule"],
            json!({"kind": "at", "at": "2096-10-02T07:06:40Z"})
        );
        assert_eq!(jobs[1]["failureAlert"], json!({"after": 1}));
        let told: Vec<String> = noted.iter().map(ToString::to_string).collect();
        for needed in [
            "cron_jobs.zone: schedule.tz \"Mars/Base\" is no time zone",
            "cron_jobs.words: schedule.expr \"every morning\" is no cron expression",
            "cron_jobs.never: schedule.expr \"0 0 31 2 *\" never comes",
            "cron_jobs.past: schedule.at 2020-01-01T00:00:00Z is over",
            "cron_jobs.when: schedule.at \"tomorrow\" is no time",
            "cron_jobs.fast: schedule.everyMs 5 is less than a second",
            "cron_jobs.older.schedule.atMs: ",
            "cron_jobs.asleep.schedule.at: 2020-01-01T00:00:00Z is over",
            "cron_jobs.asleep.failureAlert.after: is 1 now",
        ] {
            assert!(
                told.iter().any(|line| line.starts_with(needed)),
                "{needed}: {told:#?}"
            );
        }
    }

    #[test]
    fn a_file_that_is_no_such_database_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("other.sqlite");
        drop(Connection::open(&path).expect("a database"));

        assert!(jobs(&path).expect_err("no table").contains("cron_jobs"));
        assert!(jobs(&folder.path().join("none")).is_err());
    }
}
