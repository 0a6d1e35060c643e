//! What a run shows while it goes on: increments at once, whole texts as their pace allows.

use gatehouse_proto::agent::v1::ToolCallDelta;
use tokio::time::Instant;

use super::super::events::{Phase, Stream};
use super::super::live::Stop;
use super::super::pacing::Piece;
use super::super::shared::Shared;
use super::super::taps;
use super::{Outcome, Run, stop_of};
use crate::error::Error;
use crate::store::Turn;

/// Which forms of a text still have to say that they do not go on with what was shown, but take its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rewrite {
    pub(super) increment: bool,
    pub(super) cumulative: bool,
}

impl Rewrite {
    pub(super) const ALL: Self = Self {
        increment: true,
        cumulative: true,
    };
    pub(super) const NONE: Self = Self {
        increment: false,
        cumulative: false,
    };

    pub(super) fn of(turn: &Turn) -> Self {
        if turn.shown > 0 { Self::ALL } else { Self::NONE }
    }
}

impl Run {
    /// Before the first thing is shown: writes down that it was, and what. A run that dies after this is begun again once.
    pub(super) async fn show_first(&mut self, text: &str) -> Result<Option<Stop>, Error> {
        let Shared {
            stores, owner, clock, ..
        } = &self.room.shared;
        let now = clock.now();
        let asked = self.asked.as_deref();
        let hold = stores.turns.show(&self.turn.run, owner, text, asked).await?;
        let stop = stop_of(hold);
        self.seen = stop.is_none();
        self.live.shown(now); // when it came, not when it was kept
        Ok(stop)
    }

    /// The same with the first text of an answer, which is shown then.
    pub(super) async fn show_first_text(&mut self, text: String) -> Result<Option<Stop>, Error> {
        let stop = self.show_first(&text).await?;
        if stop.is_none() {
            let seq = self.live.append_kept(&text);
            self.show_more(seq, text);
            self.events.timing(&self.turn.key, Phase::FirstText, None);
        }
        Ok(stop)
    }

    /// More of a call of a program's tool: for the program alone, until the message is whole.
    pub(super) async fn take_call(&mut self, call: ToolCallDelta) -> Result<Option<Outcome>, Error> {
        if !self.seen
            && let Some(stop) = self.show_first("").await?
        {
            return Ok(Some(Outcome::Stopped(stop)));
        }
        self.events.tap(&taps::Piece::Call(call));
        Ok(None)
    }

    /// Shows text that was added to the answer: as an increment at once, as a whole when it is due.
    pub(super) fn show_more(&mut self, seq: i64, text: String) {
        let replace = std::mem::take(&mut self.new_answer.increment);
        let text = if replace { self.live.shown_text() } else { text };
        self.events.increment(Stream::Assistant, seq, &text, replace);
        self.answer.push(&text);
        self.show_due();
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        let now = Instant::now();
        [self.answer.due(now), self.thinking.due(now)]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn show_due(&mut self) {
        let now = Instant::now();
        if let Some(piece) = self.thinking.take_due(now, self.thought.len()) {
            self.show_thinking(&piece);
        }
        if let Some(piece) = self.answer.take_due(now, self.live.shown_bytes()) {
            self.show_answer(&piece);
        }
    }

    pub(super) fn show_rest(&mut self) {
        let now = Instant::now();
        if let Some(piece) = self.thinking.take(now, self.thought.len()) {
            self.show_thinking(&piece);
        }
        if let Some(piece) = self.answer.take(now, self.live.shown_bytes()) {
            self.show_answer(&piece);
        }
    }

    fn show_thinking(&mut self, piece: &Piece) {
        let replace = std::mem::take(&mut self.new_thinking.cumulative);
        self.events.cumulative(
            Stream::Thinking,
            self.live.next_seq(),
            piece,
            &self.thought,
            replace,
        );
    }

    fn show_answer(&mut self, piece: &Piece) {
        let replace = std::mem::take(&mut self.new_answer.cumulative);
        self.events.cumulative(
            Stream::Assistant,
            self.live.append(""),
            piece,
            &self.live.shown_text(),
            replace,
        );
    }
}
