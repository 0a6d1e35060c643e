//! Thinking that stands inside the text, between marks of the model's own. Servers that know the model take it out; the others send it
//! as the answer.
//!
//! Marks count where models write them: at the beginning of the answer, behind another thought, and at the beginning of a line. Elsewhere,
//! and in a fenced block, they are what somebody asked about. Some templates write the opening mark into the question, so that an
//! answer has only the closing one: all before it was thought.

mod end;
mod harmony;

use self::harmony::Harmony;
use crate::program::CallPiece;

/// How thinking begins and ends. The second ones are too common as words to count anywhere but at the beginning.
const MARKS: &[Mark] = &[
    Mark::new("<think>", "</think>", true),
    Mark::new("<thinking>", "</thinking>", true),
    Mark::new("<seed:think>", "</seed:think>", true),
    Mark::new("[THINK]", "[/THINK]", true),
    Mark::new("◁think▷", "◁/think▷", true),
    Mark::new("<|begin_of_thought|>", "<|end_of_thought|>", true),
    // Cohere's and Gemma's.
    Mark::new("<|START_THINKING|>", "<|END_THINKING|>", true),
    Mark::new("<|channel>thought", "<channel|>", true),
    Mark::new("<thought>", "</thought>", false),
    Mark::new("<thoughts>", "</thoughts>", false),
    Mark::new("<reasoning>", "</reasoning>", false),
];

/// What stands between a thought and the answer, or before an answer without one, and is a part of neither.
const ANSWERS: &[&str] = &["<|START_RESPONSE|>", "<|START_TEXT|>"];

/// Code between these is shown as it is.
const FENCE: &str = "```";

/// Before a mark in the middle of a line: whoever writes so writes about it.
const QUOTES: &[char] = &['`', '"', '\'', '(', '“', '‘'];

/// The most white space that waits for what follows it.
const SPACE_BYTES_MAX: usize = 1024;

/// The longest attributes of a mark: more is a sentence that begins with one.
const ATTRIBUTES_BYTES_MAX: usize = 100;

#[derive(Debug, PartialEq, Eq)]
struct Mark {
    open: &'static str,
    close: &'static str,
    /// Whether it counts at the beginning of any line, and its end alone.
    anywhere: bool,
}

impl Mark {
    const fn new(open: &'static str, close: &'static str, anywhere: bool) -> Self {
        Self {
            open,
            close,
            anywhere,
        }
    }
}

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Thinking(String),
    /// All text so far was thinking.
    WasThinking,
    /// More of a call of a tool.
    Call(CallPiece),
}

/// Where the next character stands.
#[derive(Clone, Copy, Debug, Default)]
enum Place {
    /// At the beginning of the answer, or behind a thought: white space says nothing yet.
    #[default]
    Begin,
    /// At the beginning of a line.
    Line,
    /// In the middle of a line.
    Text,
    /// Behind an opening mark, before the first line of the thought.
    Opened(&'static Mark),
    Thought(&'static Mark),
    /// In an answer of OpenAI's format.
    Harmony(Harmony),
}

/// Tells thinking from the answer as both come.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    place: Place,
    /// What may still become a mark.
    held: String,
    /// Whether there was a mark.
    has_thought: bool,
    in_fence: bool,
    /// The last character of the text.
    last: Option<char>,
    /// The last of the text, which may be the mark of its end, and the character before it.
    ending: String,
    before_ending: Option<char>,
    /// A thought that began in the middle. Should it never end, it was none.
    in_middle: Option<String>,
}

/// How far a text was taken, and whether more of it can be.
enum Taken {
    Bytes(usize),
    /// So many bytes; what follows may become a mark.
    Waits(usize),
}

#[derive(Clone, Copy)]
enum Match {
    Full(usize),
    /// It may become one.
    Part,
    None,
}

impl Splitter {
    /// More of the answer.
    pub(crate) fn push(&mut self, text: &str, out: &mut Vec<Piece>) {
        let mut held = std::mem::take(&mut self.held);
        held.push_str(text);
        let mut rest = held.as_str();
        while !rest.is_empty() {
            let (bytes, waits) = match self.step(rest, out) {
                Taken::Bytes(bytes) => (bytes, false),
                Taken::Waits(bytes) => (bytes, true),
            };
            rest = behind(rest, bytes);
            if waits {
                break;
            }
        }
        self.held = rest.to_owned();
    }

    /// The answer is over.
    pub(crate) fn finish(&mut self, out: &mut Vec<Piece>) {
        self.finish_held(out);
        if end::is_full(&self.ending) {
            self.ending.clear();
        }
        self.say_ending(out);
    }

    fn finish_held(&mut self, out: &mut Vec<Piece>) {
        let held = std::mem::take(&mut self.held);
        match self.place {
            Place::Begin if held.trim().is_empty() || harmony::is_cut(&held) => {}
            Place::Harmony(at) => self.finish_harmony(at, &held, out),
            Place::Opened(_) | Place::Thought(_) => {
                self.think(&held, out);
                if let Some(text) = self.in_middle.take() {
                    self.say(&text, out);
                }
            }
            Place::Begin | Place::Line | Place::Text => self.say(&held, out),
        }
    }

