//! What a person sees of one session, as text to append. No socket and no terminal in here: events go in, text comes out.
//!
//! The picture must equal the server's also after a cut: an answer that was half printed is continued where it stopped, from
//! the text in flight or from the finished row, and what was seen already is not printed again.

mod live;

use std::time::Duration;

use gatehouse_core::telemetry::escape;
use tokio::time::Instant;

pub(super) use self::live::{Activity, Doing, End, Look};
use self::live::{Live, Own, Thoughts};
use super::{
    cost::cost,
    wire::{AgentEvent, ChatEvent, History, Message, SessionMessage, Usage},
};
use crate::term::{Ink, printable};

/// The picture of one session.
#[derive(Debug)]
pub(super) struct Screen {
    session: String,
    live: Option<Live>,
    /// The runs this person started here. At most [`OWN_MAX`], the oldest forgotten.
    own: Vec<Own>,
    /// What was said meanwhile and stands below the answer that is being printed. At most [`HELD_MAX`].
    held: Vec<String>,
    /// What the last answer cost, when that is wanted.
    cost: Option<String>,
    look: Look,
}

/// Nobody waits for so many answers at once.
const OWN_MAX: usize = 256;

/// A busy room says less while an answer is written; what is left out is in the history.
const HELD_MAX: usize = 256;

/// A shorter thought is not worth a line.
const THOUGHT_TOLD_MIN: Duration = Duration::from_secs(2);

impl Screen {
    /// Of a session, by its full key.
    pub(super) fn new(session: &str, look: Look) -> Self {
        Self {
            session: session.to_owned(),
            live: None,
            own: Vec::new(),
            held: Vec::new(),
            cost: None,
            look,
        }
    }

    /// The same screen, turned to another session.
    pub(super) fn of_session(&self, session: &str) -> Self {
        Self::new(session, self.look)
    }

    /// How it is drawn.
    pub(super) fn look(&mut self) -> &mut Look {
        &mut self.look
    }

    /// The session's full key.
    pub(super) fn session(&self) -> &str {
        &self.session
    }

    /// This person started a run.
    pub(super) fn started(&mut self, run: &str) {
        if self.own.len() >= OWN_MAX {
            self.own.remove(0);
        }
        self.own.push(Own {
            run: run.to_owned(),
            since: Instant::now(),
            end: None,
        });
    }

    /// A message of this person was refused.
    pub(super) fn gave_up(&mut self, run: &str, why: &str) {
        self.ended(run, &End::Failed(why.to_owned()));
    }

    /// How a run of this person ended, once it has.
    pub(super) fn end_of(&self, run: &str) -> Option<&End> {
        self.own
            .iter()
            .find(|own| own.run == run)
            .and_then(|own| own.end.as_ref())
    }

    /// The run that Ctrl-C means: the one being printed, else the oldest of this person that has not ended.
    pub(super) fn running(&self) -> Option<&str> {
        let waiting = self.open().map(|own| own.run.as_str()).next();
        self.live.as_ref().map(|live| live.run.as_str()).or(waiting)
    }

    /// The runs of this person that have not ended.
    fn open(&self) -> impl Iterator<Item = &Own> {
        self.own.iter().filter(|own| own.end.is_none())
    }

    /// What a person waits for now.
    pub(super) fn activity(&self) -> Option<Activity> {
        let Some(live) = &self.live else {
            let since = self.open().next()?.since;
            return Some(Activity {
                since,
                doing: Doing::Waiting,
                waiting: self.open().count() - 1,
            });
        };
        let doing = match (live.spoke, live.thoughts.since) {
            (Some(_), _) => Doing::Writing,
            (None, Some(_)) => Doing::Thinking,
            (None, None) => Doing::Waiting,
        };
        Some(Activity {
            since: live.since,
            doing,
            waiting: self.open().filter(|own| own.run != live.run).count(),
        })
    }

    /// What the last answer cost, when that is wanted.
    pub(super) fn cost(&self) -> Option<&str> {
        self.cost.as_deref()
    }

    /// What is said beside the answer: at once, or below it while one is being printed.
    pub(super) fn aside(&mut self, text: String) -> String {
        if self.live.is_none() || !self.look.is_dressed {
            return text;
        }
        if self.held.len() < HELD_MAX {
            self.held.push(text);
        }
        String::new()
    }

    /// What was to stand below the answer is not said after all.
    pub(super) fn take_back(&mut self, text: &str) {
        if self.held.last().is_some_and(|held| held == text) {
            self.held.pop();
        }
    }

    /// Event `chat`.
    pub(super) fn chat(&mut self, event: &ChatEvent) -> String {
        if event.session_key != self.session || self.end_of(&event.run_id).is_some() {
            return String::new();
        }
        match event.state.as_str() {
            // The model is asked: from here on a run that somebody else started is waited for as well.
            "status" => self.turn_to(&event.run_id),
            "delta" => self.delta(event),
            "final" => {
                let end = End::of(event.stop_reason.as_deref());
                self.end(&event.run_id, event.message.as_ref(), end, event.usage)
            }
            "aborted" => self.end(&event.run_id, event.message.as_ref(), End::Stopped, event.usage),
            "error" => {
                let why = event
                    .error_message
                    .clone()
                    .unwrap_or_else(|| "the run failed".to_owned());
                self.end(&event.run_id, None, End::Failed(why), event.usage)
            }
            _ => String::new(),
        }
    }

