//! Turns whose owner is dead, and rows that are old enough to be forgotten.

use gatehouse_core::{Content, Timestamp};
use rusqlite::{Connection, params};

use super::super::{Ended, EntryExtra, GaveBack, Origin, Reclaim, Reclaimed, RunLimits, Turn, TurnState};
use super::turns::{self, End, Guard};
use super::{PRUNE_MAX, RECLAIM_MAX, steps, texts};
use crate::answer::{self, SaidBefore};
use crate::error::Error;
use crate::id::{Owner, RunId};
use crate::stop::StopReason;

pub(super) fn reclaim(conn: &Connection, reclaim: &Reclaim) -> Result<Reclaimed, Error> {
    keep_leases_near(conn, reclaim)?;
    let mut statement = conn.prepare_cached(
        "SELECT * FROM turns INDEXED BY turns_active
         WHERE state IN ('leased', 'running') AND (lease_until < ?3 OR (?2 AND owner <> ?1)) ORDER BY id LIMIT ?4
         -- scans: the index holds what runs, and nothing of the past
         -- sorts: as many as run at the same time",
    )?;
    let orphans = statement
        .query_map(
            params![
                reclaim.owner.as_str(),
                reclaim.others_are_dead,
                reclaim.now,
                RECLAIM_MAX
            ],
            turns::turn,
        )?
        .collect::<Result<Vec<_>, _>>()?;
    let mut reclaimed = Reclaimed::default();
    for orphan in orphans {
        if let Some(origin) = orphan.abort {
            reclaimed
                .ended
                .extend(end_aborted(conn, &orphan, origin, reclaim)?);
        } else if reclaim.limits.allow(&orphan) {
            queue_again(conn, &orphan)?;
            reclaimed.queued.push(orphan.run);
        } else {
            reclaimed.ended.extend(end_interrupted(conn, &orphan, reclaim)?);
        }
    }
    Ok(reclaimed)
}

/// The time of day moves as it likes: what the caller runs is renewed, and a lease that no clock could have given now is
/// shortened to one that could, so that its owner has the usual time to renew it.
fn keep_leases_near(conn: &Connection, reclaim: &Reclaim) -> Result<(), Error> {
    for run in &reclaim.held {
        turns::renew(conn, run, &reclaim.owner, reclaim.lease_until)?;
    }
    conn.prepare_cached(
        "UPDATE turns INDEXED BY turns_active SET lease_until = ?1
         WHERE state IN ('leased', 'running') AND lease_until > ?1
         -- scans: the index holds what runs, and nothing of the past",
    )?
    .execute([reclaim.lease_until])?;
    Ok(())
}

pub(super) fn give_back(
    conn: &Connection,
    run: &RunId,
    owner: &Owner,
    limits: RunLimits,
) -> Result<GaveBack, Error> {
    let held = turns::find(conn, run)?
        .filter(|turn| !turn.state.is_terminal() && turn.owner.as_ref() == Some(owner));
    Ok(match held {
        None => GaveBack::Lost,
        // Whoever wants it to stop is not answered with another run.
        Some(turn) if turn.abort.is_some() || !limits.allow(&turn) => GaveBack::Spent,
        Some(turn) => {
            queue_again(conn, &turn)?;
            GaveBack::Queued
        }
    })
}

fn queue_again(conn: &Connection, orphan: &Turn) -> Result<(), Error> {
    conn.prepare_cached(
        "UPDATE turns SET state = 'queued', owner = NULL, lease_until = NULL WHERE run = ?1",
    )?
    .execute([orphan.run.as_str()])?;
    conn.prepare_cached(
        "UPDATE sessions SET active_run = NULL, status = 'queued'
         WHERE id = (SELECT session FROM turns WHERE run = ?1) AND active_run = ?1",
    )?
    .execute([orphan.run.as_str()])?;
    Ok(())
}

fn end_aborted(
    conn: &Connection,
    orphan: &Turn,
    origin: Origin,
    reclaim: &Reclaim,
) -> Result<Option<Ended>, Error> {
    let (said, text) = (said_before(conn, orphan)?, texts::kept(conn, &orphan.run)?);
    let asked = texts::asked(conn, &orphan.run)?;
    let end = End {
        reply: (!said.text.is_empty()).then(|| Content::text(said.text.trim_end())),
        usage: Some(said.spent),
        entry: (!text.is_empty()).then(|| answer::aborted(&orphan.run, &text, origin, asked, reclaim.now)),
        stop_reason: Some(origin.into()),
        ..End::new(TurnState::Aborted, reclaim.now)
    };
    turns::finish_as(conn, &orphan.run, &Guard::AnyOwner, end)
}

fn end_interrupted(conn: &Connection, orphan: &Turn, reclaim: &Reclaim) -> Result<Option<Ended>, Error> {
    let (said, text) = (said_before(conn, orphan)?, texts::kept(conn, &orphan.run)?);
    let whole = format!("{}{text}", said.text);
    let extra = EntryExtra {
        wrote: texts::asked(conn, &orphan.run)?,
        stop_reason: Some(StopReason::Interrupted),
        abort_origin: Some(Origin::Restart.word().to_owned()),
        ..EntryExtra::default()
    };
    let end = End {
        entry: Some(answer::broken_off(
            &orphan.run,
            &text,
            reclaim.notice.words(),
            extra,
            reclaim.now,
        )),
        reply: Some(Content::text(answer::with_notice(&whole, reclaim.notice))),
        usage: Some(said.spent),
        stop_reason: Some(StopReason::Restart),
        error: Some(reclaim.notice.words().to_owned()),
        ..End::new(TurnState::Interrupted, reclaim.now)
    };
    turns::finish_as(conn, &orphan.run, &Guard::AnyOwner, end)
}

/// What its chat has not been told yet, whatever became of the rest.
fn said_before(conn: &Connection, orphan: &Turn) -> Result<SaidBefore, Error> {
    let steps = steps::said(conn, &orphan.run)?;
    Ok(SaidBefore::of_steps(steps.iter().map(|step| &step.row)))
}

pub(super) fn prune(conn: &Connection, before: Timestamp) -> Result<u64, Error> {
    let statements = [
        "DELETE FROM inbound WHERE (channel, account, message) IN
            (SELECT channel, account, message FROM inbound WHERE created_at < ?1 LIMIT ?2)",
        // A turn ends after its message came, so its key against doubles is gone by now or goes in this very call.
        "DELETE FROM turns WHERE id IN (SELECT id FROM turns WHERE ended_at < ?1 LIMIT ?2)
            AND NOT EXISTS (SELECT 1 FROM inbound WHERE created_at < ?1)",
        "DELETE FROM requests WHERE idempotency_key IN
            (SELECT idempotency_key FROM requests WHERE created_at < ?1 LIMIT ?2)",
        "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE settled_at < ?1 LIMIT ?2)",
        "DELETE FROM hooks WHERE key IN (SELECT key FROM hooks WHERE created_at < ?1 LIMIT ?2)",
        // A slot before the last one of its job that was decided about is never looked at again.
        "DELETE FROM schedule_slots WHERE n IN (SELECT n FROM schedule_slots WHERE ended_at < ?1 LIMIT ?2)",
    ];
    let mut forgotten = 0;
    for statement in statements {
        forgotten += conn
            .prepare_cached(statement)?
            .execute(params![before, PRUNE_MAX])?;
    }
    Ok(u64::try_from(forgotten).unwrap_or(u64::MAX))
}