    fn step(&mut self, text: &str, out: &mut Vec<Piece>) -> Taken {
        match self.place {
            Place::Begin => self.begin(text, out),
            Place::Harmony(at) => self.harmony(at, text, out),
            Place::Line => self.line(text, out),
            Place::Text => self.text(text, out),
            Place::Opened(mark) => {
                let words = text.trim_start_matches(['\r', '\n']);
                if !words.is_empty() {
                    self.place = Place::Thought(mark);
                }
                Taken::Bytes(text.len() - words.len())
            }
            Place::Thought(mark) => self.thought(mark, text, out),
        }
    }

    fn begin(&mut self, text: &str, out: &mut Vec<Piece>) -> Taken {
        let words = text.trim_start_matches(is_blank);
        let space = text.len() - words.len();
        // White space between a thought and the answer belongs to neither; before an answer it waits for a word.
        if self.has_thought && space > 0 {
            return Taken::Bytes(space);
        }
        if space <= SPACE_BYTES_MAX {
            if words.is_empty() {
                return Taken::Waits(0);
            }
            let (header, next) = harmony::header(words);
            if let Match::Full(bytes) = header {
                self.enter(next, out);
                return Taken::Bytes(space + bytes);
            }
            match first(words, ANSWERS) {
                Match::Full(bytes) => return Taken::Bytes(space + bytes),
                Match::Part => return Taken::Waits(0),
                Match::None => {}
            }
            // A model that was told not to think closes what it did not open.
            match (find_open(words, |_| true), starts_with_close(words)) {
                (Some((mark, Match::Full(bytes))), _) => {
                    self.open(mark);
                    return Taken::Bytes(space + bytes);
                }
                (_, Match::Full(bytes)) => {
                    self.has_thought = true;
                    return Taken::Bytes(space + bytes);
                }
                (Some(_), _) | (_, Match::Part) => return Taken::Waits(0),
                (None, Match::None) if matches!(header, Match::Part) => return Taken::Waits(0),
                (None, Match::None) => {}
            }
        }
        self.place = Place::Line;
        Taken::Bytes(0)
    }

    fn line(&mut self, text: &str, out: &mut Vec<Piece>) -> Taken {
        let words = text.trim_start_matches([' ', '\t']);
        let indent = text.len() - words.len();
        if indent <= SPACE_BYTES_MAX {
            if words.is_empty() {
                return Taken::Waits(0);
            }
            match starts(words, FENCE) {
                Match::Part => return Taken::Waits(0),
                Match::Full(_) => self.in_fence = !self.in_fence,
                Match::None if self.in_fence => {}
                Match::None => match find_open(words, |mark| mark.anywhere) {
                    Some((mark, Match::Full(bytes))) => {
                        self.in_middle = text.get(..indent + bytes).map(str::to_owned);
                        self.open(mark);
                        return Taken::Bytes(indent + bytes);
                    }
                    Some(_) => return Taken::Waits(0),
                    None => {}
                },
            }
        }
        self.place = Place::Text;
        self.say(text.get(..indent).unwrap_or_default(), out);
        Taken::Bytes(indent)
    }

    /// To the end of the line, or as far as it has come.
    fn text(&mut self, text: &str, out: &mut Vec<Piece>) -> Taken {
        let end = text.find('\n').map_or(text.len(), |at| at + 1);
        let line = text.get(..end).unwrap_or_default();
        if !self.has_thought && !self.in_fence {
            for (at, _) in line.match_indices(['<', '[', '◁']) {
                let before = line.get(..at).unwrap_or_default();
                let last = before.chars().next_back().or(self.last);
                if last.is_some_and(|c| QUOTES.contains(&c)) {
                    continue;
                }
                let rest = behind(line, at);
                let next = starts(rest, harmony::NEXT);
                match starts_with_close(rest) {
                    _ if matches!(next, Match::Full(_)) => {
                        self.say(before, out);
                        self.hand_over(out);
                        return Taken::Bytes(at);
                    }
                    Match::Full(bytes) => {
                        self.say(before, out);
                        self.say_ending(out);
                        add(out, Piece::WasThinking);
                        self.has_thought = true;
                        self.place = Place::Begin;
                        return Taken::Bytes(at + bytes);
                    }
                    found if matches!((found, next), (Match::Part, _) | (_, Match::Part)) => {
                        self.say(before, out);
                        return Taken::Waits(at);
                    }
                    Match::Part | Match::None => {}
                }
            }
        }
        self.say(line, out);
        if line.ends_with('\n') {
            self.place = Place::Line;
        }
        Taken::Bytes(end)
    }

