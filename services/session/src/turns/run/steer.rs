//! What is said while a run is at work and steers it: taken in before the next call of a model, so that the same run answers it. What
//! it had said by then becomes a row of its own, and stays on the screens.

use gatehouse_core::{Chain, Content, Timestamp};

use super::super::events::Stream;
use super::super::live::seq_before;
use super::{Outcome, Pacer, Rewrite, Run, stop_of};
use crate::answer;
use crate::error::Error;
use crate::store::{Ended, EntryExtra, Hold, NewEntry, Role, TakeIn, TakenIn};

impl Run {
    /// Takes in what waits. `done` is what the model just said to its end. Answers that the model is to be asked again, that the run
    /// is to stop, or nothing when nothing was taken in.
    pub(super) async fn take_in(&mut self, done: Option<&Outcome>) -> Result<Option<Outcome>, Error> {
        if !self.live.take_steering() {
            return Ok(None);
        }
        if let Some(stop) = self.show_held_back().await? {
            return Ok(Some(Outcome::Stopped(stop)));
        }
        let room = std::sync::Arc::clone(&self.room);
        let live = std::sync::Arc::clone(&self.live);
        let shared = &room.shared;
        let now = shared.clock.now();
        let said = done.and_then(|done| self.row_of(done, now));
        self.show_rest();
        let order = room.order.of(&self.turn.key).await;
        let keeping = live.keeping().await;
        let take_in = TakeIn {
            run: self.turn.run.clone(),
            owner: shared.owner.clone(),
            said: said.map(|row| (self.steps, row)),
            now,
        };
        let TakenIn {
            hold,
            entry,
            ended,
            session,
        } = match shared.stores.turns.take_in(take_in).await {
            Ok(taken) => taken,
            Err(error) => {
                // They wait on, and are answered afterwards.
                tracing::warn!(run.id = %self.turn.run, error = %Chain(&error), "what steers a run could not be taken in");
                return Ok(None);
            }
        };
        if hold != Hold::Held {
            return Ok(stop_of(hold).map(Outcome::Stopped));
        }
        if ended.is_empty() {
            return Ok(None);
        }
        if let (Some(entry), Some(session)) = (&entry, &session) {
            shared.events.row(entry, session, shared.agents().as_deref());
            self.steps += 1;
        }
        for Ended { turn, .. } in &ended {
            tracing::debug!(run.id = %turn.run, "a message was taken in by the run under way");
        }
        for ended in &ended {
            room.settle.settle(ended, None, seq_before(ended.turn.attempt));
        }
        if done.is_some() {
            self.go_on(done);
        }
        drop((keeping, order));
        self.is_steered = true;
        Ok(Some(Outcome::Steered))
    }

    /// The row of an answer that the run goes on from.
    fn row_of(&self, done: &Outcome, now: Timestamp) -> Option<NewEntry> {
        let Outcome::Done {
            stop_reason,
            usage,
            answered_by: (provider, model),
            content,
        } = done
        else {
            return None;
        };
        let content = content.clone().unwrap_or_else(|| Content::text(self.live.text()));
        if content.is_blank() {
            return None;
        }
        let row = answer::step(&self.turn.run, Role::Assistant, &content, self.steps, now);
        let extra = EntryExtra {
            provider: Some(provider.clone()).filter(|provider| !provider.is_empty()),
            model: Some(model.clone()).filter(|model| !model.is_empty()),
            stop_reason: Some(stop_reason.clone()),
            usage: *usage,
            ..row.extra
        };
        Some(NewEntry { extra, ..row })
    }

    /// What was said stays before what follows.
    fn go_on(&mut self, done: Option<&Outcome>) {
        if let Some(Outcome::Done { usage, .. }) = done {
            self.said.add(&self.live.text(), usage.unwrap_or_default());
        }
        if let Some((part, seq)) = self.live.go_on() {
            self.events.increment(Stream::Assistant, seq, part, false);
            self.answer.push(part);
        }
        self.earlier.clear();
        if !self.thought.is_empty() {
            self.thought.clear();
            self.new_thinking = Rewrite::ALL;
            self.thinking = Pacer::new(self.room.pacing.clone());
        }
    }
}
