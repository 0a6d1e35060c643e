//! The ledger: one row for each slot, claimed by whoever adds it.

use gatehouse_core::{Content, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, named_params, params, params_from_iter};

use super::rows::{WAIT_MS_MAX, json, read_slot};
use super::{find, posts, set_next};
use crate::deliveries::Target;
use crate::error::Error;
use crate::id::RunId;
use crate::key::SessionKey;
use crate::schedules::{
    CatchUp, Claim, DeliveryStatus, EndedRun, Job, JobId, RETRIES_MAX, RunEnd, RunFilter, SLOTS_KEPT, Settle,
    Slot, SlotKind, SlotRow, Status, Wanted, back_off_ms, failing,
};
use crate::store::sqlite::{deliveries, turns};

/// How long the session of a single run is kept, in milliseconds: OpenClaw's day.
const SESSION_KEPT_MS: i64 = 24 * 3_600_000;
/// Sessions that are forgotten with the end of one run.
const FORGOTTEN_MAX: u32 = 4;

/// Adds the row of a slot. False: it has one.
pub(super) fn claim(
    conn: &Connection,
    slot: &Slot,
    job: &Job,
    fire_at: Timestamp,
    catches_up: bool,
    attempt: u32,
    now: Timestamp,
) -> Result<bool, Error> {
    let added = conn
        .prepare_cached(
            "INSERT INTO schedule_slots (job, kind, slot, state, fire_at, catches_up, claimed_at, attempt, job_name, agent)
             VALUES (?1, ?2, ?3, 'claimed', ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (job, slot, kind) DO NOTHING",
        )?
        .execute(params![
            slot.job.as_str(),
            slot.kind.word(),
            slot.at,
            fire_at,
            catches_up,
            now,
            attempt,
            job.spec.name,
            job.spec.agent_id,
        ])?;
    Ok(added == 1)
}

pub(super) fn is_known(conn: &Connection, job: &JobId, at: Timestamp) -> Result<bool, Error> {
    Ok(conn
        .prepare_cached("SELECT 1 FROM schedule_slots WHERE job = ?1 AND slot = ?2 AND kind = 'scheduled'")?
        .exists(params![job.as_str(), at])?)
}

/// When the next run may begin that makes up for a missed slot.
pub(super) fn catch_up(conn: &Connection, now: Timestamp) -> Result<CatchUp, Error> {
    let last = conn
        .prepare_cached("SELECT max(fire_at) FROM schedule_slots WHERE state = 'claimed' AND catches_up = 1")?
        .query_row([], |row| row.get(0))?;
    Ok(CatchUp::new(now, last))
}

pub(super) fn claims(
    conn: &Connection,
    clocks: bool,
    now: Timestamp,
    most: u32,
) -> Result<Vec<Claim>, Error> {
    // The ids of jobs of hooks begin with `hook-`, and `.` is what comes behind `-`.
    let mut statement = conn.prepare_cached(
        "SELECT * FROM (SELECT * FROM schedule_slots WHERE state = 'claimed' AND fire_at <= ?1
            AND (?4 OR kind = 'manual' OR (job >= 'hook-' AND job < 'hook.')) ORDER BY fire_at LIMIT ?2)
         UNION ALL
         SELECT * FROM (SELECT * FROM schedule_slots WHERE state = 'claimed' AND fire_at > ?3
            AND (?4 OR kind = 'manual' OR (job >= 'hook-' AND job < 'hook.')) ORDER BY fire_at LIMIT ?2)",
    )?;
    let rows = statement.query_map(params![now, most, now.plus_ms(WAIT_MS_MAX), clocks], |row| {
        Ok(read_slot(row))
    })?;
    let mut claims = Vec::new();
    for row in rows {
        let row = row??;
        // The claims of a job that is removed end with it.
        if let Some(job) = find(conn, &row.slot.job)? {
            claims.push(Claim { row, job });
        }
    }
    Ok(claims)
}

