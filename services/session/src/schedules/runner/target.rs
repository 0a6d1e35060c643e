//! Where the answer of a job goes.

use super::super::{Delivery, Job, Payload, SlotRow, Wanted};
use super::Runner;
use crate::deliveries::Target;
use crate::error::Error;
use crate::key::{AgentId, SessionKey};
use crate::policy::Policy;

const NO_CHAT: &str =
    "no chat spoke last that the answer could go to: name one with delivery.channel and delivery.to";
const NO_RECIPIENT: &str = "delivery.to is needed: the chat that spoke last is on another channel";

impl Runner {
    /// Where the answer goes: decided before the turn begins. An answer that is to go nowhere has no target and no problem.
    pub(in crate::schedules) async fn target(
        &self,
        job: &Job,
        agent: &AgentId,
        key: &SessionKey,
        policy: &Policy,
    ) -> Result<Result<Target, Option<String>>, Error> {
        let (channel, to, account, thread) = match (&job.spec.delivery, &job.spec.payload) {
            (Some(Delivery::None { .. } | Delivery::Webhook { .. }), _)
            | (None, Payload::AgentTurn { .. } | Payload::Heartbeat {}) => {
                return Ok(Err(None));
            }
            (None, Payload::SystemEvent { .. }) => (None, None, None, None),
            (
                Some(Delivery::Announce {
                    channel,
                    to,
                    account_id,
                    thread_id,
                    best_effort: _,
                }),
                _,
            ) => (
                channel.as_deref(),
                to.as_ref(),
                account_id.as_ref(),
                thread_id.as_ref(),
            ),
        };
        let channel = channel.filter(|channel| *channel != "last");
        let sessions = &self.engine.stores().sessions;
        let mut last = sessions.find(key).await?.and_then(|session| session.target);
        if last.is_none() {
            let main = SessionKey::main(agent);
            last = sessions.find(&main).await?.and_then(|session| session.target);
        }
        // What is said by the clock answers no message.
        let last = last.map(|last| Target {
            reply_to_id: None,
            ..last
        });
        let reachable = |target: Target| match policy.accounts.problem(&target) {
            Some(problem) => Err(Some(problem)),
            None => Ok(target),
        };
        let Some(channel) = channel else {
            return Ok(last.ok_or(Some(NO_CHAT.to_owned())).and_then(reachable));
        };
        let same_channel = last.filter(|last| last.channel == channel);
        let Some(to) = to else {
            return Ok(same_channel
                .ok_or(Some(NO_RECIPIENT.to_owned()))
                .and_then(reachable));
        };
        let account = account.cloned().or(same_channel.map(|last| last.account_id));
        Ok(reachable(Target {
            channel: channel.to_owned(),
            account_id: account.unwrap_or_else(|| policy.accounts.default_of(channel).to_owned()),
            to: to.clone(),
            thread_id: thread.map(|thread| match thread {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            }),
            reply_to_id: None,
        }))
    }

    /// Whether the answer of a run was to be delivered, and why it cannot be where it has no chat.
    pub(super) async fn wanted(&self, row: &SlotRow, job: Option<&Job>) -> Result<Wanted, Error> {
        if row.target.is_some() {
            return Ok(Wanted::Yes);
        }
        let (Some(job), Some(key)) = (job, &row.key) else {
            return Ok(Wanted::No);
        };
        let best_effort = match &job.spec.delivery {
            Some(delivery @ Delivery::Announce { .. }) => delivery.is_best_effort(),
            Some(Delivery::None { .. } | Delivery::Webhook { .. }) | None => return Ok(Wanted::No),
        };
        let policy = self.engine.policy()?;
        let problem = self
            .target(job, &key.agent(), key, &policy)
            .await?
            .err()
            .flatten();
        Ok(Wanted::NowhereToGo {
            // A chat that came meanwhile was none when the run began.
            problem: problem.unwrap_or_else(|| NO_CHAT.to_owned()),
            best_effort,
        })
    }
}
