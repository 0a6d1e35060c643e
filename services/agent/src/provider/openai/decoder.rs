//! Bytes of a body in, pieces of an answer out. What makes no sense is passed over: one odd event does not end an answer, and what an
//! answer was, [`End`] knows when the body is over.

use gatehouse_proto::agent::v1::Usage;

use super::chunk::{self, CALLS_MAX, Chunk, Whole};
use crate::{
    program::CallPiece,
    provider::{
        StopReason,
        charset::Charset,
        failure::Said,
        inflate::Inflate,
        json::{self, Joiner},
        sse::{self, Event},
        think::{Piece, Splitter, add},
    },
};

/// Fewer bytes may begin a message by chance; from here on a message that begins so repeats what was said.
const REPETITION_BYTES_MIN: usize = 8;

/// Why a body cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("sent an event that is too long")]
    TooLong,
    #[error("sent a compressed answer that cannot be unpacked")]
    Packed,
}

/// What a body has said of its end so far.
#[derive(Debug, Default, PartialEq)]
pub(super) struct End {
    pub(super) stop_reason: Option<StopReason>,
    /// It said that nothing follows.
    pub(super) is_done: bool,
    pub(super) usage: Option<Usage>,
    pub(super) error: Option<Said>,
    /// Words that are an error unless an answer comes behind them.
    pub(super) instead: Option<Said>,
    /// What stands behind the last word of the answer and cannot be read.
    pub(super) tail: String,
    /// What came that is no words.
    pub(super) other: Option<&'static str>,
    /// Whether any document had an answer in it, be it an empty one.
    pub(super) has_choice: bool,
    /// The tool that the model wants to call first.
    pub(super) call: Option<String>,
    /// Whether it named every tool that it wants to call.
    pub(super) calls_are_named: bool,
    /// Why the model declines, in its own words.
    pub(super) refusal: String,
    /// Whether there was a word of the answer.
    pub(super) has_text: bool,
    pub(super) has_thought: bool,
    /// How many documents were parts of an answer.
    pub(super) chunks: usize,
    /// Whether the body ended in the middle of something.
    pub(super) is_cut: bool,
    /// The beginning of a body that is nothing of the kind.
    pub(super) stray: String,
    /// The first document that is no part of an answer.
    pub(super) foreign: String,
    /// How many events before the end could not be read.
    pub(super) passed_over: usize,
}

/// What may follow what has come so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Follows {
    /// The rest of the answer.
    #[default]
    Rest,
    /// Perhaps more of the answer: its reason to stop came beside words, and some servers give one with every piece.
    Perhaps,
    /// What it cost, and the closing mark: the answer is whole.
    Cost,
}

/// A body on its way in.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    inflate: Inflate,
    parser: sse::Parser,
    said: Joiner,
    thought: Joiner,
    splitter: Splitter,
    /// The text as it came, to know a repetition of it.
    text: String,
    /// The calls of tools so far: the id of each, and whether it has a name.
    calls: Vec<(Option<String>, bool)>,
    /// Whether each event stays a piece of its own.
    is_verbatim: bool,
    follows: Follows,
    /// Whether words came behind a reason to stop: with this server none is an end.
    goes_on: bool,
    end: End,
}

impl Decoder {
    /// One for what is written in these letters. `is_verbatim`: it hands on what each event said by itself, also when many come at once.
    pub(super) fn new(charset: Charset, is_verbatim: bool) -> Self {
        Self {
            parser: sse::Parser::new(charset),
            is_verbatim,
            ..Self::default()
        }
    }

