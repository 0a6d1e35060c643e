//! Messages that steer the turn which is at work: they end as answered by it, and are read behind what it had said by then.

use rusqlite::{Connection, params};

use super::super::{Hold, Record, TakeIn, TakenIn, TurnState};
use super::turns::{End, Guard};
use super::{MERGE_BYTES_MAX, sessions, steps, turns};
use crate::error::Error;
use crate::turns::queue::QueueMode;

pub(super) fn take_in(conn: &Connection, take_in: TakeIn) -> Result<TakenIn, Error> {
    let TakeIn {
        run,
        owner,
        said,
        now,
    } = take_in;
    let hold = turns::hold(conn, &run, &owner)?;
    let nothing = TakenIn {
        hold,
        entry: None,
        ended: Vec::new(),
        session: None,
    };
    let Some(turn) = turns::find(conn, &run)?.filter(|_| hold == Hold::Held) else {
        return Ok(nothing);
    };
    let Some(session) = sessions::id_of(conn, &turn.key)? else {
        return Ok(nothing);
    };
    if sessions::by_id(conn, session)?.session_id != turn.session_id {
        return Ok(nothing); // its transcript was left behind
    }
    let mut bytes = 0;
    let mut steering = Vec::new();
    for (run, weight) in turns::waiting(conn, session)? {
        let next = turns::get(conn, &run)?;
        bytes += weight;
        // Nothing that waits before another is overtaken by it.
        if bytes > MERGE_BYTES_MAX || !turns::wants_the_same(&turn, &next, QueueMode::Steer) {
            break;
        }
        steering.push(run);
    }
    if steering.is_empty() {
        return Ok(nothing);
    }
    let mut recorded = None;
    if let Some((first, row)) = said {
        let record = Record {
            run: run.clone(),
            owner,
            first,
            entries: vec![row],
            effects: false,
        };
        recorded = steps::record(conn, record)?.entries.pop();
    }
    let read_after = sessions::by_id(conn, session)?.last_seq;
    let mut ended = Vec::with_capacity(steering.len());
    for steered in steering {
        conn.prepare_cached("UPDATE turns SET read_after = ?2 WHERE run = ?1")?
            .execute(params![steered.as_str(), read_after])?;
        let end = End {
            merged_into: Some(run.clone()),
            ..End::new(TurnState::Done, now)
        };
        ended.extend(turns::finish_as(conn, &steered, &Guard::Queued, end)?);
    }
    Ok(TakenIn {
        entry: recorded,
        ended,
        session: Some(sessions::by_id(conn, session)?),
        ..nothing
    })
}
