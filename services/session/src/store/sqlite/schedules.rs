//! Jobs.

pub(super) mod hooks;
pub(super) mod posts;
mod replan;
mod rows;
mod slots;

use async_trait::async_trait;
use gatehouse_core::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension, params};

use self::rows::{json, read_job};
use super::SqliteStore;
use crate::deliveries::Target;
use crate::error::Error;
use crate::key::SessionKey;
use crate::schedules::{
    Calendar, CatchUp, Claim, EndedRun, Fate, JOBS_MAX, Job, JobChange, JobId, NewHook, NewJob, Planned,
    Post, PostEnd, Replaced, RunEnd, RunFilter, RunNow, Schedules, Settle, Slot, SlotKind, SlotRow, Spec,
    TakenHook, host_zone, plan,
};

/// The tables. A migration is never changed once released.
pub(super) const MIGRATION: &str = r"
-- Work that begins by the clock. `spec` is what somebody wrote, `state` how it stands; both are JSON and read whole.
CREATE TABLE schedule_jobs (
    id TEXT PRIMARY KEY,
    declaration TEXT UNIQUE,
    spec TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    next_slot INTEGER, -- NULL: none is due by itself
    last_slot INTEGER,
    state TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX schedule_jobs_due ON schedule_jobs (next_slot) WHERE next_slot IS NOT NULL;

-- I8: one row for each slot of a job.
CREATE TABLE schedule_slots (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    job TEXT NOT NULL,
    kind TEXT NOT NULL,
    slot INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('claimed', 'fired', 'skipped', 'missed')),
    fire_at INTEGER NOT NULL,
    catches_up INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    claimed_at INTEGER NOT NULL,
    fired_at INTEGER,
    ended_at INTEGER,
    status TEXT,
    error TEXT,
    summary TEXT,
    session_key TEXT,
    session_id TEXT,
    is_isolated INTEGER NOT NULL DEFAULT 0, -- a session of its own, which is forgotten after a while
    target TEXT,
    delivered TEXT,
    delivery_error TEXT,
    provider TEXT,
    model TEXT,
    attempt INTEGER NOT NULL DEFAULT 0,
    job_name TEXT NOT NULL,
    agent TEXT,
    UNIQUE (job, slot, kind)
) STRICT;
CREATE INDEX schedule_slots_claimed ON schedule_slots (fire_at) WHERE state = 'claimed';
CREATE INDEX schedule_slots_catching_up ON schedule_slots (fire_at) WHERE state = 'claimed' AND catches_up = 1;
CREATE INDEX schedule_slots_open ON schedule_slots (job) WHERE ended_at IS NULL;
CREATE INDEX schedule_slots_under_way ON schedule_slots (n) WHERE state = 'fired' AND ended_at IS NULL;
CREATE INDEX schedule_slots_ended ON schedule_slots (ended_at, n) WHERE ended_at IS NOT NULL;
CREATE INDEX schedule_slots_ended_of_job ON schedule_slots (job, ended_at, n) WHERE ended_at IS NOT NULL;
CREATE INDEX schedule_slots_isolated ON schedule_slots (job, ended_at) WHERE is_isolated = 1;
CREATE TRIGGER schedule_slot_ends_once BEFORE UPDATE OF state ON schedule_slots WHEN old.state <> 'claimed' BEGIN
    SELECT RAISE(ABORT, 'a slot left its claim twice');
END;
";

/// Jobs that are looked at in one transaction at most.
const TOGETHER_MAX: u32 = 64;
/// Slots of one job that screens are told of when many were missed. The list of runs has them all.
const SAID_MAX: usize = 16;

#[async_trait]
impl Schedules for SqliteStore {
    async fn add_job(&self, new: NewJob) -> Result<(Job, bool), Error> {
        self.database.write(move |tx| add(tx, &new)).await
    }

    async fn job(&self, id: &JobId) -> Result<Option<Job>, Error> {
        let id = id.clone();
        self.database.read(move |conn| find(conn, &id)).await
    }

    async fn jobs(&self) -> Result<Vec<Job>, Error> {
        self.database.read(all).await
    }

    async fn replace_job(&self, change: JobChange) -> Result<Replaced, Error> {
        self.database.write(move |tx| replace(tx, &change)).await
    }

    async fn remove_job(&self, id: &JobId, now: Timestamp) -> Result<Option<(Job, Planned)>, Error> {
        let id = id.clone();
        self.database.write(move |tx| remove(tx, &id, now)).await
    }

