//! The host's clock and zone, which people and networks set while jobs wait.

use gatehouse_core::{Chain, Timestamp};
use jiff::tz::TimeZone;

use super::super::planner::host_zone;
use super::Runner;

/// How far the clock is set back at least until jobs are looked at anew, in milliseconds.
const SET_BACK_MS: i64 = 60_000;

/// How the host's clock stood at the last look.
#[derive(Debug)]
pub(super) struct Seen {
    at: Timestamp,
    zone: TimeZone,
}

impl Seen {
    pub(super) fn now(now: Timestamp) -> Self {
        Self {
            at: now,
            zone: host_zone(),
        }
    }
}

impl Runner {
    /// Has jobs looked at anew when somebody set the clock back, or took the host to another zone.
    pub(super) async fn look_at_the_clock(&self, seen: &mut Seen, now: Timestamp) {
        let looked = Seen::now(now);
        let was_set_back = now < seen.at.plus_ms(-SET_BACK_MS);
        let is_elsewhere = looked.zone != seen.zone;
        if was_set_back {
            tracing::warn!(
                "the clock was set back: jobs wait for the first time that nothing was decided about"
            );
        }
        if is_elsewhere {
            tracing::info!("the time zone of this host was changed: jobs that name none go by the new one");
        }
        if (was_set_back || is_elsewhere)
            && let Err(error) = self.store.replan(looked.zone.clone(), now).await
        {
            // It is as if it had not been seen: the next look sees it.
            tracing::error!(error = %Chain(&error), "jobs could not be looked at after the clock was set; it is tried again");
            return;
        }
        *seen = looked;
    }
}
