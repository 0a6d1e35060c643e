//! What came by hooks: jobs that are claimed as soon as they are there, and what tells a repeat.

use gatehouse_core::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::find;
use super::rows::json;
use super::slots::{claim, claimed_of};
use crate::error::Error;
use crate::id::RunId;
use crate::schedules::{HOOKS_MAX, HookJob, JobId, JobState, NewHook, Slot, SlotKind, TakenHook};

/// The table. A migration is never changed once released.
pub(in crate::store::sqlite) const MIGRATION: &str = r"
-- What came by hooks, by what its repeats have in common, with the runs that it made.
CREATE TABLE hooks (
    key TEXT PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    runs TEXT NOT NULL, -- JSON
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX hooks_by_age ON hooks (created_at);
";

pub(super) fn take(conn: &Connection, new: &NewHook) -> Result<TakenHook, Error> {
    let NewHook {
        key,
        fingerprint,
        jobs,
        now,
    } = new;
    if let Some(key) = key
        && let Some((known, runs)) = known(conn, key)?
    {
        return Ok(if known == *fingerprint {
            TakenHook::Repeat(runs)
        } else {
            TakenHook::Conflict
        });
    }
    // The ids of such jobs begin with `hook-`, and `.` is what comes behind `-`.
    let waiting: i64 = conn
        .prepare_cached("SELECT count(*) FROM schedule_jobs WHERE id >= 'hook-' AND id < 'hook.'")?
        .query_row([], |row| row.get(0))?;
    if usize::try_from(waiting).unwrap_or(usize::MAX) + jobs.len() > HOOKS_MAX {
        return Ok(TakenHook::Full);
    }
    let (mut runs, mut coalesced) = (Vec::with_capacity(jobs.len()), true);
    for job in jobs {
        match waits_already(conn, job)? {
            Some(slot) => runs.push(slot.run()),
            None => {
                coalesced = false;
                runs.push(add(conn, job, *now)?.run());
            }
        }
    }
    if let Some(key) = key {
        let names: Vec<&str> = runs.iter().map(RunId::as_str).collect();
        conn.prepare_cached(
            "INSERT INTO hooks (key, fingerprint, runs, created_at) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![key, fingerprint, json(&names)?, now])?;
    }
    Ok(TakenHook::Taken { runs, coalesced })
}

/// What a request said, as a digest, and the runs that it made.
type Known = (Vec<u8>, Vec<RunId>);

fn known(conn: &Connection, key: &str) -> Result<Option<Known>, Error> {
    let row = conn
        .prepare_cached("SELECT fingerprint, runs FROM hooks WHERE key = ?1")?
        .query_row([key], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))
        .optional()?;
    let Some((fingerprint, runs)) = row else {
        return Ok(None);
    };
    let runs: Vec<String> = serde_json::from_str(&runs).map_err(|_| Error::Unreadable("hook"))?;
    Ok(Some((fingerprint, runs.into_iter().map(RunId::new).collect())))
}

/// The slot of a job that is declared as this one and was not looked at yet. One that is being looked at was heard already: this one says
/// it again.
fn waits_already(conn: &Connection, job: &HookJob) -> Result<Option<Slot>, Error> {
    let Some(declared) = &job.spec.declaration_key else {
        return Ok(None);
    };
    let known: Option<String> = conn
        .prepare_cached("SELECT id FROM schedule_jobs WHERE declaration = ?1")?
        .query_row([declared], |row| row.get(0))
        .optional()?;
    let Some(known) = known else { return Ok(None) };
    let waiting = claimed_of(conn, &JobId::new(known.clone()))?;
    if waiting.is_empty() {
        conn.prepare_cached("UPDATE schedule_jobs SET declaration = NULL WHERE id = ?1")?
            .execute([known])?;
    }
    Ok(waiting.into_iter().next())
}

fn add(conn: &Connection, job: &HookJob, now: Timestamp) -> Result<Slot, Error> {
    let HookJob {
        id,
        spec,
        at,
        fire_at,
        trace,
    } = job;
    let state = JobState {
        traceparent: Some(trace.to_string()),
        ..JobState::default()
    };
    conn.prepare_cached(
        "INSERT INTO schedule_jobs (id, declaration, spec, enabled, version, created_at, updated_at, next_slot, last_slot, state)
         VALUES (?1, ?2, ?3, 1, 1, ?4, ?4, NULL, ?5, ?6)",
    )?
    .execute(params![
        id.as_str(),
        spec.declaration_key,
        json(spec)?,
        now,
        at,
        json(&state)?
    ])?;
    let slot = Slot {
        job: id.clone(),
        kind: SlotKind::Scheduled,
        at: *at,
    };
    let whole = find(conn, id)?.ok_or(Error::Unreadable("job"))?;
    claim(conn, &slot, &whole, *fire_at, false, 0, now)?;
    Ok(slot)
}