    async fn plan_slots(&self, skips_missed: bool, zone: TimeZone, now: Timestamp) -> Result<Planned, Error> {
        self.database
            .write(move |tx| plan_due(tx, skips_missed, &zone, now))
            .await
    }

    async fn replan(&self, zone: TimeZone, now: Timestamp) -> Result<(), Error> {
        self.database
            .write(move |tx| replan::replan(tx, &zone, now))
            .await
    }

    async fn claim_by_hand(&self, id: &JobId, now: Timestamp) -> Result<Option<RunNow>, Error> {
        let id = id.clone();
        self.database.write(move |tx| by_hand(tx, &id, now)).await
    }

    async fn take_hook(&self, new: NewHook) -> Result<TakenHook, Error> {
        self.database.write(move |tx| hooks::take(tx, &new)).await
    }

    async fn claims(&self, now: Timestamp) -> Result<Vec<Claim>, Error> {
        self.database
            .read(move |conn| slots::claims(conn, true, now, TOGETHER_MAX))
            .await
    }

    async fn asked_for(&self, now: Timestamp) -> Result<Vec<Claim>, Error> {
        self.database
            .read(move |conn| slots::claims(conn, false, now, TOGETHER_MAX))
            .await
    }

    async fn put_off(&self, slot: &Slot, until: Timestamp) -> Result<(), Error> {
        let slot = slot.clone();
        self.database
            .write(move |tx| slots::put_off(tx, &slot, until))
            .await
    }

    async fn decide(
        &self,
        slot: &Slot,
        key: SessionKey,
        target: Option<Target>,
    ) -> Result<Option<(SessionKey, Option<Target>)>, Error> {
        let slot = slot.clone();
        self.database
            .write(move |tx| slots::decide(tx, &slot, &key, target.as_ref()))
            .await
    }

    async fn settle_slot(
        &self,
        slot: &Slot,
        settle: Settle,
        now: Timestamp,
    ) -> Result<Option<(SlotRow, Option<Job>)>, Error> {
        let slot = slot.clone();
        self.database
            .write(move |tx| slots::settle(tx, &slot, &settle, now))
            .await
    }

    async fn open_runs(&self) -> Result<Vec<SlotRow>, Error> {
        self.database.read(slots::under_way).await
    }

    async fn end_run(&self, end: RunEnd) -> Result<Option<EndedRun>, Error> {
        self.database.write(move |tx| slots::end(tx, end)).await
    }

    async fn posts(&self, now: Timestamp) -> Result<Vec<Post>, Error> {
        self.database.read(move |conn| posts::due(conn, now)).await
    }

    async fn next_post(&self) -> Result<Option<Timestamp>, Error> {
        self.database.read(posts::next).await
    }

    async fn settle_post(&self, id: i64, end: PostEnd) -> Result<(), Error> {
        self.database.write(move |tx| posts::settle(tx, id, &end)).await
    }

    async fn runs(&self, filter: RunFilter) -> Result<(Vec<SlotRow>, u32), Error> {
        self.database.read(move |conn| slots::listed(conn, &filter)).await
    }

    async fn next_slot(&self) -> Result<Option<Timestamp>, Error> {
        self.database.read(next_due).await
    }
}

fn calendar(spec: &Spec, created: Timestamp, zone: &TimeZone) -> Option<Calendar> {
    // What was taken could be read; a zone may have gone with an update of the machine.
    Calendar::read(&spec.schedule, created, zone).ok()
}

fn add(conn: &Connection, new: &NewJob) -> Result<(Job, bool), Error> {
    let NewJob {
        id,
        spec,
        enabled,
        now,
    } = new;
    if let Some(key) = &spec.declaration_key {
        let known: Option<String> = conn
            .prepare_cached("SELECT id FROM schedule_jobs WHERE declaration = ?1")?
            .query_row([key], |row| row.get(0))
            .optional()?;
        if let Some(known) = known {
            let job = find(conn, &JobId::new(known))?.ok_or(Error::Unreadable("job"))?;
            return Ok((job, false));
        }
    }
    let count: i64 = conn
        .prepare_cached("SELECT count(*) FROM schedule_jobs -- scans: jobs, which are few by a bound")?
        .query_row([], |row| row.get(0))?;
    if usize::try_from(count).unwrap_or(usize::MAX) >= JOBS_MAX {
        return Err(Error::TooManyJobs);
    }
    // A time that was is due: somebody just asked for it.
    let first = calendar(spec, *now, &host_zone()).and_then(|calendar| match calendar {
        Calendar::Once(at) => Some(at),
        Calendar::Every { .. } | Calendar::Cron(_) => calendar.after(*now),
    });
    conn.prepare_cached(
        "INSERT INTO schedule_jobs (id, declaration, spec, enabled, version, created_at, updated_at, next_slot, state)
         VALUES (?1, ?2, ?3, ?4, 1, ?5, ?5, ?6, '{}')",
    )?
    .execute(params![
        id.as_str(),
        spec.declaration_key,
        json(spec)?,
        enabled,
        now,
        first.filter(|_| *enabled)
    ])?;
    let job = find(conn, id)?.ok_or(Error::Unreadable("job"))?;
    Ok((job, true))
}

