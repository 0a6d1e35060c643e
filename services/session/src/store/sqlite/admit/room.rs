//! Room in the queue of a session, and how long a message waits there.

use rusqlite::{Connection, params};

use super::super::super::{Aborted, Admission, Ended, Origin, Turn, TurnState};
use super::super::turns::{End, Guard};
use super::super::{MERGE_BYTES_MAX, turns};
use crate::error::Error;
use crate::id::RunId;
use crate::turns::queue::{DropPolicy, QueueMode};
use gatehouse_core::Timestamp;
use gatehouse_document::messages::CAP_APPLIED_MAX;

/// What a message weighs at least that is joined with others, in bytes: no more than a hundred are answered together, as in `collect`.
/// A model reads the newest 400 rows of a conversation, and all of them have to be among these.
const JOINED_BYTES_MIN: i64 = MERGE_BYTES_MAX / CAP_APPLIED_MAX as i64;

/// How many quiet windows a message waits at most while others keep coming.
const QUIET_WINDOWS_MAX: i64 = 10;

/// Makes the queue short enough for one more.
pub(super) fn make_room(
    conn: &Connection,
    session: i64,
    open: &[(RunId, TurnState)],
    admission: &Admission,
) -> Result<Aborted, Error> {
    let Admission { key, queue, now, .. } = admission;
    if queue.mode == QueueMode::Interrupt {
        return turns::abort(conn, key, None, Origin::Interrupt, *now);
    }
    let is_queued = |(_, state): &&(RunId, TurnState)| *state == TurnState::Queued;
    let queued: Vec<&RunId> = open.iter().filter(is_queued).map(|(run, _)| run).collect();
    let surplus = (queued.len() + 1).saturating_sub(usize::from(queue.cap));
    let mut gave_way = Aborted::default();
    for oldest in queued.into_iter().take(surplus) {
        let ended = match queue.drop {
            DropPolicy::New => None,
            DropPolicy::Old => turns::abort_queued(conn, oldest, Origin::Interrupt, *now)?,
            DropPolicy::Summarize => join_two(conn, session, *now)?,
        };
        let ended = ended.ok_or(Error::QueueFull { cap: queue.cap })?;
        gave_way.ended.push(ended);
    }
    Ok(gave_way)
}

/// Joins two messages of a chat that wait and want the same: the turn of the earlier one answers both. Answers the end of the other's.
fn join_two(conn: &Connection, session: i64, now: Timestamp) -> Result<Option<Ended>, Error> {
    let mut waiting: Vec<(Turn, i64)> = Vec::new();
    for (run, bytes) in turns::waiting(conn, session)? {
        let turn = turns::get(conn, &run)?;
        // Programs and jobs wait for an answer of their own.
        if turn.target.is_some() && turn.program.is_none() {
            waiting.push((turn, bytes));
        }
    }
    for (place, (head, weight)) in waiting.iter().enumerate() {
        let later = waiting.iter().skip(place + 1).find(|(turn, bytes)| {
            let joined = weight.max(&JOINED_BYTES_MIN) + bytes.max(&JOINED_BYTES_MIN);
            joined <= MERGE_BYTES_MAX && turns::wants_the_same(head, turn, head.mode)
        });
        let Some((later, bytes)) = later else { continue };
        conn.prepare_cached("UPDATE turns SET bytes = max(bytes, ?3) + max(?2, ?3) WHERE run = ?1")?
            .execute(params![head.run.as_str(), bytes, JOINED_BYTES_MIN])?;
        let end = End {
            merged_into: Some(head.run.clone()),
            ..End::new(TurnState::Done, now)
        };
        return turns::finish_as(conn, &later.run, &Guard::Queued, end);
    }
    Ok(None)
}

/// When a message that finds its session busy may be answered. In `collect` mode each new message lengthens the wait of those
/// before it, up to a bound.
pub(super) fn quiet_until(
    conn: &Connection,
    session: i64,
    admission: &Admission,
) -> Result<Timestamp, Error> {
    let Admission { queue, now, .. } = admission;
    if queue.mode != QueueMode::Collect {
        return Ok(*now);
    }
    let quiet = now.plus_ms(queue.quiet_ms);
    conn.prepare_cached(
        "UPDATE turns SET not_before = max(not_before, min(?2, queued_at + ?3))
         WHERE session = ?1 AND state = 'queued' AND mode = 'collect'",
    )?
    .execute([session, quiet.as_ms(), queue.quiet_ms * QUIET_WINDOWS_MAX])?;
    Ok(quiet)
}
