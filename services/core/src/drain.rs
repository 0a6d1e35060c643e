//! Ending in order: one token that every task watches, one tracker that knows them all, one deadline over the whole.

pub mod plan;

use std::{
    future::Future,
    io::Read,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures::{Stream, StreamExt, future::FutureExt};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The end of a process, or of one step of it, seen from inside. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    token: CancellationToken,
    tasks: TaskTracker,
    panicked: Arc<Panicked>,
}

/// The first task that panicked, of all steps of one process.
#[derive(Debug, Default)]
struct Panicked {
    task: OnceLock<&'static str>,
    told: CancellationToken,
}

impl Panicked {
    fn tell(&self, task: &'static str) {
        let _ = self.task.set(task); // the first one is the cause
        self.told.cancel();
    }
}

impl Drain {
    /// A process that has not been asked to end.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks everybody to end.
    pub fn start(&self) {
        self.token.cancel();
    }

    /// Waits until the end is asked for.
    pub async fn requested(&self) {
        self.token.cancelled().await;
    }

    /// Whether the end was asked for.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.token.is_cancelled()
    }

    /// A later step of the same end, which starts by itself: it has its own tasks, and a panic in one is seen from every step.
    #[must_use]
    pub fn later_step(&self) -> Self {
        Self {
            token: CancellationToken::new(),
            tasks: TaskTracker::new(),
            panicked: Arc::clone(&self.panicked),
        }
    }

    /// Starts a task that lives as long as the process, and that [`Drain::finish`] waits for. The process is of no use without
    /// it: when it panics, [`Drain::panicked`] names it.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let panicked = Arc::clone(&self.panicked);
        self.tasks.spawn(async move {
            if std::panic::AssertUnwindSafe(task).catch_unwind().await.is_err() {
                tracing::error!(task.name = name, "a task panicked");
                panicked.tell(name);
            }
        });
    }

    /// Starts one piece of work out of many, a connection or a turn, that [`Drain::finish`] waits for. A panic in it is logged
    /// and ends nothing else.
    pub fn spawn_work(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(async move {
            if std::panic::AssertUnwindSafe(work).catch_unwind().await.is_err() {
                tracing::error!(task.name = name, "a task panicked");
            }
        });
    }

    /// Says that a task cannot go on because something in it panicked elsewhere, on a thread of its own.
    pub fn give_up(&self, task: &'static str) {
        self.panicked.tell(task);
    }

    /// Waits until a task that the process cannot do without has panicked, and names it.
    pub async fn panicked(&self) -> &'static str {
        self.panicked.told.cancelled().await;
        self.panicked.task.get().copied().unwrap_or("unknown")
    }

    /// A stream that also ends when the end is asked for: without it a graceful shutdown waits for long streams for ever.
    pub fn end_stream<S: Stream>(&self, stream: S) -> impl Stream<Item = S::Item> + use<S> {
        let token = self.token.clone();
        stream.take_until(async move { token.cancelled().await })
    }

    /// Asks everybody to end and waits for them. False when some did not within the grace period.
    pub async fn finish(&self, grace: Duration) -> bool {
        self.start();
        self.tasks.close();
        timeout(grace, self.tasks.wait()).await.is_ok()
    }
}

/// What a supervisor writes to the standard input of a process that it asks to end.
pub const REQUEST: &[u8] = b"drain\n";

/// What a supervisor does at the other end of the standard input.
enum Supervisor {
    /// It asks for the end.
    Asks,
    /// It is gone.
    Gone,
}

/// A drain that SIGTERM and SIGINT start, and [`REQUEST`] on the standard input when the process is supervised. A second signal
/// ends the process at once. The end of standard input says that the supervisor was killed: nothing may outlive it for longer
/// than [`plan::ORPHAN`], so the process ends then, whatever it is doing. All that was acknowledged is stored by now.
///
/// # Errors
/// When the signals cannot be watched.
pub fn on_signal(supervised: bool) -> std::io::Result<Drain> {
    let drain = Drain::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let watched = drain.clone();
    tokio::spawn(async move {
        let mut next = async || tokio::select! { _ = terminate.recv() => (), _ = interrupt.recv() => () };
        next().await;
        watched.start();
        next().await;
        std::process::exit(130);
    });
    if supervised {
        let (says, mut supervisor) = tokio::sync::mpsc::channel(2);
        // A thread of its own: tokio's standard input would keep the runtime from ending.
        std::thread::spawn(move || follow_supervisor(&mut std::io::stdin(), &says));
        let watched = drain.clone();
        tokio::spawn(async move {
            while let Some(Supervisor::Asks) = supervisor.recv().await {
                watched.start();
            }
            // Not a word about it: the supervisor read our logs, and writing to nobody panics.
            watched.start();
            tokio::time::sleep(plan::ORPHAN).await;
            std::process::exit(0);
        });
    }
    Ok(drain)
}

/// Says each time what the other end of the input does; returns when it is gone.
fn follow_supervisor(input: &mut impl Read, says: &tokio::sync::mpsc::Sender<Supervisor>) {
    let mut request = [0; 16];
    loop {
        match input.read(&mut request) {
            // A queue that is full holds the request already.
            Ok(1..) => drop(says.try_send(Supervisor::Asks)),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => break,
        }
    }
    drop(says.blocking_send(Supervisor::Gone));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn finish_waits_for_tasks_and_says_when_one_does_not_end() {
        let (good, bad) = (Drain::new(), Drain::new());
        let watching = good.clone();
        good.spawn("good", async move { watching.requested().await });
        bad.spawn("bad", std::future::pending());

        assert!(good.finish(Duration::from_secs(1)).await);
        assert!(!bad.finish(Duration::from_secs(1)).await);
    }

    #[test]
    fn a_supervisor_that_asks_is_told_apart_from_one_that_is_gone() {
        let follow = |mut input: &[u8]| {
            let (says, mut said) = tokio::sync::mpsc::channel(2);
            follow_supervisor(&mut input, &says);
            drop(says);
            std::iter::from_fn(|| said.blocking_recv().map(|said| matches!(said, Supervisor::Asks)))
                .collect::<Vec<_>>()
        };

        assert_eq!(follow(REQUEST), [true, false]);
        assert_eq!(follow(b""), [false]);
    }

    #[tokio::test]
    async fn a_panic_in_one_piece_of_work_ends_nothing_else_and_one_in_a_task_is_named_in_every_step() {
        let drain = Drain::new();
        let later = drain.later_step();
        drain.spawn_work("one connection", async { panic!("on purpose") });
        assert!(drain.finish(Duration::from_secs(1)).await);
        assert_eq!(drain.panicked().now_or_never(), None);

        later.spawn("dispatcher", async { panic!("on purpose") });

        assert_eq!(drain.panicked().await, "dispatcher");
        drain.give_up("writer");
        assert_eq!(drain.panicked().await, "dispatcher", "the first one is the cause");
        assert!(!later.is_requested(), "a step starts by itself");
    }

    #[tokio::test]
    async fn an_endless_stream_ends_with_the_drain() {
        let drain = Drain::new();
        let stream = drain.end_stream(futures::stream::pending::<()>());
        drain.start();

        assert_eq!(stream.count().await, 0);
    }
}
