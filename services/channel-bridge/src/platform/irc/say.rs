//! One message on its way out, and how the server's answer is known.
//!
//! IRC acknowledges nothing. So a question goes out behind each message: the server works through our lines in order, hence
//! an answer to it, or to any later question, says that the message was taken, and a refusal comes before the answer. And a nick
//! is not a person: before a reply goes to `nick!user@host`, the server is asked who holds the nick now ([`super::holder`]).
//!
//! A receipt that is late is no evidence of loss: TCP keeps what was written, in order, until the connection ends. So a message
//! that was said is never given up on by the clock. While nothing at all is heard, the rules of liveness decide
//! whether the connection is dead, and only a dead one makes its outcome unknown. Where the server speaks and yet answers no
//! question, the message was said, and its receipt is marked as unconfirmed; so it is where the server was silent to every
//! question before, which says nothing about this message either.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    holder::{Asking, Holder},
    line::Line,
    questions::Questions,
    registered::Registered,
};
use crate::adapter::{Case, Receipt, SendError, SendRequest};

/// How long a server that is heard may leave every question open. Twice what it takes to ask in other words and be answered.
const ANSWER_WITHIN: Duration = Duration::from_secs(40);
/// The same once it is known to answer none: only a refusal is waited for, or a reply of many lines would take hours.
const REFUSAL_WITHIN: Duration = Duration::from_secs(2);

#[derive(Debug)]
enum Stage {
    /// Asked who holds the nick.
    Asking(Asking),
    /// To be said as soon as the pace allows it.
    Ready { target: String },
    /// Said; an answer to this question, or to a later one, is awaited.
    Said {
        target: String,
        question: u64,
        at: Instant,
        /// When the server was first heard afterwards.
        heard: Option<Instant>,
    },
}

/// A message on its way.
#[derive(Debug)]
pub(crate) struct Saying {
    request: SendRequest,
    stage: Stage,
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Still under way; write these.
    Pending(Saying, Vec<String>),
    /// Answered.
    Done(SendRequest, Result<Receipt, SendError>),
}

impl Saying {
    pub(crate) fn begin(
        request: SendRequest,
        session: &Registered,
        questions: &mut Questions,
        now: Instant,
    ) -> Outcome {
        let to = request.part().to.to_string();
        let place = session.server.place(&to);
        let (nick, holder) = match to.split_once('!') {
            Some((nick, holder)) if place.is_none() => (nick.to_owned(), Some(holder.to_owned())),
            _ => (to.clone(), None),
        };
        let odd = |c: char| matches!(c, ' ' | ',' | '\r' | '\n' | '\0' | '\u{7}');
        if nick.is_empty() || nick.contains(odd) || nick.starts_with(':') {
            return Outcome::Done(
                request,
                Err(SendError::permanent("not the name of a room or person")),
            );
        }
        if let Some(reason) = place.and_then(|place| session.rooms.outside(&session.server, place.room)) {
            return Outcome::Done(request, Err(SendError::retry(reason)));
        }
        let Some(holder) = holder else {
            let stage = Stage::Ready { target: nick };
            return Outcome::Pending(Self { request, stage }, Vec::new());
        };
        let (asking, line) = Asking::begin(nick, holder, questions, now);
        let stage = Stage::Asking(asking);
        Outcome::Pending(Self { request, stage }, vec![line])
    }