/// The columns of a job, and since when a run of it is open.
const JOB: &str = "SELECT j.*, (SELECT min(coalesce(s.fired_at, s.claimed_at)) FROM schedule_slots s
    WHERE s.job = j.id AND s.ended_at IS NULL) AS running_at FROM schedule_jobs j";

pub(super) fn find(conn: &Connection, id: &JobId) -> Result<Option<Job>, Error> {
    conn.prepare_cached(&format!("{JOB} WHERE j.id = ?1"))?
        .query_row([id.as_str()], |row| Ok(read_job(row)))
        .optional()?
        .transpose()
}

fn all(conn: &Connection) -> Result<Vec<Job>, Error> {
    let mut statement = conn.prepare_cached(&format!("{JOB} -- scans: jobs, which are few by a bound"))?;
    let rows = statement.query_map([], |row| Ok(read_job(row)))?;
    rows.map(|row| row?).collect()
}

fn replace(conn: &Connection, change: &JobChange) -> Result<Replaced, Error> {
    let JobChange {
        id,
        version,
        spec,
        enabled,
        skips_missed,
        now,
    } = change;
    let Some(job) = find(conn, id)? else {
        return Ok(Replaced::Gone);
    };
    if job.version != *version {
        return Ok(Replaced::Stale);
    }
    let mut planned = Planned::default();
    let mut catch_up = slots::catch_up(conn, *now)?;
    let zone = host_zone();
    decide(
        conn,
        &job,
        (*skips_missed, &zone),
        &mut catch_up,
        *now,
        &mut planned,
    )?;
    let job = find(conn, id)?.ok_or(Error::Unreadable("job"))?;
    let same_times = job.spec.schedule == spec.schedule && job.enabled == *enabled;
    let next = if same_times {
        job.next_slot
    } else {
        let behind = (*now).max(job.last_slot.unwrap_or(Timestamp::MIN));
        calendar(spec, job.created_at, &zone).and_then(|calendar| match calendar {
            // Another time is another slot, also one that is over by now; the same one is not run again.
            Calendar::Once(at) => (job.last_slot != Some(at)).then_some(at),
            Calendar::Every { .. } | Calendar::Cron(_) => calendar.after(behind),
        })
    };
    let mut state = job.state.clone();
    if !same_times {
        state.back_off_until = None; // somebody looked at it
    }
    conn.prepare_cached(
        "UPDATE schedule_jobs SET declaration = ?2, spec = ?3, enabled = ?4, version = version + 1, updated_at = ?5,
            next_slot = ?6, state = ?7 WHERE id = ?1",
    )?
    .execute(params![
        id.as_str(),
        spec.declaration_key,
        json(spec)?,
        enabled,
        now,
        next.filter(|_| *enabled),
        json(&state)?
    ])?;
    let job = find(conn, id)?.ok_or(Error::Unreadable("job"))?;
    Ok(Replaced::Done(Box::new(job), planned))
}

fn remove(conn: &Connection, id: &JobId, now: Timestamp) -> Result<Option<(Job, Planned)>, Error> {
    let Some(job) = find(conn, id)? else {
        return Ok(None);
    };
    let mut planned = Planned::default();
    let removed = Settle::Skipped {
        reason: "the job was removed".to_owned(),
        failed: false,
    };
    for slot in slots::claimed_of(conn, id)? {
        if let Some((row, _)) = slots::settle(conn, &slot, &removed, now)? {
            planned.ended.push((row, job.clone()));
        }
    }
    conn.prepare_cached("DELETE FROM schedule_jobs WHERE id = ?1")?
        .execute([id.as_str()])?;
    Ok(Some((job, planned)))
}