    fn thought(&mut self, mark: &'static Mark, text: &str, out: &mut Vec<Piece>) -> Taken {
        let first = mark.close.chars().next().unwrap_or_default();
        for (at, _) in text.match_indices(first) {
            let before = text.get(..at).unwrap_or_default();
            match starts(behind(text, at), mark.close) {
                Match::Full(bytes) => {
                    self.think(before, out);
                    self.in_middle = None;
                    self.place = Place::Begin;
                    return Taken::Bytes(at + bytes);
                }
                Match::Part => {
                    self.think(before, out);
                    return Taken::Waits(at);
                }
                Match::None => {}
            }
        }
        self.think(text, out);
        Taken::Bytes(text.len())
    }

    fn open(&mut self, mark: &'static Mark) {
        self.has_thought = true;
        self.place = Place::Opened(mark);
    }

    fn say(&mut self, text: &str, out: &mut Vec<Piece>) {
        self.last = text.chars().next_back().or(self.last);
        self.ending.push_str(text);
        let at = if self.in_fence {
            self.ending.len()
        } else {
            end::begins(&self.ending, self.before_ending)
        };
        let ending = self.ending.split_off(at);
        self.say_ending(out);
        self.ending = ending;
    }

    /// It was not the end.
    fn say_ending(&mut self, out: &mut Vec<Piece>) {
        if let Some(last) = self.ending.chars().next_back() {
            self.before_ending = Some(last);
            add(out, Piece::Text(std::mem::take(&mut self.ending)));
        }
    }

    fn think(&mut self, text: &str, out: &mut Vec<Piece>) {
        if let Some(kept) = &mut self.in_middle {
            kept.push_str(text);
        }
        if !text.is_empty() {
            self.say_ending(out);
            add(out, Piece::Thinking(text.to_owned()));
        }
    }
}

/// Adds a piece, to the last one where it goes on with it.
pub(crate) fn add(out: &mut Vec<Piece>, piece: Piece) {
    match (out.last_mut(), piece) {
        (Some(Piece::Text(said)), Piece::Text(more)) => said.push_str(&more),
        (Some(Piece::Thinking(thought)), Piece::Thinking(more)) => thought.push_str(&more),
        (_, piece) => out.push(piece),
    }
}

/// The mark that a text begins with, or may begin with.
fn find_open(words: &str, may: impl Fn(&Mark) -> bool) -> Option<(&'static Mark, Match)> {
    let marks = || {
        MARKS
            .iter()
            .filter(|mark| may(mark))
            .map(|mark| (mark, opens(words, mark.open)))
    };
    marks()
        .find(|(_, found)| matches!(found, Match::Full(_)))
        .or_else(|| marks().find(|(_, found)| matches!(found, Match::Part)))
}

fn starts_with_close(words: &str) -> Match {
    let marks = || {
        MARKS
            .iter()
            .filter(|mark| mark.anywhere)
            .map(|mark| starts(words, mark.close))
    };
    marks()
        .find(|found| matches!(found, Match::Full(_)))
        .or_else(|| marks().find(|found| matches!(found, Match::Part)))
        .unwrap_or(Match::None)
}

/// Whether a text begins with an opening mark, which may have attributes: `<think effort="high">`.
fn opens(words: &str, open: &str) -> Match {
    let found = starts(words, open);
    let Some(name) = open.strip_suffix('>').filter(|_| matches!(found, Match::None)) else {
        return found;
    };
    let Match::Full(bytes) = starts(words, name) else {
        return Match::None;
    };
    let attributes = behind(words, bytes);
    let line = attributes.lines().next().unwrap_or_default();
    let bounded = line
        .get(..line.floor_char_boundary(ATTRIBUTES_BYTES_MAX))
        .unwrap_or_default();
    match bounded.find('>') {
        _ if !attributes.starts_with(' ') => Match::None,
        Some(end) => Match::Full(bytes + end + 1),
        None if bounded.len() == attributes.len() => Match::Part,
        None => Match::None,
    }
}

/// Whether a text begins with a mark, in large letters or small.
fn starts(text: &str, mark: &str) -> Match {
    let bytes = text.len().min(mark.len());
    match (text.as_bytes().get(..bytes), mark.as_bytes().get(..bytes)) {
        (Some(text), Some(begin)) if !text.eq_ignore_ascii_case(begin) || bytes == 0 => Match::None,
        _ if bytes == mark.len() => Match::Full(bytes),
        _ => Match::Part,
    }
}

/// Whether a text begins with one of these marks, or may.
fn first(words: &str, marks: &[&str]) -> Match {
    let found = || marks.iter().map(|mark| starts(words, mark));
    found()
        .find(|found| matches!(found, Match::Full(_)))
        .or_else(|| found().find(|found| matches!(found, Match::Part)))
        .unwrap_or(Match::None)
}

/// Whether nobody sees it: white space, and what some servers put before the first word.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}' | '\u{2060}')
}

fn behind(text: &str, bytes: usize) -> &str {
    text.get(bytes..).unwrap_or_default()
}

#[cfg(test)]
mod tests;