    fn delta(&mut self, event: &ChatEvent) -> String {
        let mut out = self.turn_to(&event.run_id);
        let Some(live) = &mut self.live else { return out };
        if event.seq <= live.seq {
            return out;
        }
        live.seq = event.seq;
        let Some(text) = &event.delta_text else { return out };
        if event.replace == Some(true) {
            live.text.clear();
        }
        live.text.push_str(text);
        if !live.text.is_empty() {
            out.push_str(&self.speaks());
        }
        if let Some(live) = &mut self.live {
            out.push_str(&catch_up(&mut live.printed, &live.text));
        }
        out
    }

    /// Event `agent`: what a model thinks.
    pub(super) fn agent(&mut self, event: &AgentEvent) -> String {
        let is_thought = event.stream == "thinking" && event.session_key == self.session;
        if !is_thought || !self.look.is_dressed || self.end_of(&event.run_id).is_some() {
            return String::new();
        }
        let mut out = self.turn_to(&event.run_id);
        let Some(live) = &mut self.live else { return out };
        if event.seq <= live.thoughts.seq || live.spoke.is_some() {
            return out;
        }
        live.thoughts.seq = event.seq;
        live.thoughts.since.get_or_insert_with(Instant::now);
        if self.look.shows_thoughts
            && let Some(text) = &event.data.delta
        {
            let label = if live.thoughts.are_shown { "" } else { "thinking: " };
            live.thoughts.are_shown = true;
            let text = format!("{label}{}", printable(text));
            out.push_str(&self.look.style.paint(Ink::Dim, &text));
        }
        out
    }

    /// Turns to a run.
    fn turn_to(&mut self, run: &str) -> String {
        if self.live.as_ref().is_some_and(|live| live.run == run) {
            return String::new();
        }
        let before = if self.live.take().is_some() { "\n" } else { "" };
        let asked = self.own.iter().find(|own| own.run == run);
        self.live = Some(Live {
            run: run.to_owned(),
            text: String::new(),
            printed: String::new(),
            seq: 0,
            since: asked.map_or_else(Instant::now, |own| own.since),
            spoke: None,
            thoughts: Thoughts::default(),
            is_labelled: false,
        });
        before.to_owned()
    }

    /// The run says its first word: who speaks, and for how long it thought.
    fn speaks(&mut self) -> String {
        let Some(live) = &mut self.live else {
            return String::new();
        };
        let now = *live.spoke.get_or_insert_with(Instant::now);
        if live.is_labelled || !self.look.is_dressed {
            return String::new();
        }
        live.is_labelled = true;
        let thought = live.thoughts.since.map(|since| now.duration_since(since));
        let before = match thought {
            _ if live.thoughts.are_shown => "\n".to_owned(),
            Some(time) if time >= THOUGHT_TOLD_MIN => {
                let text = format!("thought for {} s (/think show)", time.as_secs());
                format!("{}\n", self.look.style.paint(Ink::Dim, &text))
            }
            Some(_) | None => String::new(),
        };
        format!("{before}{} ", self.look.style.paint(Ink::Green, "assistant:"))
    }

    fn end(&mut self, run: &str, message: Option<&Message>, end: End, usage: Option<Usage>) -> String {
        let other = self.live.take_if(|live| live.run != run);
        let mut text = self.last_words(run, message, &end, usage);
        self.ended(run, &end);
        if other.is_some() {
            // Between two answers, and not inside of one.
            self.live = other;
            return if text.is_empty() { text } else { self.aside(text) };
        }
        text.extend(self.held.drain(..));
        text
    }

    fn last_words(
        &mut self,
        run: &str,
        message: Option<&Message>,
        end: &End,
        usage: Option<Usage>,
    ) -> String {
        let whole = message.map(Message::text).filter(|text| !text.is_empty());
        let mut out = String::new();
        if self.live.is_some() || whole.is_some() || !end.is_answer() {
            out.push_str(&self.turn_to(run));
            out.push_str(&self.speaks());
        }
        if let (Some(live), Some(whole)) = (&mut self.live, &whole) {
            if end.is_answer() && live.printed.len() > whole.len() {
                live.printed.clear(); // words of an attempt that broke off are no part of the answer
                out.push('\n');
            }
            out.push_str(&catch_up(&mut live.printed, whole));
        }
        if self.look.is_dressed {
            match end {
                End::Answered => {}
                End::Cut(why) => out.push_str(&self.look.style.paint(Ink::Yellow, &format!(" [{why}]"))),
                End::Stopped => out.push_str(&self.look.style.paint(Ink::Yellow, " [stopped]")),
                End::Failed(why) => {
                    out.push_str(&self.look.style.paint(Ink::Red, &format!("[{}]", escape(why))));
                }
            }
        }
        let Some(live) = self.live.take() else { return out };
        // A pipe gets what the model wrote and an end of line; nothing of an answer that has no words.
        let ends = if self.look.is_dressed {
            end.is_answer() && live.printed.ends_with('\n')
        } else {
            live.printed.is_empty()
        };
        if !ends {
            out.push('\n');
        }
        if self.look.is_verbose {
            let cost = cost(live.since, live.spoke, usage);
            if self.look.is_dressed {
                out.push_str(&self.look.style.paint(Ink::Dim, &cost));
                out.push('\n');
            }
            self.cost = Some(cost);
        }
        out
    }

