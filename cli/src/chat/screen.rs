//! What a person sees of one session, as text to append. No socket and no terminal in here: events go in, text comes out.
//!
//! The picture must equal the server's also after a cut: an answer that was half printed is continued where it stopped, from
//! the text in flight or from the finished row, and what was seen already is not printed again.

use super::wire::{ChatEvent, History, Message, SessionMessage};
use gatehouse_core::telemetry::escape;

use crate::term::{Ink, Style, printable};

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With an answer.
    Answered,
    /// It was stopped.
    Stopped,
    /// It failed, and why.
    Failed(String),
}

/// The picture of one session.
#[derive(Debug)]
pub(super) struct Screen {
    session: String,
    live: Option<Live>,
    /// The runs this person started here, with how they ended. At most [`OWN_MAX`], the oldest forgotten.
    own: Vec<(String, Option<End>)>,
    style: Style,
    /// False: the answer alone, for a pipe.
    dressed: bool,
}

/// A run that is being printed.
#[derive(Debug)]
struct Live {
    run: String,
    /// The text as the gateway has it. Behind what is printed while an answer that broke off is given anew.
    text: String,
    printed: String,
    seq: i64,
}

/// Nobody waits for so many answers at once.
const OWN_MAX: usize = 256;

impl Screen {
    /// Of a session, by its full key.
    pub(super) fn new(session: &str, style: Style, dressed: bool) -> Self {
        Self {
            session: session.to_owned(),
            live: None,
            own: Vec::new(),
            style,
            dressed,
        }
    }

    /// The same screen, turned to another session.
    pub(super) fn of_session(&self, session: &str) -> Self {
        Self::new(session, self.style, self.dressed)
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
        self.own.push((run.to_owned(), None));
    }

    /// A message of this person was refused.
    pub(super) fn gave_up(&mut self, run: &str, why: &str) {
        for (own, end) in &mut self.own {
            if own == run {
                *end = Some(End::Failed(why.to_owned()));
            }
        }
    }

    /// How a run of this person ended, once it has.
    pub(super) fn end_of(&self, run: &str) -> Option<&End> {
        self.own
            .iter()
            .find(|(own, _)| own == run)
            .and_then(|(_, end)| end.as_ref())
    }

    /// The run that Ctrl-C means: the one being printed, else the newest of this person that has not ended.
    pub(super) fn running(&self) -> Option<&str> {
        let waiting = self
            .own
            .iter()
            .rev()
            .find(|(_, end)| end.is_none())
            .map(|(run, _)| run.as_str());
        self.live.as_ref().map(|live| live.run.as_str()).or(waiting)
    }

    /// Event `chat`.
    pub(super) fn chat(&mut self, event: &ChatEvent) -> String {
        if event.session_key != self.session || self.end_of(&event.run_id).is_some() {
            return String::new();
        }
        match event.state.as_str() {
            "delta" => self.delta(event),
            "final" => self.end(&event.run_id, event.message.as_ref(), End::Answered),
            "aborted" => self.end(&event.run_id, event.message.as_ref(), End::Stopped),
            "error" => {
                let why = event
                    .error_message
                    .clone()
                    .unwrap_or_else(|| "the run failed".to_owned());
                self.end(&event.run_id, None, End::Failed(why))
            }
            _ => String::new(),
        }
    }

    fn delta(&mut self, event: &ChatEvent) -> String {
        let mut out = self.begin(&event.run_id);
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
        out.push_str(&catch_up(&mut live.printed, &live.text));
        out
    }

    /// Turns to a run; says who speaks when it is a new one.
    fn begin(&mut self, run: &str) -> String {
        if self.live.as_ref().is_some_and(|live| live.run == run) {
            return String::new();
        }
        let before = if self.live.take().is_some() { "\n" } else { "" };
        self.live = Some(Live {
            run: run.to_owned(),
            text: String::new(),
            printed: String::new(),
            seq: 0,
        });
        if self.dressed {
            format!("{before}{} ", self.style.paint(Ink::Green, "assistant:"))
        } else {
            String::new()
        }
    }

    fn end(&mut self, run: &str, message: Option<&Message>, end: End) -> String {
        let whole = message.map(Message::text).filter(|text| !text.is_empty());
        let printing = self.live.as_ref().is_some_and(|live| live.run == run);
        let mut out = String::new();
        if printing || whole.is_some() || end != End::Answered {
            out.push_str(&self.begin(run));
        }
        if let (Some(live), Some(whole)) = (&mut self.live, &whole) {
            if end == End::Answered && live.printed.len() > whole.len() {
                live.printed.clear(); // words of an attempt that broke off are no part of the answer
                out.push('\n');
            }
            out.push_str(&catch_up(&mut live.printed, whole));
        }
        if self.dressed {
            match &end {
                End::Answered => {}
                End::Stopped => out.push_str(&self.style.paint(Ink::Yellow, " [stopped]")),
                End::Failed(why) => out.push_str(&self.style.paint(Ink::Red, &format!("[{}]", escape(why)))),
            }
        }
        if self.live.as_ref().is_some_and(|live| live.run == run) {
            self.live = None;
            out.push('\n');
        }
        for (own, ended) in &mut self.own {
            if own == run {
                *ended = Some(end.clone());
            }
        }
        out
    }

    /// Event `session.message`: what others say here. The assistant's own rows come as `chat`.
    pub(super) fn message(&mut self, event: &SessionMessage) -> String {
        let run = event.message.meta.run_id.as_deref();
        let own = run.is_some_and(|run| self.own.iter().any(|(own, _)| own == run));
        if event.session_key != self.session || own || !self.dressed {
            return String::new();
        }
        if event.message.role == "assistant" && run.is_some() {
            return String::new();
        }
        let before = if self.live.is_some() { "\n" } else { "" };
        format!("{before}{}\n", self.row(&event.message))
    }

    /// The rows of a history, for somebody who comes in.
    pub(super) fn rows(&self, history: &History) -> String {
        let mut out = String::new();
        if history.has_more {
            out.push_str(&self.style.paint(Ink::Dim, "... earlier messages: /history 100"));
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
        let mut row = format!(
            "{} {}",
            self.style.paint(ink, &format!("{}:", escape(name))),
            printable(&message.text())
        );
        if message.stop_reason.as_deref() == Some("aborted") {
            row.push_str(&self.style.paint(Ink::Yellow, " [stopped]"));
        }
        if let Some(why) = &message.error_message {
            row.push_str(&self.style.paint(Ink::Red, &format!(" [{}]", escape(why))));
        }
        row
    }

    /// Makes the picture equal to the server's: after a cut, and when somebody comes in while an answer is being written.
    pub(super) fn catch_up(&mut self, history: &History) -> String {
        let in_flight = history.in_flight_run.as_ref();
        let mut out = String::new();
        let mut open: Vec<String> = self
            .own
            .iter()
            .filter(|(_, end)| end.is_none())
            .map(|(run, _)| run.clone())
            .collect();
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
                    _ => End::Answered,
                };
                out.push_str(&self.end(run, Some(row), end));
            }
        }
        if let Some(flight) = in_flight {
            out.push_str(&self.begin(&flight.run_id));
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
