//! Sends what waits, and keeps what became of it.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use gatehouse_core::{Chain, Clock, Drain};
use reqwest::{Client, redirect};
use tokio::sync::{Notify, watch};
use tokio::time;

use super::super::{Post, PostEnd, Schedules};
use crate::policy::Policy;

/// The whole of one request.
const WITHIN: Duration = Duration::from_secs(10);
/// Requests at once.
const TOGETHER: usize = 4;
/// Between two tries, in milliseconds: after the last of them it is given up, an hour and a half later.
const AGAIN_MS: [i64; 5] = [10_000, 60_000, 300_000, 900_000, 3_600_000];
/// How long it sleeps at most: the clock may be set.
const LOOK: Duration = Duration::from_secs(30);
/// How long it waits after the store failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Who sends.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) store: Arc<dyn Schedules>,
    pub(crate) policies: watch::Receiver<Option<Arc<Policy>>>,
    pub(crate) clock: Clock,
    /// Told when something may wait.
    pub(crate) waits: Arc<Notify>,
}

/// Why a program was not told.
struct Untold {
    problem: String,
    /// Whether it may go better later.
    may_pass: bool,
}

impl Sender {
    /// Sends until the drain.
    pub(crate) async fn run(mut self, drain: Drain) {
        loop {
            let wait = self.look().await;
            tokio::select! {
                () = drain.requested() => return,
                () = self.waits.notified() => {}
                Ok(()) = self.policies.changed() => {}
                () = time::sleep(wait) => {}
            }
        }
    }

    /// Sends what is due. The answer is how long there is nothing to do.
    async fn look(&self) -> Duration {
        let Some(policy) = self.policies.borrow().clone() else {
            return LOOK;
        };
        loop {
            let due = match self.store.posts(self.clock.now()).await {
                Ok(due) => due,
                Err(error) => {
                    tracing::error!(error = %Chain(&error), "what programs are to be told could not be read");
                    return PAUSE;
                }
            };
            if due.is_empty() {
                break;
            }
            let settled: Vec<bool> = stream::iter(due)
                .map(|post| self.settle(post, &policy))
                .buffer_unordered(TOGETHER)
                .collect()
                .await;
            if settled.contains(&false) {
                return PAUSE;
            }
        }
        match self.store.next_post().await {
            Ok(Some(at)) => {
                let left = at.since(self.clock.now());
                left.clamp(Duration::from_millis(10), LOOK)
            }
            Ok(None) => LOOK,
            Err(_) => PAUSE,
        }
    }

    /// Sends one. False: what became of it could not be kept.
    async fn settle(&self, post: Post, policy: &Policy) -> bool {
        let told = send(&post, policy).await;
        let now = self.clock.now();
        let again = usize::try_from(post.attempts)
            .ok()
            .and_then(|tried| AGAIN_MS.get(tried));
        let end = match (told, again) {
            (Ok(()), _) => PostEnd::Told,
            (
                Err(Untold {
                    problem,
                    may_pass: true,
                }),
                Some(wait),
            ) => PostEnd::Again {
                at: now.plus_ms(*wait),
                problem,
            },
            (Err(Untold { problem, .. }), _) => PostEnd::GaveUp(problem),
        };
        if let PostEnd::GaveUp(problem) = &end {
            tracing::warn!(job.id = %post.slot.job, problem, "a program was not told of a run");
        }
        if let Err(error) = self.store.settle_post(post.id, end).await {
            tracing::error!(error = %Chain(&error), "what a program was told could not be kept");
            return false;
        }
        true
    }
}

async fn send(post: &Post, policy: &Policy) -> Result<(), Untold> {
    let aim = policy.posts.aim(&post.url).await.map_err(|unfit| Untold {
        problem: format!("delivery.to {unfit}"),
        may_pass: unfit.may_pass(),
    })?;
    // A client for each request: what its name means was judged, and is not asked again.
    let client = Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(WITHIN)
        .resolve_to_addrs(&aim.host, &aim.addresses)
        .user_agent(concat!("gatehouse/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Untold {
            problem: format!("the HTTP client cannot be built: {error}"),
            may_pass: true,
        })?;
    let mut request = client
        .post(aim.url)
        .header("content-type", "application/json")
        .header("idempotency-key", post.slot.run().as_str())
        .body(post.body.clone());
    if let Some(token) = &policy.post_token {
        request = request.bearer_auth(token.expose());
    }
    match request.send().await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => {
            let status = answer.status();
            Err(Untold {
                problem: format!("it answered {}", status.as_u16()),
                may_pass: status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429),
            })
        }
        Err(error) => Err(Untold {
            problem: if error.is_timeout() {
                "it did not answer in time".to_owned()
            } else {
                format!("it cannot be reached: {}", Chain(&error.without_url()))
            },
            may_pass: true,
        }),
    }
}