pub(super) fn put_off(conn: &Connection, slot: &Slot, until: Timestamp) -> Result<(), Error> {
    conn.prepare_cached(
        "UPDATE schedule_slots SET fire_at = ?4 WHERE job = ?1 AND slot = ?2 AND kind = ?3 AND state = 'claimed'",
    )?
    .execute(params![slot.job.as_str(), slot.at, slot.kind.word(), until])?;
    Ok(())
}

pub(super) fn claimed_of(conn: &Connection, job: &JobId) -> Result<Vec<Slot>, Error> {
    let mut statement = conn.prepare_cached(
        "SELECT * FROM schedule_slots WHERE job = ?1 AND ended_at IS NULL AND state = 'claimed'",
    )?;
    let rows = statement.query_map([job.as_str()], |row| Ok(read_slot(row)))?;
    rows.map(|row| Ok(row??.slot)).collect()
}

pub(super) fn row_of(conn: &Connection, slot: &Slot) -> Result<Option<SlotRow>, Error> {
    conn.prepare_cached("SELECT * FROM schedule_slots WHERE job = ?1 AND slot = ?2 AND kind = ?3")?
        .query_row(params![slot.job.as_str(), slot.at, slot.kind.word()], |row| {
            Ok(read_slot(row))
        })
        .optional()?
        .transpose()
}

pub(super) fn decide(
    conn: &Connection,
    slot: &Slot,
    key: &SessionKey,
    target: Option<&Target>,
) -> Result<Option<(SessionKey, Option<Target>)>, Error> {
    let isolated = key.rest().starts_with("cron:");
    conn.prepare_cached(
        "UPDATE schedule_slots SET session_key = ?4, target = ?5, is_isolated = ?6
         WHERE job = ?1 AND slot = ?2 AND kind = ?3 AND state = 'claimed' AND session_key IS NULL",
    )?
    .execute(params![
        slot.job.as_str(),
        slot.at,
        slot.kind.word(),
        key.as_str(),
        target.map(json).transpose()?,
        isolated,
    ])?;
    let row = row_of(conn, slot)?;
    Ok(row.and_then(|row| Some((row.key?, row.target))))
}

/// Ends a claim. False: it had ended before.
pub(super) fn leave(conn: &Connection, slot: &Slot, settle: &Settle, now: Timestamp) -> Result<bool, Error> {
    let (state, reason, ended, status) = match settle {
        Settle::Fired => ("fired", None, None, None),
        Settle::Skipped { reason, failed } => {
            let status = if *failed { Status::Error } else { Status::Skipped };
            ("skipped", Some(reason), Some(now), Some(status))
        }
        Settle::Missed { reason } => ("missed", Some(reason), Some(now), Some(Status::Skipped)),
    };
    let left = conn
        .prepare_cached(
            "UPDATE schedule_slots SET state = :state, reason = :reason, error = :reason, status = :status, ended_at = :ended,
                fired_at = iif(:ended IS NULL, :now, NULL), delivered = iif(:ended IS NULL, NULL, 'not-requested')
             WHERE job = :job AND slot = :slot AND kind = :kind AND state = 'claimed'",
        )?
        .execute(named_params! {
            ":state": state, ":reason": reason, ":status": status.map(Status::word), ":ended": ended, ":now": now,
            ":job": slot.job.as_str(), ":slot": slot.at, ":kind": slot.kind.word(),
        })?;
    Ok(left == 1)
}

pub(super) fn settle(
    conn: &Connection,
    slot: &Slot,
    settle: &Settle,
    now: Timestamp,
) -> Result<Option<(SlotRow, Option<Job>)>, Error> {
    if !leave(conn, slot, settle, now)? {
        return Ok(None);
    }
    let mut job = find(conn, &slot.job)?;
    if let (Some(before), true) = (&job, *settle != Settle::Fired) {
        job = Some(none_of(conn, before.clone(), slot, 1, now)?);
    }
    let row = row_of(conn, slot)?.ok_or(Error::Unreadable("slot"))?;
    Ok(Some((row, job)))
}