    /// Whether nobody waits for its answer any more. Then it is not to be said: whoever asked asks again.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.request.abandoned()
    }

    /// Whether it waits for the pace only.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.stage, Stage::Ready { .. })
    }

    /// Says it, if it is ready: the lines are to leave at once.
    pub(crate) fn say(mut self, questions: &mut Questions, now: Instant) -> (Self, Vec<String>) {
        let Stage::Ready { target } = self.stage else {
            return (self, Vec::new());
        };
        self.request.begin();
        let message = format!("PRIVMSG {target} :{}", self.request.part().text);
        let (question, ping) = questions.ping(now);
        self.stage = Stage::Said {
            target,
            question,
            at: now,
            heard: None,
        };
        (self, vec![message, ping])
    }

    /// The question behind it, once it was said.
    pub(crate) fn question(&self) -> Option<u64> {
        match &self.stage {
            Stage::Said { question, .. } => Some(*question),
            Stage::Asking(_) | Stage::Ready { .. } => None,
        }
    }

    /// What a line means for it, and which question the line answers. `oldest`: the question behind the oldest message of which nothing
    /// is known yet.
    pub(crate) fn on(
        mut self,
        line: &Line,
        (answered, oldest): (Option<u64>, Option<u64>),
        session: &Registered,
        questions: &mut Questions,
        now: Instant,
    ) -> Outcome {
        match &mut self.stage {
            Stage::Asking(asking) => {
                let holder = asking.on(line, answered, questions, now);
                self.held(holder, session, now)
            }
            Stage::Ready { .. } => Outcome::Pending(self, Vec::new()),
            Stage::Said {
                target,
                question,
                heard,
                ..
            } => {
                // An answer to an earlier question shows a server that answers: then ours is waited for.
                *heard = match answered {
                    Some(_) => None,
                    None => Some(heard.unwrap_or(now)),
                };
                if questions.proved(*question) {
                    return Outcome::Done(self.request, Ok(Receipt::default()));
                }
                match refusal(line, target, oldest == Some(*question)) {
                    Some(error) => Outcome::Done(self.request, Err(error)),
                    None => Outcome::Pending(self, Vec::new()),
                }
            }
        }
    }

    /// When the clock means something for it.
    pub(crate) fn due(&self, questions: &Questions) -> Option<Instant> {
        match &self.stage {
            Stage::Asking(asking) => Some(asking.deadline()),
            Stage::Ready { .. } => None,
            Stage::Said { .. } => self.unconfirmed_at(questions),
        }
    }

    /// What the clock means for it.
    pub(crate) fn tick(mut self, session: &Registered, questions: &mut Questions, now: Instant) -> Outcome {
        if let Stage::Asking(asking) = &mut self.stage {
            let holder = asking.tick(questions, now);
            return self.held(holder, session, now);
        }
        if self.unconfirmed_at(questions).is_some_and(|at| now >= at) {
            questions.stay_open();
            return Outcome::Done(self.request, Ok(Receipt::unconfirmed()));
        }
        Outcome::Pending(self, Vec::new())
    }

    /// When it counts as said although no question was answered.
    fn unconfirmed_at(&self, questions: &Questions) -> Option<Instant> {
        let Stage::Said {
            question, at, heard, ..
        } = &self.stage
        else {
            return None;
        };
        let always_silent = questions.never_answered_before(*question).then_some(*at);
        heard.or(always_silent).map(|since| since + patience(questions))
    }

    /// Goes on once it is known who holds the nick.
    fn held(self, holder: Holder, session: &Registered, now: Instant) -> Outcome {
        let Stage::Asking(asking) = &self.stage else {
            return Outcome::Pending(self, Vec::new());
        };
        let nick = asking.nick().to_owned();
        let case = session.server.case;
        let is_there = match &holder {
            // Where the server has no way to tell: somebody who spoke a moment ago and was not seen to go is believed to be there.
            Holder::Unknown => session.people.spoke(case, &nick, asking.holder(), now),
            Holder::Other(current) => session.people.is_same(case, &nick, asking.holder(), current),
            Holder::Same => true,
            Holder::Asked | Holder::Ask(_) | Holder::Gone => false,
        };
        if is_there {
            return Outcome::Pending(self.ready(nick), Vec::new());
        }
        let error = match holder {
            Holder::Asked => return Outcome::Pending(self, Vec::new()),
            Holder::Ask(line) => return Outcome::Pending(self, vec![line]),
            Holder::Same | Holder::Unknown => {
                SendError::retry(format!("the server does not say who holds the nick {nick}"))
            }
            Holder::Other(_) => SendError::permanent(format!("the nick {nick} belongs to somebody else now")),
            Holder::Gone => SendError::permanent(format!("{nick} is not on the server")),
        };
        Outcome::Done(self.request, Err(error))
    }

    fn ready(self, target: String) -> Self {
        Self {
            stage: Stage::Ready { target },
            ..self
        }
    }
}

/// How long an answer may take.
fn patience(questions: &Questions) -> Duration {
    if questions.is_mute() {
        REFUSAL_WITHIN
    } else {
        ANSWER_WITHIN
    }
}

/// Codes of standard replies that are over in a while.
const PASSING: [&str; 4] = [
    "RATE_LIMITED",
    "TEMPORARILY_UNAVAILABLE",
    "INTERNAL_ERROR",
    "UNKNOWN_ERROR",
];

/// The replies that refuse a message (RFC 2812, section 5.2; those above 433 are customs). They name what they are about: the
/// same numbers refuse a JOIN of another room, which says nothing about this message. `oldest`: no message that was said before it
/// waits for its receipt. A refusal that names only the command is about that one, because a server works through our lines in order.
fn refusal(line: &Line, target: &str, oldest: bool) -> Option<SendError> {
    // What goes to a part of a room may be refused in the name of the room.
    let room = target.trim_start_matches(['~', '&', '@', '%', '+']);
    let is_target = |name: &str| [target, room].iter().any(|ours| Case::Ascii.same(name, ours));
    // `FAIL PRIVMSG CODE target :why` (IRCv3 standard replies).
    if line.verb == "FAIL" && line.arg(0).eq_ignore_ascii_case("PRIVMSG") {
        let context = line.args.iter().skip(2).take(line.args.len().saturating_sub(3));
        // A number is a limit.
        let mut names = context.filter(|word| word.parse::<u64>().is_err()).peekable();
        let ours = match names.peek() {
            Some(_) => names.any(|name| is_target(name)),
            None => oldest,
        };
        let (code, reason) = (line.arg(1), format!("{} ({})", line.last(), line.arg(1)));
        let passes = PASSING.iter().any(|passing| passing.eq_ignore_ascii_case(code));
        return ours.then(|| match passes {
            true => SendError::retry(reason),
            false => SendError::permanent(reason),
        });
    }
    let number = line.numeric()?;
    let (about, reason) = (line.arg(1), format!("{} ({number})", line.last()));
    let ours = is_target(about) || oldest && Case::Ascii.same(about, "PRIVMSG");
    match number {
        401..=403 | 408 | 413..=415 | 417 | 482 | 492 | 494 | 531 | 716 if ours => {
            Some(SendError::permanent(reason))
        }
        // A word that InspIRCd's filter of a room does not let through.
        936 if ours => Some(SendError::permanent(reason)),
        // No recipient, no text: these name nothing, and we send no other command that they could be about.
        411 | 412 if oldest => Some(SendError::permanent(reason)),
        // Perhaps a room that will open, or too fast; whatever else a server has against it. 707: too many people in a short time
        // (Charybdis, Solanum); 972: it cannot be done (InspIRCd, UnrealIRCd).
        263 | 400..=599 | 707 | 972 if ours => Some(SendError::retry(reason)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
