//! The end of a run: what is stored, and what is said when this run was the one to end its turn.

use std::time::Duration;

use gatehouse_core::content::Block;
use gatehouse_core::{Chain, Content, Notice};
use gatehouse_proto::agent::v1::FailureKind;
use tokio::time;

use super::super::live::Stop;
use super::super::outcome::INTERRUPTED;
use super::super::taps::Piece;
use super::{Outcome, Run, notice};
use crate::answer;
use crate::error::Error;
use crate::sessions::settings::{Reasoning, ResponseUsage};
use crate::stop::StopReason;
use crate::store::{Claimed, Ended, EntryExtra, Finish, GaveBack, Tokens, TurnState};

/// How often the end of a turn is offered to a store that fails, a second apart: as long as a lease.
const FINISH_ATTEMPTS: u32 = 15;

impl Run {
    /// Stores the end, and says it if this run was the one to end the turn. Answers the turn that was begun with it.
    pub(super) async fn end(&mut self, outcome: Outcome) -> Option<Claimed> {
        let mut kind = None;
        let text = self.answer_text();
        // Until its first word, the text of the attempt before stands on the screens.
        let shown = if text.is_empty() {
            self.earlier.clone()
        } else {
            text.clone()
        };
        let mut finish = Finish {
            run: self.turn.run.clone(),
            owner: self.room.shared.owner.clone(),
            state: TurnState::Failed,
            summary: None,
            entry: None,
            reply: None,
            stop_reason: None,
            error: None,
            usage: Some(self.said.spent).filter(|spent| *spent != Tokens::default()),
            answered_by: None,
            now: self.room.shared.clock.now(),
        };
        match outcome {
            Outcome::Stopped(Stop::Lost) => return None,
            // The next process runs it again: this attempt showed nothing.
            Outcome::Stopped(Stop::Drain) if !self.seen => return None,
            Outcome::Stopped(Stop::Drain) => {
                self.failed(
                    &mut finish,
                    &shown,
                    &INTERRUPTED.into(),
                    StopReason::Interrupted,
                    None,
                );
                finish.state = TurnState::Interrupted;
                finish.stop_reason = Some(StopReason::Restart);
            }
            Outcome::Stopped(Stop::Abort(origin)) => {
                finish.state = TurnState::Aborted;
                finish.stop_reason = Some(origin.into());
                finish.entry = (!shown.is_empty())
                    .then(|| answer::aborted(&self.turn.run, &shown, origin, self.asked.clone(), finish.now));
                finish.reply = (!self.said.text.is_empty()).then(|| Content::text(self.said.text.trim_end()));
            }
            Outcome::Done {
                usage, answered_by, ..
            } if self.summary.is_some() => {
                let summary = self.summary.take().unwrap_or_default();
                if !self.summed_up(&mut finish, &summary, usage, answered_by) {
                    kind = Some("unknown");
                    let notice = notice::failed(
                        FailureKind::Empty,
                        "the model wrote no summary: try /compact again",
                    );
                    self.failed(&mut finish, "", &notice, StopReason::Error, None);
                }
            }
            Outcome::Done {
                stop_reason,
                usage,
                answered_by,
                content,
            } => {
                finish.state = TurnState::Done;
                let extra = EntryExtra {
                    provider: Some(answered_by.0.clone()).filter(|provider| !provider.is_empty()),
                    model: Some(answered_by.1.clone()).filter(|model| !model.is_empty()),
                    stop_reason: Some(stop_reason.clone()),
                    usage,
                    ..EntryExtra::default()
                };
                let content = content.unwrap_or_else(|| Content::text(text));
                // A model that says everything before its last call says nothing after it.
                let reply = answer::reply(content.clone())
                    .or_else(|| answer::reply(Content::text(std::mem::take(&mut self.said_before))));
                let (content, reply) = self.say_unseen(content, reply);
                finish.entry = Some(answer::row(&self.turn.run, &content, true, extra, finish.now));
                finish.reply = reply;
                if !self.said.text.is_empty() {
                    let last = finish.reply.take().map(Content::into_blocks).unwrap_or_default();
                    let before = Block::text(format!("{}\n", self.said.text.trim_end())); // a blank line before the next block
                    finish.reply = Some([before].into_iter().chain(last).collect());
                }
                if let Some(notice) = notice::unfinished(&stop_reason) {
                    finish.reply = finish.reply.map(|reply| answer::cut_off(reply, notice));
                }
                finish.reply = finish
                    .reply
                    .take()
                    .map(|reply| self.dressed(reply, usage, &answered_by));
                finish.stop_reason = Some(stop_reason);
                finish.usage = match (finish.usage, usage) {
                    (Some(spent), Some(last)) => Some(spent.and(last)),
                    (spent, last) => spent.or(last),
                };
                finish.answered_by = Some(answered_by).filter(|(provider, _)| !provider.is_empty());
            }
            Outcome::Failed {
                kind: FailureKind::Silent,
                answered_by,
                ..
            } if self.may_be_silent().await => {
                finish.state = TurnState::Done;
                finish.stop_reason = Some(StopReason::Stop);
                finish.answered_by = answered_by;
            }
            Outcome::Failed {
                message,
                kind: failure,
                answered_by,
            } => {
                kind = Some(error_kind(failure));
                self.events.tap(&Piece::Failed(failure));
                let notice = notice::failed(failure, message);
                self.failed(&mut finish, &shown, &notice, StopReason::Error, answered_by);
            }
            Outcome::Unreachable | Outcome::Steered => {
                self.events.tap(&Piece::Failed(FailureKind::Unavailable));
                let notice = notice::UNREACHABLE.into();
                self.failed(&mut finish, &shown, &notice, StopReason::Error, None);
            }
            Outcome::BrokenOff => {
                if self.give_back().await != GaveBack::Spent {
                    return None;
                }
                self.failed(
                    &mut finish,
                    &shown,
                    &notice::BROKEN_OFF.into(),
                    StopReason::Interrupted,
                    None,
                );
                finish.state = TurnState::Interrupted;
            }
        }
        self.show_rest();
        self.commit(finish, kind).await
    }