/// So many slots of a job made no turn, this one last. Answers the job after it.
pub(super) fn none_of(
    conn: &Connection,
    mut job: Job,
    newest: &Slot,
    count: usize,
    now: Timestamp,
) -> Result<Job, Error> {
    let row = row_of(conn, newest)?.ok_or(Error::Unreadable("slot"))?;
    job.state.last_status = row.status;
    job.state.last_error = row.error;
    if row.status == Some(Status::Error) {
        failing(&mut job, now);
    } else {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        job.state.consecutive_skipped = job.state.consecutive_skipped.saturating_add(count);
    }
    // What cannot be run again is over.
    if newest.kind != SlotKind::Manual && job.spec.runs_once() {
        switch_off(conn, &mut job)?;
    }
    keep_state(conn, &job, now)?;
    match find(conn, &job.id)? {
        Some(job) => Ok(job),
        None if job.id.is_of_hook() => Ok(job),
        None => Err(Error::Unreadable("job")),
    }
}

fn keep_state(conn: &Connection, job: &Job, now: Timestamp) -> Result<(), Error> {
    conn.prepare_cached(
        "UPDATE schedule_jobs SET state = ?2, updated_at = max(updated_at, ?3) WHERE id = ?1",
    )?
    .execute(params![job.id.as_str(), json(&job.state)?, now])?;
    Ok(())
}

/// What came by a hook is over for good then: nobody could switch it on again.
fn switch_off(conn: &Connection, job: &mut Job) -> Result<(), Error> {
    job.enabled = false;
    if job.id.is_of_hook() {
        conn.prepare_cached("DELETE FROM schedule_jobs WHERE id = ?1")?
            .execute([job.id.as_str()])?;
        return Ok(());
    }
    conn.prepare_cached("UPDATE schedule_jobs SET enabled = 0 WHERE id = ?1")?
        .execute([job.id.as_str()])?;
    set_next(conn, &job.id, None, None)
}

pub(super) fn under_way(conn: &Connection) -> Result<Vec<SlotRow>, Error> {
    let mut statement = conn.prepare_cached(
        "SELECT * FROM schedule_slots INDEXED BY schedule_slots_under_way WHERE state = 'fired' AND ended_at IS NULL
         ORDER BY n -- scans: the index holds what runs, and nothing of the past",
    )?;
    let rows = statement.query_map([], |row| Ok(read_slot(row)))?;
    rows.map(|row| row?).collect()
}

