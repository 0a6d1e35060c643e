//! Health is what was tried: the process is as well as its database's statements say, and as the disk that answers them.

use std::{future::Future, pin::Pin, time::Duration};

use tokio::time::{Instant, sleep, sleep_until};

use super::{Database, Error, HUNG_AFTER};
use crate::{
    beat,
    drain::Drain,
    error::Chain,
    health::{Health, State},
};

/// From this size of the log on a person should look who keeps it: SQLite moves it into the database every 12 MiB.
const WAL_BYTES_LARGE: u64 = 64 * 1024 * 1024;

/// When the database is tried: while somebody asks, a disk that takes nothing shows within 15 seconds (demand 15). An idle gateway that
/// nobody looks at has nobody to tell, and a write that was sent to the disk is most of what it does.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How often something is written to see whether it can be, as long as somebody asks.
    pub probe_asked: Duration,
    /// The same when nobody does: on every beat when unset.
    pub probe_every: Option<Duration>,
    /// How long the disk may take for it.
    pub hung_after: Duration,
    /// How often a damaged file is looked at anew.
    pub check_every: Duration,
    /// How often the owner's own reason is asked for while it does not serve.
    pub look_every: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            probe_asked: Duration::from_secs(10),
            probe_every: None,
            hung_after: HUNG_AFTER,
            check_every: Duration::from_secs(30),
            look_every: Duration::from_millis(100),
        }
    }
}

impl Timing {
    fn next_probe(&self) -> Instant {
        self.probe_every
            .map_or_else(beat::coming, |pause| Instant::now() + pause)
    }
}

/// At most one is under way, however long the disk takes: a probe that hangs is waited for and not joined by a second.
type UnderWay = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// Keeps `health` true until the drain: the database can be written and read, the disk answers, and `ready` names nothing
/// else that is missing.
pub fn keep_health(
    database: Database,
    timing: Timing,
    health: Health,
    ready: impl Fn() -> Result<(), String> + Send + 'static,
    drain: &Drain,
) {
    let end = drain.clone();
    drain.spawn("database health", async move {
        let mut faults = database.faults();
        let mut questions = health.questions();
        let mut probe: Option<(Instant, UnderWay)> = None;
        let mut checked: Option<Instant> = None;
        let (mut due, mut tried, mut was_probed) = (Instant::now(), Instant::now(), false);
        let mut failed = None;
        loop {
            if probe.is_none() && Instant::now() >= due {
                let damaged = matches!(*faults.borrow(), Some(super::Fault::Damaged(_)));
                let check = damaged && checked.is_none_or(|at| at.elapsed() >= timing.check_every);
                let database = database.clone();
                tried = Instant::now();
                probe = Some((tried, Box::pin(try_out(database, check))));
                checked = if check { Some(Instant::now()) } else { checked };
            }
            let hangs = probe
                .as_ref()
                .is_some_and(|(since, _)| since.elapsed() >= timing.hung_after);
            if was_probed || hangs || faults.borrow().is_some() {
                let missing = failed.clone().map_or_else(&ready, Err);
                health.set(state(&database, &timing, hangs, missing));
            }
            let serves = health.current().serves();
            // While one is under way, it is the next to be looked at: it may hang.
            let look = probe
                .as_ref()
                .map_or(due, |(since, _)| *since + timing.hung_after);
            tokio::select! {
                () = sleep_until(look), if serves || probe.is_none() => {}
                () = sleep(timing.look_every), if !serves => {}
                Ok(()) = questions.changed() => due = due.min(tried + timing.probe_asked),
                changed = faults.changed() => if changed.is_err() { return },
                outcome = ended(&mut probe) => {
                    let new = outcome.err().map(|error| format!("the database does not take anything: {}", Chain(&error)));
                    if let Some(new) = new.as_ref().filter(|new| failed.as_ref() != Some(*new)) {
                        tracing::error!("{new}"); // once for as long as it is the same
                    }
                    failed = new;
                    (probe, was_probed, due) = (None, true, timing.next_probe());
                }
                () = end.requested() => return,
            }
        }
    });
}

/// Writes something, and looks at every page when the file is said to be damaged. What fails becomes a fault by itself.
async fn try_out(database: Database, check: bool) -> Result<(), Error> {
    database.probe().await?;
    if check {
        database.check_integrity().await?;
    }
    Ok(())
}

async fn ended(probe: &mut Option<(Instant, UnderWay)>) -> Result<(), Error> {
    match probe {
        Some((_, under_way)) => under_way.await,
        None => std::future::pending().await,
    }
}

fn state(database: &Database, timing: &Timing, hangs: bool, missing: Result<(), String>) -> State {
    let condition = &database.0.condition;
    if let Some(fault) = condition.current() {
        return State::NotServing(fault.to_string());
    }
    if hangs || condition.writing_for() >= timing.hung_after {
        return State::NotServing(format!(
            "the disk that holds {} does not answer: look at it (`dmesg`, `mount`)",
            condition.path().display()
        ));
    }
    if let Err(reason) = missing {
        return State::NotServing(reason);
    }
    match condition.wal_bytes() {
        large @ WAL_BYTES_LARGE.. => State::Degraded(format!(
            "{path}-wal has grown beyond {} MiB, because another program keeps {path} open for reading: end it (`fuser {path}` \
             names it)",
            // In steps, so that its growth is told and not its every page.
            (large / WAL_BYTES_LARGE * WAL_BYTES_LARGE) >> 20,
            path = condition.path().display()
        )),
        _ => State::Serving,
    }
}
