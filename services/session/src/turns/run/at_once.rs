//! An answer whose end is there before its first word was shown. That a text was seen is a commit of its own, so that a crash never
//! makes a second answer of it; where the end is at hand, its commit says the same, and everything is shown behind it.

use std::collections::VecDeque;

use futures::FutureExt;
use gatehouse_proto::agent::v1::run_turn_response::Event;
use gatehouse_proto::agent::v1::{RunTurnResponse, TextDelta};
use tokio::time::{self, Instant};
use tonic::{Status, Streaming};

use super::super::events::Phase;
use super::super::live::Stop;
use super::Run;
use crate::answer::ANSWER_BYTES_MAX;
use crate::error::Error;

/// What is looked at ahead of its turn. A model that writes an answer in one go sends it in a few pieces.
const AHEAD_MAX: usize = 64;

/// What a stream says next.
type Next = Result<Option<RunTurnResponse>, Status>;

/// What comes next, from what was looked at ahead or from the stream.
///
/// # Cancel safety
/// Nothing is lost.
pub(super) async fn next(ahead: &mut VecDeque<Next>, stream: &mut Streaming<RunTurnResponse>) -> Next {
    match ahead.pop_front() {
        Some(next) => next,
        None => stream.message().await,
    }
}

pub(super) async fn sleep_until_some(at: Option<Instant>) {
    match at {
        Some(at) => time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Looks at what has come, up to the end of the answer or of the stream.
pub(super) fn look_ahead(ahead: &mut VecDeque<Next>, stream: &mut Streaming<RunTurnResponse>) {
    let mut goes_on = ahead.back().is_none_or(goes_on_after);
    while goes_on
        && ahead.len() < AHEAD_MAX
        && let Some(next) = stream.message().now_or_never()
    {
        goes_on = goes_on_after(&next);
        ahead.push_back(next);
    }
}

fn goes_on_after(next: &Next) -> bool {
    matches!(next, Ok(Some(_))) && !is_end(next)
}

fn is_end(next: &Next) -> bool {
    matches!(
        next,
        Ok(Some(RunTurnResponse {
            event: Some(Event::Completed(_))
        }))
    )
}

impl Run {
    /// Whether this is the first text of an answer of which nothing was shown. A program reads each piece as it comes.
    pub(super) fn may_come_at_once(&self, event: &Event) -> bool {
        !self.seen
            && self.turn.program.is_none()
            && self.summary.is_none()
            && self.at_once.is_none()
            && matches!(event, Event::TextDelta(_))
    }

    /// Holds the answer back, if all of it is here: what is left of `ahead` is its end.
    pub(super) fn hold_back(&mut self, first: &Event, ahead: &mut VecDeque<Next>) -> bool {
        let (Event::TextDelta(TextDelta { text }), Some((end, between))) =
            (first, ahead.make_contiguous().split_last())
        else {
            return false;
        };
        let mut whole = text.clone();
        for next in between {
            let Ok(Some(RunTurnResponse {
                event: Some(Event::TextDelta(delta)),
            })) = next
            else {
                return false;
            };
            whole.push_str(&delta.text);
        }
        if !is_end(end) || whole.is_empty() || self.live.shown_bytes() + whole.len() > ANSWER_BYTES_MAX {
            return false;
        }
        ahead.drain(..ahead.len() - 1);
        self.at_once = Some(whole);
        true
    }

    /// The text of the answer, shown or not.
    pub(super) fn answer_text(&self) -> String {
        self.at_once.clone().unwrap_or_else(|| self.live.text())
    }

    /// Shows what was held back although the end is not stored: something follows it.
    pub(super) async fn show_held_back(&mut self) -> Result<Option<Stop>, Error> {
        match self.at_once.take() {
            Some(text) => self.show_first_text(text).await,
            None => Ok(None),
        }
    }

    /// Shows what was held back: its end is stored.
    pub(super) fn show_stored(&mut self) {
        if let Some(text) = self.at_once.take() {
            self.seen = true;
            self.live.shown(self.room.shared.clock.now());
            let seq = self.live.append_kept(&text);
            self.show_more(seq, text);
            self.events.timing(&self.turn.key, Phase::FirstText, None);
            self.show_rest();
        }
    }
}