fn plan_due(
    conn: &Connection,
    skips_missed: bool,
    zone: &TimeZone,
    now: Timestamp,
) -> Result<Planned, Error> {
    let due: Vec<String> = conn
        .prepare_cached(
            "SELECT id FROM schedule_jobs WHERE next_slot IS NOT NULL AND next_slot <= ?1 ORDER BY next_slot LIMIT ?2",
        )?
        .query_map(params![now, TOGETHER_MAX], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut planned = Planned {
        more: due.len() == usize::try_from(TOGETHER_MAX).unwrap_or(usize::MAX),
        ..Planned::default()
    };
    let mut catch_up = slots::catch_up(conn, now)?;
    for id in due {
        if let Some(job) = find(conn, &JobId::new(id))? {
            decide(conn, &job, (skips_missed, zone), &mut catch_up, now, &mut planned)?;
        }
    }
    Ok(planned)
}

/// Decides about the slots of a job that are due.
fn decide(
    conn: &Connection,
    job: &Job,
    (skips_missed, zone): (bool, &TimeZone),
    catch_up: &mut CatchUp,
    now: Timestamp,
    planned: &mut Planned,
) -> Result<(), Error> {
    let Some(calendar) = calendar(&job.spec, job.created_at, zone) else {
        tracing::warn!(job.id = %job.id, "the schedule of a job cannot be read any more: it is due no more until it is changed");
        return set_next(conn, &job.id, None, None);
    };
    let plan = plan(job, &calendar, skips_missed, catch_up, now);
    let last = plan.slots.last().map(|(at, _)| *at);
    let mut ended = Vec::new();
    for (at, fate) in plan.slots {
        let slot = Slot {
            job: job.id.clone(),
            kind: SlotKind::Scheduled,
            at,
        };
        let (fire_at, catches_up) = match fate {
            Fate::Claim { fire_at, catches_up } => (fire_at, catches_up),
            Fate::Skip(_) | Fate::Miss(_) => (at, false),
        };
        if !slots::claim(conn, &slot, job, fire_at, catches_up, 0, now)? {
            continue; // something was decided about it before the clock was set back
        }
        let settle = match fate {
            Fate::Claim { .. } => continue,
            Fate::Skip(reason) => Settle::Skipped {
                reason: reason.to_owned(),
                failed: false,
            },
            Fate::Miss(reason) => Settle::Missed {
                reason: reason.to_owned(),
            },
        };
        slots::leave(conn, &slot, &settle, now)?;
        ended.push(slot);
    }
    set_next(conn, &job.id, plan.next, last)?;
    if let Some(newest) = ended.last() {
        let job = slots::none_of(conn, job.clone(), newest, ended.len(), now)?;
        let surplus = ended.len().saturating_sub(SAID_MAX);
        for slot in ended.into_iter().skip(surplus) {
            let row = slots::row_of(conn, &slot)?.ok_or(Error::Unreadable("slot"))?;
            planned.ended.push((row, job.clone()));
        }
    }
    slots::forget_surplus(conn, &job.id)
}

fn set_next(
    conn: &Connection,
    id: &JobId,
    next: Option<Timestamp>,
    last: Option<Timestamp>,
) -> Result<(), Error> {
    conn.prepare_cached(
        "UPDATE schedule_jobs SET next_slot = ?2, last_slot = max(coalesce(last_slot, ?3), coalesce(?3, last_slot)) WHERE id = ?1",
    )?
    .execute(params![id.as_str(), next, last])?;
    Ok(())
}

fn by_hand(conn: &Connection, id: &JobId, now: Timestamp) -> Result<Option<RunNow>, Error> {
    let Some(job) = find(conn, id)? else {
        return Ok(None);
    };
    if job.running_at.is_some() {
        return Ok(Some(RunNow::Busy));
    }
    let mut slot = Slot {
        job: id.clone(),
        kind: SlotKind::Manual,
        at: now,
    };
    // Twice in one millisecond, or again after the clock was set back.
    while !slots::claim(conn, &slot, &job, now, false, 0, now)? {
        slot.at = slot.at.plus_ms(1);
    }
    Ok(Some(RunNow::Claimed(slot)))
}

fn next_due(conn: &Connection) -> Result<Option<Timestamp>, Error> {
    let next = |sql| {
        conn.prepare_cached(sql)?
            .query_row([], |row| row.get::<_, Option<Timestamp>>(0))
    };
    let slot = next("SELECT min(next_slot) FROM schedule_jobs WHERE next_slot IS NOT NULL")?;
    let claim = next("SELECT min(fire_at) FROM schedule_slots WHERE state = 'claimed'")?;
    Ok(slot.into_iter().chain(claim).min())
}
