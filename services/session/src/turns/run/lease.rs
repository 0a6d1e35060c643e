//! What goes on beside a run: its lease is renewed, its text in flight is kept, and it is told to stop when it must.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::Chain;
use tokio::time::{self, Instant, Interval, MissedTickBehavior};

use super::super::live::{Live, Stop};
use super::super::shared::Shared;
use crate::store::Hold;

/// How often the text in flight is kept, in case this process dies: what a kill may take from a transcript. All runs share a
/// commit, so this is at most two a second.
const KEEP_TEXT: Duration = Duration::from_millis(500);

/// Renews the lease and keeps the text in flight until the run is over, and makes the run stop when it must.
pub(super) async fn keep(shared: Shared, live: Arc<Live>) {
    let mut ends = Instant::now() + shared.timing.lease;
    let mut draining = pin!(async {
        shared.drain.requested().await;
        time::sleep(shared.drain_limit()).await;
    });
    let mut renewals = ticks(shared.timing.renew);
    let mut keeps = ticks(KEEP_TEXT);
    let mut changes = shared.signals.changes_of(&live.run);
    loop {
        tokio::select! {
            () = &mut draining => return live.stop(Stop::Drain),
            _ = renewals.tick() => {}
            () = changes.heard() => {} // the renewal says what it is
            _ = keeps.tick() => {
                keep_text(&shared, &live).await;
                continue;
            }
        }
        let now = Instant::now();
        let lease = shared.lease();
        let renewed = shared.stores.turns.renew(&live.run, &lease.owner, lease.until);
        match renewed.await {
            Ok(Hold::Held) => ends = now + shared.timing.lease,
            Ok(Hold::Stop(origin)) => return live.stop(Stop::Abort(origin)),
            Ok(Hold::Lost) => return live.stop(Stop::Lost),
            Err(error) => {
                tracing::error!(run.id = %live.run, error = %Chain(&error), "a lease could not be renewed");
                if Instant::now() >= ends {
                    return live.stop(Stop::Lost);
                }
            }
        }
    }
}

/// The first tick comes after the period, and one that was missed is not made up for.
fn ticks(period: Duration) -> Interval {
    let mut ticks = time::interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// A lost lease is noticed by the renewal; a store that fails is asked again with the next tick.
async fn keep_text(shared: &Shared, live: &Live) {
    let _keeping = live.keeping().await;
    let Some((text, bytes)) = live.not_kept() else {
        return;
    };
    let kept = shared.stores.turns.keep_text(&live.run, &shared.owner, &text);
    match kept.await {
        Ok(_) => live.mark_kept(bytes),
        Err(error) => {
            tracing::warn!(run.id = %live.run, error = %Chain(&error), "the text in flight could not be kept");
        }
    }
}