    /// What a chat reads of an answer, as the session's owner wants it.
    fn dressed(&self, reply: Content, usage: Option<Tokens>, answered_by: &(String, String)) -> Content {
        let settings = &self.session.settings;
        let reply = match settings.reasoning {
            Some(Reasoning::On) => answer::with_thoughts(reply, &self.thought),
            Some(Reasoning::Off) | None => reply,
        };
        let (provider, model) = answered_by;
        match (settings.usage, usage) {
            (Some(ResponseUsage::Tokens), Some(usage)) => answer::with_usage(reply, usage, None),
            (Some(ResponseUsage::Full), Some(usage)) => {
                answer::with_usage(reply, usage, Some((provider.as_str(), model.as_str())))
            }
            (Some(ResponseUsage::Off) | None, _) | (_, None) => reply,
        }
    }

    fn failed(
        &self,
        finish: &mut Finish,
        text: &str,
        notice: &Notice,
        stop_reason: StopReason,
        answered_by: Option<(String, String)>,
    ) {
        let message = notice.for_operators();
        let (provider, model) = answered_by.unzip();
        let extra = EntryExtra {
            wrote: self.asked.clone().filter(|_| provider.is_none()),
            provider,
            model,
            stop_reason: Some(stop_reason.clone()),
            ..EntryExtra::default()
        };
        finish.state = TurnState::Failed;
        finish.entry = Some(answer::broken_off(
            &self.turn.run,
            text,
            message,
            extra,
            finish.now,
        ));
        // A chat gets what was written and why it ends there, in one delivery: in order, and once.
        let whole = format!("{}{text}", self.said.text);
        finish.reply = Some(Content::text(answer::with_notice(&whole, notice.for_people())));
        finish.stop_reason = Some(stop_reason);
        finish.error = Some(message.to_owned());
    }

    /// Puts the turn back into the queue, to be run again.
    async fn give_back(&self) -> GaveBack {
        let shared = &self.room.shared;
        let (run, limits) = (&self.turn.run, shared.timing.limits);
        for _ in 0..FINISH_ATTEMPTS {
            match shared.stores.turns.give_back(run, &shared.owner, limits).await {
                Ok(GaveBack::Queued) => {
                    tracing::warn!(run.id = %run, "a turn is run again: its answer broke off");
                    shared.metrics.run_again.inc();
                    return GaveBack::Queued;
                }
                Ok(gave_back) => return gave_back,
                Err(error) => {
                    tracing::error!(run.id = %run, error = %Chain(&error), "a turn could not be put back into the queue");
                }
            }
            time::sleep(Duration::from_secs(1)).await;
        }
        GaveBack::Lost // its lease ends, and the dispatcher takes it over
    }

    async fn commit(&mut self, finish: Finish, kind: Option<&'static str>) -> Option<Claimed> {
        for _ in 0..FINISH_ATTEMPTS {
            let room = std::sync::Arc::clone(&self.room);
            let order = room.order.of(&self.turn.key).await;
            let (ended, next) = match self.finish(finish.clone()).await {
                Ok(finished) => finished,
                Err(error) => {
                    tracing::error!(run.id = %self.turn.run, error = %Chain(&error), "the end of a turn could not be stored");
                    drop(order);
                    time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            match ended {
                Some(ended) => {
                    self.show_stored();
                    self.room.settle.settle(&ended, kind, self.live.next_seq());
                }
                None => {
                    tracing::warn!(run.id = %self.turn.run, "a turn ended elsewhere: its end is not said twice");
                }
            }
            return next;
        }
        None // its lease ends, and the dispatcher takes it over
    }

    /// Ends the turn and, unless fewer may run now, begins the next one in the same commit.
    async fn finish(&self, finish: Finish) -> Result<(Option<Ended>, Option<Claimed>), Error> {
        let shared = &self.room.shared;
        let turns = &shared.stores.turns;
        let goes_on = !shared.drain.is_requested()
            && shared
                .policy()
                .is_some_and(|policy| self.room.runs.within(policy.concurrent_max));
        if goes_on {
            turns.finish_and_claim(finish, shared.lease()).await
        } else {
            Ok((turns.finish(finish).await?, None))
        }
    }
}

/// The words that chat screens know.
fn error_kind(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::RateLimit => "rate_limit",
        FailureKind::Context => "context_length",
        FailureKind::Timeout => "timeout",
        FailureKind::Rejected | FailureKind::Moderation => "refusal",
        FailureKind::Unspecified
        | FailureKind::Auth
        | FailureKind::Unavailable
        | FailureKind::Config
        | FailureKind::ModelMissing
        | FailureKind::Empty
        | FailureKind::Silent => "unknown",
    }
}