/// The end of a run: its row, how its job stands, what its chat is told, and whether it is tried again.
pub(super) fn end(conn: &Connection, end: RunEnd) -> Result<Option<EndedRun>, Error> {
    let Some(row) = row_of(conn, &end.slot)?.filter(|row| row.ended_at.is_none()) else {
        return Ok(None);
    };
    let Some(fired_at) = row.fired_at else {
        return Ok(None);
    };
    let turn = turns::find(conn, &end.slot.run())?;
    let mut says_something = false;
    let mut say = |to: &Target, content: Content| -> Result<(), Error> {
        if let Some(turn) = &turn {
            deliveries::add(conn, turn, to, content, end.now)?;
            says_something = true;
        }
        Ok(())
    };
    let mut status = end.status;
    let mut error = end.error;
    let (delivered, delivery_error) = match (&end.wanted, &end.reply, &row.target) {
        (Wanted::Yes, Some(reply), Some(target)) if status == Status::Ok => {
            say(target, reply.clone())?;
            (DeliveryStatus::Delivered, None)
        }
        (Wanted::NowhereToGo { problem, best_effort }, Some(_), _) if status == Status::Ok => {
            if !best_effort {
                status = Status::Error;
                error = Some(problem.clone());
            }
            (DeliveryStatus::NotDelivered, Some(problem.as_str()))
        }
        _ => (DeliveryStatus::NotRequested, None),
    };
    // Whether a program was told is known when it was.
    let delivered = match &end.post {
        Some(post) => {
            posts::add(conn, &end.slot, post, end.now)?;
            None
        }
        None => Some(delivered),
    };
    let mut job = find(conn, &end.slot.job)?;
    if let Some(job) = &mut job {
        let state = &mut job.state;
        state.last_run_at = Some(end.slot.at);
        state.last_status = Some(status);
        state.last_error.clone_from(&error);
        state.last_duration_ms = Some(end.now.ms_since(fired_at).max(0));
        state.last_delivery = delivered;
        state.last_delivery_error = delivery_error.map(str::to_owned);
        if status == Status::Ok {
            state.consecutive_errors = 0;
            state.consecutive_skipped = 0;
            state.back_off_until = None;
        } else {
            failing(job, end.now);
            if let Some(target) = &row.target
                && job.is_alarming(end.now)
            {
                job.state.last_alert_at = Some(end.now);
                say(target, job.alarm())?;
            }
        }
        keep_state(conn, job, end.now)?;
    }
    conn.prepare_cached(
        "UPDATE schedule_slots SET ended_at = :now, status = :status, error = :error, summary = :summary,
            session_id = :session, delivered = :delivered, delivery_error = :problem, provider = :provider, model = :model
         WHERE job = :job AND slot = :slot AND kind = :kind AND ended_at IS NULL",
    )?
    .execute(named_params! {
        ":now": end.now, ":status": status.word(), ":error": error, ":summary": end.summary,
        ":session": end.session_id, ":delivered": delivered.map(DeliveryStatus::word), ":problem": delivery_error,
        ":provider": end.answered_by.as_ref().map(|(provider, _)| provider),
        ":model": end.answered_by.as_ref().map(|(_, model)| model),
        ":job": end.slot.job.as_str(), ":slot": end.slot.at, ":kind": end.slot.kind.word(),
    })?;
    if let Some(job) = &mut job
        && job.spec.runs_once()
        && end.slot.kind != SlotKind::Manual
    {
        once_more_or_over(conn, job, &row, status, end.is_transient, end.now)?;
    }
    forget_surplus(conn, &end.slot.job)?;
    Ok(Some(EndedRun {
        forgotten: isolated(conn, &end.slot.job, end.now)?,
        row: row_of(conn, &end.slot)?.ok_or(Error::Unreadable("slot"))?,
        job: find(conn, &end.slot.job)?.or(job),
        says_something,
    }))
}

/// What becomes of a job that runs once: it is over, or tried again when that may go better.
fn once_more_or_over(
    conn: &Connection,
    job: &mut Job,
    row: &SlotRow,
    status: Status,
    is_transient: bool,
    now: Timestamp,
) -> Result<(), Error> {
    if status == Status::Ok && job.spec.delete_after_run != Some(false) {
        conn.prepare_cached("DELETE FROM schedule_jobs WHERE id = ?1")?
            .execute([job.id.as_str()])?;
        return Ok(());
    }
    let attempt = row.attempt + 1;
    if status == Status::Error && is_transient && attempt <= RETRIES_MAX && job.enabled {
        let at = now.plus_ms(back_off_ms(attempt));
        let slot = Slot {
            job: job.id.clone(),
            kind: SlotKind::Retry,
            at,
        };
        if claim(conn, &slot, job, at, false, attempt, now)? {
            return Ok(());
        }
    }
    switch_off(conn, job)
}

/// Sessions of runs that ended long enough ago; they are named once.
fn isolated(conn: &Connection, job: &JobId, now: Timestamp) -> Result<Vec<SessionKey>, Error> {
    let mut statement = conn.prepare_cached(
        "UPDATE schedule_slots SET is_isolated = 0 WHERE n IN
            (SELECT n FROM schedule_slots WHERE is_isolated = 1 AND job = ?1 AND ended_at < ?2 LIMIT ?3)
         RETURNING session_key",
    )?;
    let rows = statement.query_map(
        params![job.as_str(), now.plus_ms(-SESSION_KEPT_MS), FORGOTTEN_MAX],
        |row| row.get::<_, Option<String>>(0),
    )?;
    let keys: Vec<Option<String>> = rows.collect::<Result<_, _>>()?;
    Ok(keys.into_iter().flatten().map(SessionKey::stored).collect())
}

