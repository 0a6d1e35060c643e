//! Keeps all programs running, and stops them step by step: whoever is needed by another one's last work outlives it.

use std::{borrow::Cow, collections::BTreeMap, pin::pin, sync::Arc, time::Duration};

use futures::future::{join_all, select_all};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    child::{Fatal, Program, Stop, supervise},
    log::Log,
};
use crate::control::Failing;

/// All programs, running.
#[derive(Debug)]
pub(super) struct Supervisor {
    /// In the order in which they are stopped; the programs of a step are stopped together.
    steps: Vec<Vec<Kept>>,
    forced: CancellationToken,
    fatal: mpsc::Receiver<Fatal>,
}

#[derive(Debug)]
struct Kept {
    name: Cow<'static, str>,
    asked: CancellationToken,
    again: Arc<Notify>,
    lives: watch::Receiver<u64>,
    failing: watch::Receiver<Option<Failing>>,
    task: JoinHandle<()>,
}

impl Kept {
    /// Waits until the program is gone. A task that panicked has dropped its child, which kills it.
    async fn ended(&mut self) {
        if !self.task.is_finished() {
            let _ = (&mut self.task).await;
        }
    }
}

impl Supervisor {
    /// Starts all programs at once: the services wait for each other, nobody waits here.
    pub(super) fn start(steps: Vec<Vec<Program>>, log: &Log) -> Self {
        let (said, fatal) = mpsc::channel(steps.iter().map(Vec::len).sum::<usize>().max(1));
        let forced = CancellationToken::new();
        let start = |program: Program| {
            let (asked, again) = (CancellationToken::new(), Arc::new(Notify::new()));
            let (count, lives) = watch::channel(0);
            let (fails, failing) = watch::channel(None);
            let stop = Stop {
                asked: asked.clone(),
                forced: forced.clone(),
                again: Arc::clone(&again),
                lives: count,
                failing: fails,
            };
            Kept {
                name: program.name.clone(),
                asked,
                again,
                lives,
                failing,
                task: tokio::spawn(supervise(program, log.clone(), stop, said.clone())),
            }
        };
        Self {
            steps: steps
                .into_iter()
                .map(|step| step.into_iter().map(start).collect())
                .collect(),
            forced,
            fatal,
        }
    }

    /// How each program is started again while the others run, and how it ended.
    pub(super) fn restarts(&self) -> Restarts {
        let kept = self.steps.iter().flatten();
        Restarts(
            kept.map(|kept| {
                let one = (Arc::clone(&kept.again), kept.lives.clone(), kept.failing.clone());
                (kept.name.clone(), one)
            })
            .collect(),
        )
    }

    /// Waits until a program says that its configuration is wrong.
    ///
    /// # Cancel safety
    /// Safe: nothing is lost.
    pub(super) async fn fatal(&mut self) -> Fatal {
        match self.fatal.recv().await {
            Some(fatal) => fatal,
            None => std::future::pending().await, // every program was asked to stop
        }
    }

    /// Stops everything, each step within its limit, or at once when `impatient` ends. Returns when no process is left.
    pub(super) async fn stop(mut self, limits: &[Duration], impatient: impl Future<Output = ()>) {
        let forced = self.forced.clone();
        let all: Vec<_> = self
            .steps
            .iter()
            .flatten()
            .map(|kept| kept.asked.clone())
            .collect();
        let whole = limits.iter().sum();
        let ended = async {
            for (step, limit) in self.steps.iter_mut().zip(limits) {
                for kept in &*step {
                    kept.asked.cancel();
                }
                // What hangs must not keep the others from their end; it is killed after the last step.
                let _ = timeout(*limit, join_all(step.iter_mut().map(Kept::ended))).await;
            }
            join_all(self.steps.iter_mut().flatten().map(Kept::ended)).await;
        };
        let mut ended = pin!(ended);
        tokio::select! {
            () = &mut ended => return,
            () = sleep(whole) => {}
            () = impatient => {}
        }
        forced.cancel();
        for asked in all {
            asked.cancel();
        }
        ended.await;
    }
}

/// Starts one program again.
#[derive(Clone, Debug)]
pub(super) struct Restarts(BTreeMap<Cow<'static, str>, One>);

/// How one program is asked to be started again, how often it was started, and how it ended by itself.
type One = (
    Arc<Notify>,
    watch::Receiver<u64>,
    watch::Receiver<Option<Failing>>,
);

impl Restarts {
    /// The programs that ended by themselves, and were not started again on request since.
    pub(super) fn failing(&self) -> Vec<Failing> {
        let all = self
            .0
            .values()
            .filter_map(|(.., failing)| failing.borrow().clone());
        all.collect()
    }

    /// Waits until a program ends by itself, or is started again on request.
    pub(super) async fn change(&mut self) {
        // A program that is not kept running any more changes no more.
        let kept = self.0.values_mut().map(|(.., failing)| failing);
        let kept = kept.filter(|failing| failing.has_changed().is_ok());
        let changes: Vec<_> = kept.map(|failing| Box::pin(failing.changed())).collect();
        if changes.is_empty() {
            return std::future::pending().await;
        }
        let _ = select_all(changes).await; // of one that ends now, the next look says so
    }

    /// Ends a program and waits until its successor is started.
    pub(super) async fn restart(&self, name: &str) -> Result<(), String> {
        let (again, lives, _) = self
            .0
            .get(name)
            .ok_or_else(|| format!("there is no service {name}"))?;
        let mut lives = lives.clone();
        let before = *lives.borrow();
        again.notify_one();
        match lives.wait_for(|lives| *lives > before).await {
            Ok(_) => Ok(()),
            Err(_) => Err("the gateway is about to end".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