    /// Takes bytes in, and appends the pieces that they complete.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<Piece>) -> Result<(), Unreadable> {
        let (mut plain, mut events) = (Vec::new(), Vec::new());
        let unpacked = self.inflate.push(bytes, &mut plain);
        let fits = self.parser.push(&plain, &mut events);
        self.take_all(&events, out);
        if self.is_over() {
            return Ok(()); // what comes behind the end does not count, and how much of it came is chance
        }
        fits.map_err(|sse::TooLong| Unreadable::TooLong)?;
        unpacked.map_err(|_| Unreadable::Packed)
    }

    /// Nothing came for a while: what is whole without its last sign is taken.
    pub(super) fn settle(&mut self, out: &mut Vec<Piece>) {
        let mut events = Vec::new();
        self.parser.settle(&mut events);
        self.take_all(&events, out);
    }

    /// The body is over, or nobody waits for more of it.
    pub(super) fn finish(mut self, out: &mut Vec<Piece>) -> End {
        if !self.is_over() {
            let mut events = Vec::new();
            self.parser.finish(&mut events);
            self.end.is_cut = self.parser.is_open();
            self.take_all(&events, out);
            if self.end.stray.is_empty() {
                self.parser.stray().trim().clone_into(&mut self.end.stray);
            }
            let tail = self.parser.tail().trim();
            if !tail.is_empty() {
                tail.clone_into(&mut self.end.tail);
            }
        }
        if let Some(c) = self.thought.finish() {
            add(out, Piece::Thinking(c.to_string()));
        }
        let mut last = Vec::new();
        if let Some(c) = self.said.finish() {
            self.splitter.push(&c.to_string(), &mut last);
        }
        self.splitter.finish(&mut last);
        self.give(last, out);
        self.end
    }

    /// Whether nothing can follow.
    pub(super) fn is_over(&self) -> bool {
        self.end.is_done || self.end.error.is_some()
    }

    /// What may follow.
    pub(super) fn follows(&self) -> Follows {
        self.follows
    }

    /// Whether this server gives a reason to stop with every piece, so that none of them says that the answer is whole.
    pub(super) fn goes_on(&self) -> bool {
        self.goes_on
    }

    fn has_stopped(&self) -> bool {
        self.end.stop_reason.is_some()
    }

    /// Whether it said what the answer cost. Some servers say nothing of it in many words.
    pub(super) fn has_usage(&self) -> bool {
        self.end
            .usage
            .as_ref()
            .is_some_and(|usage| usage.total_tokens > 0)
    }

    fn take_all(&mut self, events: &[Event], out: &mut Vec<Piece>) {
        for event in events {
            if self.is_over() {
                return;
            }
            self.take(event, out);
        }
    }

    fn take(&mut self, event: &Event, out: &mut Vec<Piece>) {
        if sse::is_done(&event.data) {
            self.end.is_done = true;
            return;
        }
        let is_error = event.is_error();
        let Some(parsed) = json::parse(&event.data) else {
            if is_error {
                self.fail(Said::words(&event.data));
                return;
            }
            if event.is_end() {
                self.end.is_done = true;
                return;
            }
            if self.end.stray.is_empty() {
                event.data.trim().clone_into(&mut self.end.stray);
            }
            if event.name.is_empty() && !event.data.trim().is_empty() {
                event.data.trim().clone_into(&mut self.end.tail);
            }
            // A named event is of a kind of its own, and behind the end nothing is missing.
            let may_be_missing =
                event.name.is_empty() && !event.data.trim().is_empty() && !self.has_stopped();
            self.end.passed_over += usize::from(may_be_missing);
            return;
        };
        let error = Said::in_answer(&parsed.value, is_error);
        let chunk = chunk::read(&parsed.value);
        // Some servers have a place for an error in every piece, and put something into it.
        let is_answer =
            |chunk: &Chunk| chunk.has_words() && !matches!(chunk.stop_reason, Some(StopReason::Fault(_)));
        if let Some(said) = chunk::error(&parsed.value) {
            self.fail(said);
        } else if let Some(said) = error
            .clone()
            .filter(|_| is_error || !chunk.as_ref().is_some_and(is_answer))
        {
            self.fail(said);
        } else if let Some(chunk) = chunk {
            self.end.chunks += 1;
            self.say(chunk, parsed.has_halves, out);
            self.end.instead = error.or(self.end.instead.take());
        } else {
            self.end.instead = self
                .end
                .instead
                .take()
                .or_else(|| Said::instead_of_answer(&parsed.value));
            if self.end.foreign.is_empty() {
                event.data.trim().clone_into(&mut self.end.foreign);
            }
        }
        self.end.is_done |= event.is_end();
    }

    /// An error behind a whole answer changes nothing about the answer. A reason to stop without a word makes none.
    fn fail(&mut self, said: Said) {
        let says_something = self.end.has_text || self.end.call.is_some();
        if self.has_stopped() && says_something && !self.goes_on {
            self.end.is_done = true;
        } else {
            self.end.error = Some(said);
        }
    }

    fn say(&mut self, chunk: Chunk, has_halves: bool, out: &mut Vec<Piece>) {
        let Chunk {
            thinking,
            mut text,
            whole,
            refusal,
            calls,
            stop_reason,
            usage,
            other,
            has_choice,
            is_last,
        } = chunk;
        let is_whole = whole.is_some();
        if let Some(whole) = whole {
            text.push_str(self.new_words(&whole));
        }
        // Said behind words of the answer it is one of them.
        if !refusal.is_empty() && (self.end.has_text || has_words(&text)) && !self.text.contains(&refusal) {
            if is_whole && !text.contains(&refusal) {
                text.push_str("\n\n");
            }
            if !text.contains(&refusal) {
                text.push_str(&refusal);
            }
        }
        let has_words = !thinking.is_empty() || !text.is_empty() || !calls.is_empty();
        if has_words {
            self.goes_on |= self.has_stopped();
            self.end.instead = None;
            self.end.tail.clear();
        }
        let thinking = self.thought.push(&thinking, has_halves);
        if !thinking.is_empty() {
            self.give(vec![Piece::Thinking(thinking)], out);
        }
        self.text.push_str(&text);
        let text = self.said.push(&text, has_halves);
        let mut pieces = Vec::new();
        self.splitter.push(&text, &mut pieces);
        self.give(pieces, out);

        if !self.end.has_text {
            self.end.refusal.push_str(&refusal);
        }
        for call in calls {
            self.call(call, out);
        }
        if let Some(reason) = &stop_reason {
            let began = self.end.has_text || self.end.has_thought || self.end.call.is_some();
            let beside_words = has_words && !is_whole || !began && *reason == StopReason::Stop;
            self.follows = match (self.goes_on, beside_words) {
                (true, _) => Follows::Rest,
                (false, true) => Follows::Perhaps,
                (false, false) => Follows::Cost,
            };
        } else if self.goes_on {
            self.follows = Follows::Rest;
        }
        self.end.stop_reason = stop_reason.or(self.end.stop_reason.take());
        let is_told = |usage: &Usage| usage.total_tokens > 0;
        self.end.usage = usage.filter(is_told).or(self.end.usage.take()).or(usage);
        self.end.other = other.or(self.end.other);
        self.end.has_choice |= has_choice;
        self.end.is_done |= is_last;
    }

    /// More of a call. Servers that do not number their calls send each whole: an id or a name anew begins another one.
    fn call(&mut self, mut piece: CallPiece, out: &mut Vec<Piece>) {
        let is_another = |known: &(Option<String>, bool)| {
            let by_id = piece.id.is_some() && known.0.is_some() && piece.id != known.0;
            by_id || (piece.id.is_none() && piece.name.is_some() && known.1)
        };
        if self.calls.get(piece.index).is_some_and(is_another) || piece.index > self.calls.len() {
            piece.index = self.calls.len();
        }
        if piece.index >= CALLS_MAX {
            return;
        }
        if piece.index == self.calls.len() {
            self.calls.push((None, false));
        }
        if let Some((id, named)) = self.calls.get_mut(piece.index) {
            if id.is_some() {
                piece.id = None; // said already
            } else {
                id.clone_from(&piece.id);
            }
            if std::mem::replace(named, *named || piece.name.is_some()) {
                piece.name = None;
            }
        }
        self.end.calls_are_named = self.calls.iter().all(|(_, named)| *named);
        if self.end.call.as_ref().is_none_or(String::is_empty) {
            self.end.call = Some(piece.name.clone().unwrap_or_default());
        }
        out.push(Piece::Call(piece));
    }

    /// What a message says that was not said before. Some servers repeat the whole text in each, some at the end, and some send
    /// messages where others send increments.
    fn new_words<'w>(&self, whole: &'w Whole) -> &'w str {
        let begins_anew = self.text.is_empty();
        match whole.text.strip_prefix(self.text.as_str()) {
            Some(rest) if begins_anew || self.text.len() >= REPETITION_BYTES_MIN => rest,
            _ if whole.beside_delta => "",
            _ => &whole.text,
        }
    }

    fn give(&mut self, pieces: Vec<Piece>, out: &mut Vec<Piece>) {
        for piece in pieces {
            match &piece {
                Piece::Text(text) => self.end.has_text |= has_words(text),
                Piece::Thinking(text) => self.end.has_thought |= !text.trim().is_empty(),
                Piece::WasThinking => {
                    self.end.has_thought |= self.end.has_text;
                    self.end.has_text = false;
                }
                Piece::Call(_) => {} // come by themselves
            }
            if self.is_verbatim {
                out.push(piece);
            } else {
                add(out, piece);
            }
        }
    }
}