/// Forgets the oldest rows of a job beyond those that are kept.
pub(super) fn forget_surplus(conn: &Connection, job: &JobId) -> Result<(), Error> {
    let newest: i64 = conn
        .prepare_cached(
            "SELECT coalesce(max(n), 0) FROM (SELECT n FROM schedule_slots WHERE job = ?1 AND ended_at IS NOT NULL
             ORDER BY ended_at DESC, n DESC LIMIT 1)",
        )?
        .query_row([job.as_str()], |row| row.get(0))?;
    if newest % 64 != 0 {
        return Ok(()); // counting them costs more than some dozen rows too many
    }
    conn.prepare_cached(
        "DELETE FROM schedule_slots WHERE n IN (SELECT n FROM schedule_slots WHERE job = ?1 AND ended_at IS NOT NULL
         ORDER BY ended_at DESC, n DESC LIMIT -1 OFFSET ?2)",
    )?
    .execute(params![job.as_str(), i64::try_from(SLOTS_KEPT).unwrap_or(i64::MAX)])?;
    Ok(())
}

pub(super) fn listed(conn: &Connection, filter: &RunFilter) -> Result<(Vec<SlotRow>, u32), Error> {
    let RunFilter {
        job,
        agent,
        run,
        statuses,
        delivered,
        oldest_first,
        limit,
        offset,
    } = filter;
    let mut wanted = vec!["ended_at IS NOT NULL".to_owned()];
    let mut values: Vec<Value> = Vec::new();
    let mut is = |column: &str, words: Vec<String>| {
        if !words.is_empty() {
            wanted.push(format!("{column} IN ({})", vec!["?"; words.len()].join(", ")));
            values.extend(words.into_iter().map(Value::from));
        }
    };
    is("job", job.iter().map(ToString::to_string).collect());
    is("agent", agent.iter().cloned().collect());
    is(
        "status",
        statuses.iter().map(|status| status.word().to_owned()).collect(),
    );
    is(
        "delivered",
        delivered.iter().map(|word| word.word().to_owned()).collect(),
    );
    if let Some(run) = run {
        let Some((job, kind, at)) = slot_of(&RunId::new(run.clone())) else {
            return Ok((Vec::new(), 0));
        };
        wanted.push("job = ? AND kind = ? AND slot = ?".to_owned());
        values.extend([
            Value::from(job),
            Value::from(kind.word().to_owned()),
            Value::from(at.as_ms()),
        ]);
    }
    let wanted = wanted.join(" AND ");
    let total: u32 = conn
        .prepare_cached(&format!(
            "SELECT count(*) FROM schedule_slots WHERE {wanted} -- scans: the runs of seven days"
        ))?
        .query_row(params_from_iter(&values), |row| row.get(0))?;
    values.extend([Value::from(*limit), Value::from(*offset)]);
    let order = if *oldest_first { "ASC" } else { "DESC" };
    let mut statement = conn.prepare_cached(&format!(
        "SELECT * FROM schedule_slots WHERE {wanted} ORDER BY ended_at {order}, n {order} LIMIT ? OFFSET ?
         -- scans: up to the page that is asked for -- sorts: the runs of one job or one slot"
    ))?;
    let rows = statement.query_map(params_from_iter(&values), |row| Ok(read_slot(row)))?;
    let rows: Vec<SlotRow> = rows.map(|row| row?).collect::<Result<_, Error>>()?;
    Ok((rows, total))
}

/// The slot that an id of a run names.
fn slot_of(run: &RunId) -> Option<(String, SlotKind, Timestamp)> {
    let mut parts = run.as_str().split(':');
    let kind = match parts.next()? {
        "cron" => SlotKind::Scheduled,
        "manual" => SlotKind::Manual,
        "retry" => SlotKind::Retry,
        _ => return None,
    };
    let job = parts.next()?.to_owned();
    let at = parts.next()?.parse().ok().map(Timestamp::from_ms)?;
    Some((job, kind, at))
}
