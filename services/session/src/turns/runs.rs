//! What this process runs at the moment: each run while it lives, and the slots that bound how many there are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatehouse_core::Drain;
use tokio::sync::watch;
use tokio::time::Instant;

use super::backlog::Backlog;
use super::live::{InFlight, Live, Stop};
use crate::id::RunId;
use crate::key::SessionKey;

/// How long a stop is remembered for a run that is not here yet: longer than the step from a commit to its run.
const EARLY_STOP_KEPT: Duration = Duration::from_secs(15);

/// The runs of this process.
#[derive(Debug)]
pub(super) struct Runs {
    state: Mutex<State>,
    backlog: Arc<Backlog>,
    /// Counts runs that began or ended here, for whoever reads along.
    changes: watch::Sender<u64>,
    /// Only waited for: what makes runs end is the drain of the process, and their own limits.
    tasks: Drain,
}

#[derive(Debug, Default)]
struct State {
    live: HashMap<RunId, Arc<Live>>,
    /// Stops for runs that a commit has begun and that are not in `live` yet.
    early_stops: HashMap<RunId, (Stop, Instant)>,
    slots_taken: usize,
}

/// The right to run one turn at a time; free again when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    runs: Arc<Runs>,
    wakes: bool,
}

impl Slot {
    /// Gives it back without waking the dispatcher: it was the dispatcher that found nothing to do with it.
    pub(super) fn put_back(mut self) {
        self.wakes = false;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.runs.state().slots_taken -= 1;
        if self.wakes {
            self.runs.backlog.freed();
        }
    }
}

impl Runs {
    pub(super) fn new(backlog: Arc<Backlog>) -> Self {
        Self {
            state: Mutex::default(),
            backlog,
            changes: watch::Sender::default(),
            tasks: Drain::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Slots for at most `wanted` turns more, while no more than `max` are taken in all.
    pub(super) fn slots(self: &Arc<Self>, wanted: usize, max: usize) -> Vec<Slot> {
        let mut state = self.state();
        let taken = max.saturating_sub(state.slots_taken).min(wanted);
        state.slots_taken += taken;
        drop(state);
        (0..taken)
            .map(|_| Slot {
                runs: Arc::clone(self),
                wakes: true,
            })
            .collect()
    }

    /// Whether all who hold a slot may go on: the bound may have become smaller.
    pub(super) fn within(&self, max: usize) -> bool {
        self.state().slots_taken <= max
    }

    pub(super) fn add(&self, live: &Arc<Live>) {
        let mut state = self.state();
        if let Some((stop, _)) = state.early_stops.remove(&live.run) {
            live.stop(stop);
        }
        state.live.insert(live.run.clone(), Arc::clone(live));
        drop(state);
        self.changed();
    }

    /// A run has ended. Answers what was known of it here.
    pub(super) fn remove(&self, run: &RunId) -> Option<Arc<Live>> {
        let mut state = self.state();
        state.early_stops.remove(run);
        let live = state.live.remove(run);
        drop(state);
        self.changed();
        live
    }

    fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Changes when a run begins or ends here.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// A run that is under way here.
    pub(super) fn find(&self, run: &RunId) -> Option<Arc<Live>> {
        self.state().live.get(run).cloned()
    }

    /// A run that was here is somebody else's business now: its turn waits again, or its lease is to end.
    pub(super) fn give_up(&self, run: &RunId) -> bool {
        let was_here = self.state().live.remove(run).is_some();
        if was_here {
            self.backlog.grew();
        }
        was_here
    }

    /// Makes a run stop, also one that is only about to begin here.
    pub(super) fn stop(&self, run: &RunId, reason: Stop) {
        let mut state = self.state();
        if let Some(live) = state.live.get(run) {
            live.stop(reason);
            return;
        }
        let now = Instant::now();
        state
            .early_stops
            .retain(|_, (_, since)| now.duration_since(*since) < EARLY_STOP_KEPT);
        state.early_stops.insert(run.clone(), (reason, now));
    }

    /// Something waits that steers the run of this session, if there is one.
    pub(super) fn steer(&self, key: &SessionKey) {
        if let Some(live) = self.state().live.values().find(|live| live.key == *key) {
            live.steer();
        }
    }

    /// Which run is under way in this session.
    pub(super) fn of_session(&self, key: &SessionKey) -> Option<RunId> {
        let state = self.state();
        let live = state.live.values().find(|live| live.key == *key);
        live.map(|live| live.run.clone())
    }

    /// Which runs these are.
    pub(super) fn held(&self) -> Vec<RunId> {
        self.state().live.keys().cloned().collect()
    }

    pub(super) fn count(&self) -> usize {
        self.state().live.len()
    }

    /// The run of a session.
    pub(super) fn in_flight(&self, key: &SessionKey) -> Option<InFlight> {
        let live = self.state().live.values().find(|live| live.key == *key).cloned();
        live.map(|live| live.in_flight())
    }

    /// Starts a task that [`Runs::finish`] waits for.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn_work("turn", task);
    }

    /// Waits until all runs have ended, for so long at most.
    pub(super) async fn finish(&self, limit: Duration) -> bool {
        self.tasks.finish(limit).await
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_core::Timestamp;

    use super::*;
    use crate::store::Origin;
    use crate::testing::key;

    fn live(run: &str) -> Arc<Live> {
        Arc::new(Live::new(RunId::new(run), key("main"), 1, Timestamp::EPOCH))
    }

    #[test]
    fn no_more_slots_are_taken_than_there_are_and_a_dropped_one_is_free_again() {
        let runs = Arc::new(Runs::new(Arc::new(Backlog::new())));
        let mut slots = runs.slots(5, 3);
        assert_eq!((slots.len(), runs.slots(1, 3).len()), (3, 0));
        assert!(runs.within(3) && !runs.within(2), "the bound may become smaller");

        slots.pop();

        assert_eq!(runs.slots(5, 3).len(), 1);
    }

    #[tokio::test]
    async fn a_stop_that_comes_before_its_run_is_not_lost() {
        let runs = Runs::new(Arc::new(Backlog::new()));
        runs.stop(&RunId::new("r1"), Stop::Abort(Origin::Rpc));
        let (stopped, other) = (live("r1"), live("r2"));

        runs.add(&stopped);
        runs.add(&other);

        assert_eq!(stopped.stopped().await, Stop::Abort(Origin::Rpc));
        assert!(futures::FutureExt::now_or_never(other.stopped()).is_none());
    }
}
