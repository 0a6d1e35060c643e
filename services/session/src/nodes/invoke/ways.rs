//! What does not happen at once: invocations that wait for a node that is away, and those that wait for a telephone to be in the
//! foreground, which fetches them itself.

use std::time::Duration;

use gatehouse_core::{Chain, Drain};
use gatehouse_proto::node::v1 as proto;

use super::super::commands::Platform;
use super::super::{End, Error, Expired, NodeId, Nodes, State, Trouble, Waiting};
use super::{Landing, Payload, Wish};

/// How long something waits for the foreground: OpenClaw's figure.
const FOREGROUND: Duration = Duration::from_secs(600);
/// How often old invocations are looked for.
const UPKEEP: Duration = Duration::from_secs(600);
/// How soon a database that did not answer is asked again.
const RECOVER_AGAIN: Duration = Duration::from_secs(1);
/// How long a result is kept for a repeat of its call: callers try again within minutes.
const RESULT_KEPT: Duration = Duration::from_secs(60 * 60);
/// How long invocations are remembered.
const HISTORY: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Whether a node says that it is in the background and does this in the foreground only.
fn waits_for_foreground(platform: Platform, command: &str, end: &End) -> bool {
    let family = || {
        ["camera.", "screen.", "talk."]
            .iter()
            .any(|family| command.starts_with(family))
    };
    let says = |trouble: &Trouble| {
        trouble.code.eq_ignore_ascii_case("NODE_BACKGROUND_UNAVAILABLE")
            || trouble
                .message
                .to_ascii_uppercase()
                .contains("BACKGROUND_UNAVAILABLE")
    };
    platform == Platform::Ios
        && end.state == State::Error
        && family()
        && end.trouble.as_ref().is_some_and(says)
}

impl Wish {
    fn of_waiting(node: &NodeId, waiting: Waiting) -> (String, Vec<u8>, Self) {
        let Waiting {
            id,
            command,
            params,
            timeout_ms,
            key,
            fingerprint,
            session_key,
            asker,
            created_at: _,
        } = waiting;
        let wish = Self {
            node: node.clone(),
            command,
            params,
            timeout_ms,
            key,
            session_key,
            queue_ttl_ms: None,
            listener: None,
            asker,
        };
        (id, fingerprint, wish)
    }
}

impl Nodes {
    /// Lets something wait for the foreground, if that is what the node asks for.
    pub(super) async fn put_off(&self, wish: &Wish, id: &str, end: &End) -> Option<Landing> {
        let seen = self.0.registry.see(&wish.node)?;
        if !waits_for_foreground(Platform::of(&seen.facts), &wish.command, end) {
            return None;
        }
        let until = self.now() + FOREGROUND;
        match self.0.store.put_off(id, wish.params.clone(), until).await {
            Ok(true) => {
                self.0.flights.queued.notify_one();
                end.trouble.clone().map(Landing::PutOff)
            }
            Ok(false) => None,
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "an invocation could not be put off");
                None
            }
        }
    }

    /// Sends what waited for a node that may be asked for it now.
    pub(in super::super) async fn send_waiting(&self, node: &NodeId) -> Result<(), Error> {
        let waiting = self.0.store.waiting(node, false, self.now()).await?;
        let rules = self.rules();
        for waiting in waiting {
            let (id, fingerprint, wish) = Wish::of_waiting(node, waiting);
            let line = rules
                .as_ref()
                .ok()
                .and_then(|rules| self.0.registry.line_for(node, rules, &wish.command));
            // What nobody agreed to yet goes on waiting: an answer may come before its time is over.
            let Some(Ok(line)) = line else { continue };
            let Some(ticket) = self.0.flights.resume(&id, wish.place(), fingerprint) else {
                continue;
            };
            if !self.0.store.start(&id, self.now()).await? {
                continue;
            }
            let nodes = self.clone();
            self.0.drain.spawn_work("invocation", async move {
                nodes.fly(&wish, ticket, line, false).await;
            });
        }
        Ok(())
    }

    /// What a node in the foreground has to do, as far as it may.
    pub(in super::super) async fn pull(&self, node: &NodeId) -> Result<Vec<proto::PendingAction>, Error> {
        let rules = self.rules()?;
        let waiting = self.0.store.waiting(node, true, self.now()).await?;
        let allowed = waiting.into_iter().filter(|waiting| {
            matches!(
                self.0.registry.line_for(node, &rules, &waiting.command),
                Some(Ok(_))
            )
        });
        Ok(allowed
            .map(|waiting| proto::PendingAction {
                id: waiting.id,
                command: waiting.command,
                params_json: waiting.params,
                enqueued_at_ms: waiting.created_at.as_ms(),
            })
            .collect())
    }

    /// A node has taken these: that is their end. The answer is those that had waited for it.
    pub(in super::super) async fn acknowledge(
        &self,
        node: &NodeId,
        ids: &[String],
    ) -> Result<Vec<String>, Error> {
        let now = self.now();
        let waiting = self.0.store.waiting(node, true, now).await?;
        let mut taken = Vec::new();
        for waiting in waiting.into_iter().filter(|waiting| ids.contains(&waiting.id)) {
            if self
                .0
                .store
                .end(&waiting.id, End::ok(Payload::default()), now)
                .await?
            {
                self.0.metrics.ended(State::Ok, None);
                taken.push(waiting.id);
            }
        }
        Ok(taken)
    }

    /// Ends what waited too long and forgets what is old, for ever.
    pub(crate) async fn keep_up(self, drain: Drain) {
        while let Err(error) = self.recover().await {
            tracing::warn!(error = %Chain(&error), "the invocations of the last process could not be looked at");
            tokio::select! {
                () = drain.requested() => return,
                () = tokio::time::sleep(RECOVER_AGAIN) => {}
            }
        }
        loop {
            let now = self.now();
            let next = match self.0.store.expire(now).await {
                Ok(Expired { ended, next }) => {
                    self.tell_settled(&ended);
                    next
                }
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "waiting invocations could not be looked at");
                    None
                }
            };
            let old = self
                .0
                .store
                .forget_invocations(now - RESULT_KEPT, now - HISTORY)
                .await;
            if let Err(error) = old {
                tracing::warn!(error = %Chain(&error), "old invocations could not be forgotten");
            }
            let pause = next.map_or(UPKEEP, |at| at.since(now).clamp(Duration::from_millis(1), UPKEEP));
            tokio::select! {
                () = drain.requested() => return,
                () = self.0.flights.queued.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// What ran when the last process ended is lost. Before anything else begins.
    async fn recover(&self) -> Result<(), Error> {
        let lost = self.0.store.lose(self.now()).await?;
        self.tell_settled(&lost);
        if !lost.is_empty() {
            tracing::warn!(
                count = lost.len(),
                "invocations of nodes were under way when the last process ended"
            );
        }
        self.0.recovered.send_replace(true);
        Ok(())
    }
}
