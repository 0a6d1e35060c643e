//! What jobs wait for when the clock was set back, or the host is in another zone.

use gatehouse_core::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::Connection;

use super::{all, calendar, set_next, slots};
use crate::error::Error;
use crate::schedules::{Calendar, JobId};

pub(super) fn replan(conn: &Connection, zone: &TimeZone, now: Timestamp) -> Result<(), Error> {
    for job in all(conn)? {
        let Some(waits_for) = job.next_slot.filter(|next| *next > now) else {
            continue;
        };
        let Some(calendar) = calendar(&job.spec, job.created_at, zone) else {
            continue;
        };
        if let Some(at) = next_unknown(conn, &job.id, &calendar, now, waits_for)? {
            set_next(conn, &job.id, Some(at), None)?;
        }
    }
    Ok(())
}

/// The first slot that nothing was decided about, where it is another than the one that a job waits for: the clock was set back, or the
/// host is in another zone, in whose calendar that one may not be.
fn next_unknown(
    conn: &Connection,
    id: &JobId,
    calendar: &Calendar,
    now: Timestamp,
    waits_for: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let mut next = calendar.after(now);
    while let Some(at) = next.filter(|at| *at < waits_for) {
        if !slots::is_known(conn, id, at)? {
            return Ok(Some(at));
        }
        next = calendar.after(at);
    }
    Ok(match calendar {
        Calendar::Cron(_) => next.filter(|at| *at != waits_for),
        // What runs once is tried again at times of its own, and an interval knows no zone.
        Calendar::Once(_) | Calendar::Every { .. } => None,
    })
}
