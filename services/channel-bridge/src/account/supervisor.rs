//! Keeps one account connected: runs its adapter in a task of its own, watches the clock, drops a connection that is dead or
//! panicked, and makes a new one after a growing wait. The old connection is gone before the new one is made, so an account
//! never has two sockets.

use std::{future::Future, time::Duration};

use gatehouse_core::backoff::Backoff;
use tokio::{
    sync::{mpsc, watch},
    task::{JoinError, JoinHandle},
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

use super::{
    asked::ASK_EVERY,
    progress::{Progress, State},
};
use crate::{
    adapter::{Ended, Hints, InboundSink, Link, Liveness, SendRequest, TYPING_MAX, Typing},
    outbox::dispatch::Worker,
};

/// Requests that wait for a connection: the dispatcher has one under way for each chat, and few chats at once.
const REQUESTS_MAX: usize = 8;
/// The waits between connections. The first is short, because most ends are short; the last keeps a server that is down
/// from being hammered, and finds it within two minutes of its return.
const RECONNECT_FIRST: Duration = Duration::from_secs(1);
const RECONNECT_MAX: Duration = Duration::from_secs(120);
/// A connection that held this long was good: the next wait is short again.
const GOOD_AFTER: Duration = Duration::from_secs(60);
/// How long an adapter may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// What leads to the connection there is.
pub(crate) struct Lines {
    /// For what is to be sent.
    pub(crate) requests: watch::Sender<Option<mpsc::Sender<SendRequest>>>,
    /// For what is only shown.
    pub(crate) hints: Hints,
}

impl Lines {
    fn open(&self, requests: mpsc::Sender<SendRequest>, hints: Option<mpsc::Sender<Typing>>) {
        if let Some(hints) = hints {
            self.hints.open(hints);
        }
        self.requests.send_replace(Some(requests));
    }

    fn close(&self) {
        self.requests.send_replace(None);
        self.hints.close();
    }
}

/// Why one connection is over.
enum Over {
    Asked,
    Ended(Ended),
    Broken(JoinError),
    Silent(Duration),
}

/// Runs the account until it is asked to end.
pub(crate) async fn supervise(worker: Worker, lines: Lines, inbound: InboundSink, end: CancellationToken) {
    let (account, progress) = (worker.account.clone(), worker.progress.clone());
    let dispatcher = AbortOnDrop(tokio::spawn(worker.clone().run()));
    let mut backoff = Backoff::new(RECONNECT_FIRST, RECONNECT_MAX);
    loop {
        progress.starting();
        let began = Instant::now();
        let over = connection(&worker, &lines, &inbound, &end).await;
        lines.close();
        let reason = match over {
            Over::Asked => break,
            Over::Ended(Ended::Failed(reason)) => {
                tracing::error!(account.id = %account, reason, "an account cannot work as it is configured");
                progress.enter(State::Failed, Some(reason));
                end.cancelled().await;
                break;
            }
            Over::Ended(Ended::Retry(reason)) => reason,
            Over::Broken(error) => {
                tracing::error!(account.id = %account, %error, "an account's task broke");
                "the adapter panicked".to_owned()
            }
            Over::Silent(silence) => format!("nothing was heard for {} seconds", silence.as_secs()),
        };
        if began.elapsed() >= GOOD_AFTER {
            backoff.reset();
        }
        let wait = backoff.next();
        tracing::warn!(account.id = %account, reason, wait_ms = wait.as_millis(), "an account is disconnected");
        progress.enter(State::Backoff, Some(reason));
        worker.metrics.restart(&account);
        tokio::select! {
            () = time::sleep(wait) => {}
            () = worker.adapter.again() => {}
            () = end.cancelled() => break,
        }
    }
    drop(dispatcher);
    worker.previews.end(&account);
    progress.enter(State::Stopped, None);
}

/// One connection, from its start until nothing of it is left.
async fn connection(worker: &Worker, lines: &Lines, inbound: &InboundSink, end: &CancellationToken) -> Over {
    let progress = &worker.progress;
    let (requests, outgoing) = mpsc::channel(REQUESTS_MAX);
    let (hints, typing) = mpsc::channel(TYPING_MAX);
    let hints = worker.capabilities.typing.then_some(hints);
    let mut ends = Some((requests, hints));
    let link = Link {
        inbound: inbound.clone(),
        progress: progress.clone(),
        outgoing,
        typing,
    };
    let adapter = std::sync::Arc::clone(&worker.adapter);
    let mut task = AbortOnDrop(tokio::spawn(async move { adapter.run(link).await }));
    let mut states = progress.watch();
    progress.known.begin();
    let refused = progress.known.refused();
    tokio::pin!(refused);
    let mut asked = std::pin::pin!(asked_now_and_then(worker));
    loop {
        let silent_at = worker
            .limits
            .liveness
            .map(|liveness| silent_at(progress, liveness));
        tokio::select! {
            ended = &mut task.0 => return match ended {
                Ok(ended) => Over::Ended(ended),
                Err(error) => Over::Broken(error),
            },
            () = end.cancelled() => {
                lines.close();
                drop(ends);
                let _ = time::timeout(GOODBYE, &mut task.0).await;
                task.gone().await;
                return Over::Asked;
            }
            Ok(()) = states.changed() => {
                if *states.borrow_and_update() == State::Connected && let Some((requests, hints)) = ends.take() {
                    tracing::info!(account.id = %worker.account, "an account is connected");
                    lines.open(requests, hints);
                }
            }
            () = &mut asked => {}
            reason = &mut refused => {
                lines.close();
                drop(ends);
                let _ = time::timeout(GOODBYE, &mut task.0).await;
                task.gone().await;
                return Over::Ended(Ended::Failed(reason));
            }
            () = passed(silent_at) => {
                let Some(liveness) = worker.limits.liveness else { continue };
                let silence = progress.last_heard().elapsed();
                if silence >= liveness.dead_after {
                    lines.close();
                    task.gone().await;
                    return Over::Silent(silence);
                }
                if silence >= liveness.degraded_after && progress.snapshot().state == State::Connected {
                    let reason = format!("nothing was heard for {} seconds", silence.as_secs());
                    tracing::warn!(account.id = %worker.account, reason, "an account is degraded");
                    progress.enter(State::Degraded, Some(reason));
                }
            }
        }
    }
}

/// Asks the platform now and then whether it still knows the account: where it calls us, or where only its line is watched, nothing else
/// would say so before something is to be sent. Never ends.
async fn asked_now_and_then(worker: &Worker) {
    loop {
        time::sleep(ASK_EVERY).await;
        if worker.progress.snapshot().state == State::Connected {
            worker.progress.known.ask(&*worker.adapter).await;
        }
    }
}

/// When the silence of a connection will mean something next. Nobody looks at the clock before.
fn silent_at(progress: &Progress, liveness: Liveness) -> Instant {
    let patience = if progress.snapshot().state == State::Connected {
        liveness.degraded_after
    } else {
        liveness.dead_after
    };
    progress.last_heard() + patience
}

/// Waits until a moment, if there is one.
async fn passed(at: Option<Instant>) {
    match at {
        Some(at) => time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// A task that does not outlive who holds it.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> AbortOnDrop<T> {
    /// Ends the task and waits until nothing of it is left.
    fn gone(&mut self) -> impl Future<Output = ()> + Send
    where
        T: Send,
    {
        self.0.abort();
        async {
            if !self.0.is_finished() {
                let _ = (&mut self.0).await;
            }
        }
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests;
