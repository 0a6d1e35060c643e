//! OpenAI's harmony format, as gpt-oss writes it. Servers that know it take it apart; the others send it as the answer: before each
//! message a header with its channel, and a mark behind it. What is on the channel `final` is the answer, and so is what the model tells
//! the person before it calls a tool; all else is thought.

use super::{Match, Piece, Place, Splitter, Taken, add, behind, first};

/// What ends a header.
const MESSAGE: &str = "<|message|>";

/// What begins one. Some templates write the first of them into the question.
const HEADERS: &[&str] = &["<|start|>", CHANNEL];

const CHANNEL: &str = "<|channel|>";

/// What ends a message and belongs to nothing.
const ENDS: &[&str] = &["<|end|>", "<|return|>", "<|call|>"];

/// The end of a message whose header was a part of the question: all before it was thought.
pub(super) const NEXT: &str = "<|end|><|start|>";

/// The longest header: a role, a recipient, a channel and a type of content. More is a sentence about one.
const HEADER_BYTES_MAX: usize = 200;

/// Where the next character stands in such an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Harmony {
    /// Before a header.
    Between,
    Said,
    Thought,
}

impl Splitter {
    pub(super) fn harmony(&mut self, at: Harmony, text: &str, out: &mut Vec<Piece>) -> Taken {
        match at {
            Harmony::Between => self.between(text, out),
            Harmony::Said | Harmony::Thought => self.message(at, text, out),
        }
    }

    fn between(&mut self, text: &str, out: &mut Vec<Piece>) -> Taken {
        let words = text.trim_start();
        let space = text.len() - words.len();
        if space > 0 {
            return Taken::Bytes(space);
        }
        match (first(words, ENDS), header(words)) {
            (Match::Full(bytes), _) => Taken::Bytes(bytes),
            (_, (Match::Full(bytes), next)) => {
                self.enter(next, out);
                Taken::Bytes(bytes)
            }
            (Match::Part, _) | (_, (Match::Part, _)) => Taken::Waits(0),
            (Match::None, (Match::None, _)) => {
                // Words without a header. The first of them may look like the beginning of one.
                let bytes = words.chars().next().map_or(0, char::len_utf8);
                self.place = Place::Harmony(Harmony::Said);
                self.say(words.get(..bytes).unwrap_or_default(), out);
                Taken::Bytes(bytes)
            }
        }
    }

    fn message(&mut self, at: Harmony, text: &str, out: &mut Vec<Piece>) -> Taken {
        for (end, _) in text.match_indices('<') {
            let (before, rest) = (text.get(..end).unwrap_or_default(), behind(text, end));
            match (first(rest, ENDS), first(rest, HEADERS)) {
                (Match::Full(_), _) | (_, Match::Full(_)) => {
                    self.give(at, before, out);
                    self.place = Place::Harmony(Harmony::Between);
                    return Taken::Bytes(end);
                }
                (Match::Part, _) | (_, Match::Part) => {
                    self.give(at, before, out);
                    return Taken::Waits(end);
                }
                (Match::None, Match::None) => {}
            }
        }
        self.give(at, text, out);
        Taken::Bytes(text.len())
    }

    /// A message begins.
    pub(super) fn enter(&mut self, next: Harmony, out: &mut Vec<Piece>) {
        self.has_thought = true;
        self.place = Place::Harmony(next);
        if next == Harmony::Said && self.last.is_some_and(|last| last != '\n') {
            self.say("\n\n", out); // it was said in two messages
        }
    }

    /// All before was thought, and the next message follows.
    pub(super) fn hand_over(&mut self, out: &mut Vec<Piece>) {
        self.say_ending(out);
        add(out, Piece::WasThinking);
        self.last = None;
        self.has_thought = true;
        self.place = Place::Harmony(Harmony::Between);
    }

    pub(super) fn finish_harmony(&mut self, at: Harmony, held: &str, out: &mut Vec<Piece>) {
        match at {
            Harmony::Between if is_cut(held) => {}
            Harmony::Between => self.say(held.trim(), out),
            Harmony::Said | Harmony::Thought => self.give(at, held, out),
        }
    }

    fn give(&mut self, at: Harmony, text: &str, out: &mut Vec<Piece>) {
        match at {
            Harmony::Thought => self.think(text, out),
            Harmony::Said | Harmony::Between => self.say(text, out),
        }
    }
}

/// Whether a text begins with a header, or may, and what the message behind it is.
pub(super) fn header(words: &str) -> (Match, Harmony) {
    let is_part = match first(words, HEADERS) {
        Match::Full(_) => false,
        Match::Part => true,
        Match::None => return (Match::None, Harmony::Between),
    };
    let bounded = words
        .get(..words.floor_char_boundary(HEADER_BYTES_MAX))
        .unwrap_or_default();
    let line = bounded.split('\n').next().unwrap_or_default();
    match line.find(MESSAGE) {
        Some(at) => {
            let header = line.get(..at).unwrap_or_default();
            (Match::Full(at + MESSAGE.len()), of(header))
        }
        None if is_part || line.len() == words.len() => (Match::Part, Harmony::Between),
        None => (Match::None, Harmony::Between),
    }
}

/// What the message behind a header is.
fn of(header: &str) -> Harmony {
    let channel = header.split(CHANNEL).nth(1).unwrap_or("final").trim_start();
    let name = channel.split([' ', '<']).next().unwrap_or_default();
    match name {
        "final" => Harmony::Said,
        "commentary" if !header.contains(" to=") => Harmony::Said,
        _ => Harmony::Thought,
    }
}

/// Whether an answer was cut off in a header.
pub(super) fn is_cut(held: &str) -> bool {
    let held = held.trim();
    let begins = matches!(first(held, HEADERS), Match::Full(_));
    begins && !held.contains(char::is_whitespace)
}