/// Whether anything can be read in it: neither white space nor what has no width is.
fn has_words(text: &str) -> bool {
    const WITHOUT_WIDTH: [char; 6] = [
        '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}', '\u{ad}',
    ];
    text.chars()
        .any(|c| !c.is_whitespace() && !WITHOUT_WIDTH.contains(&c))
}

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod trial {
    //! A body read at once or in pieces, for tests and for the fuzzer.

    use super::{Decoder, Piece};

    /// What was thought, what was said, and what the end is.
    pub(crate) fn read<'b>(pieces: impl IntoIterator<Item = &'b [u8]>) -> (String, String, String) {
        let (mut decoder, mut out) = (Decoder::default(), Vec::new());
        let mut unreadable = None;
        for piece in pieces {
            if decoder.is_over() {
                break;
            }
            if let Err(why) = decoder.push(piece, &mut out) {
                unreadable = Some(why);
                break;
            }
        }
        let end = decoder.finish(&mut out);
        let (mut thought, mut said) = (String::new(), String::new());
        for piece in out {
            match piece {
                Piece::Text(text) => said.push_str(&text),
                Piece::Thinking(text) => thought.push_str(&text),
                Piece::WasThinking => thought.push_str(&std::mem::take(&mut said)),
                Piece::Call(_) => {}
            }
        }
        (thought, said, format!("{end:?} {unreadable:?}"))
    }
}

#[cfg(test)]
mod tests;