    fn ended(&mut self, run: &str, end: &End) {
        for own in &mut self.own {
            if own.run == run {
                own.end = Some(end.clone());
            }
        }
    }

    /// Event `session.message`: what others say here. The assistant's own rows come as `chat`.
    pub(super) fn message(&mut self, event: &SessionMessage) -> String {
        let run = event.message.meta.run_id.as_deref();
        let own = run.is_some_and(|run| self.own.iter().any(|own| own.run == run));
        if event.session_key != self.session || own || !self.look.is_dressed {
            return String::new();
        }
        if event.message.role == "assistant" && run.is_some() {
            return String::new();
        }
        let row = format!("{}\n", self.row(&event.message));
        self.aside(row)
    }

    /// The rows of a history, for somebody who comes in.
    pub(super) fn rows(&self, history: &History) -> String {
        let mut out = String::new();
        if history.has_more {
            out.push_str(
                &self
                    .look
                    .style
                    .paint(Ink::Dim, "... earlier messages: /history 100"),
            );
            out.push('\n');
        }
        for message in &history.messages {
            out.push_str(&self.row(message));
            out.push('\n');
        }
        out
    }

    fn row(&self, message: &Message) -> String {
        let (ink, name) = match message.role.as_str() {
            "assistant" => (Ink::Green, "assistant"),
            "user" => (Ink::Cyan, message.sender_label.as_deref().unwrap_or("you")),
            other => (Ink::Dim, other),
        };
        let mut text = message.text();
        if message.error_message.as_ref() == Some(&text) {
            text.clear(); // what went wrong is said once
        }
        let mut row = format!(
            "{} {}",
            self.look.style.paint(ink, &format!("{}:", escape(name))),
            printable(&text)
        );
        if message.stop_reason.as_deref() == Some("aborted") {
            row.push_str(&self.look.style.paint(Ink::Yellow, " [stopped]"));
        }
        if let End::Cut(why) = End::of(message.stop_reason.as_deref()) {
            row.push_str(&self.look.style.paint(Ink::Yellow, &format!(" [{why}]")));
        }
        if let Some(why) = &message.error_message {
            let gap = if text.is_empty() { "" } else { " " };
            row.push_str(
                &self
                    .look
                    .style
                    .paint(Ink::Red, &format!("{gap}[{}]", escape(why))),
            );
        }
        row
    }

    /// Makes the picture equal to the server's: after a cut, and when somebody comes in while an answer is being written.
    pub(super) fn catch_up(&mut self, history: &History) -> String {
        let in_flight = history.in_flight_run.as_ref();
        let mut out = String::new();
        let mut open: Vec<String> = self.open().map(|own| own.run.clone()).collect();
        open.extend(
            self.live
                .as_ref()
                .map(|live| live.run.clone())
                .filter(|run| !open.contains(run)),
        );
        for run in open
            .iter()
            .filter(|run| in_flight.is_none_or(|flight| flight.run_id != **run))
        {
            let ends = |row: &&Message| {
                row.role == "assistant" && !row.goes_on() && row.meta.run_id.as_deref() == Some(run.as_str())
            };
            let row = history.messages.iter().find(ends);
            if let Some(row) = row {
                let end = match (row.stop_reason.as_deref(), &row.error_message) {
                    (Some("aborted"), _) => End::Stopped,
                    (_, Some(why)) => End::Failed(why.clone()),
                    (reason, None) => End::of(reason),
                };
                out.push_str(&self.end(run, Some(row), end, None));
            }
        }
        if let Some(flight) = in_flight {
            out.push_str(&self.turn_to(&flight.run_id));
            if !flight.text.is_empty() {
                out.push_str(&self.speaks());
            }
            if let Some(live) = &mut self.live {
                live.seq = live.seq.max(flight.seq);
                live.text.clone_from(&flight.text);
                out.push_str(&catch_up(&mut live.printed, &live.text));
            }
        }
        out
    }
}

/// What must be printed so that `whole` is on the screen: its rest, or all of it on a new line when it is another text.
fn catch_up(printed: &mut String, whole: &str) -> String {
    let out = match whole.strip_prefix(printed.as_str()) {
        Some(rest) => printable(rest),
        None if printed.starts_with(whole) => return String::new(), // we were ahead of what we are told
        None => format!("\n{}", printable(whole)),
    };
    whole.clone_into(printed);
    out
}

#[cfg(test)]
mod tests;
