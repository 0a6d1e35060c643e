//! What the server was asked on this connection, in order, and how far it has come.
//!
//! A server works through our lines in the order in which they were written (RFC 1459, section 8.9), so an answer to one
//! question proves that every line before it was taken. Which answer it is hardly matters: some servers leave the token out of
//! a PONG or change it, others answer no PING at all. Hence a PONG that cannot be read answers the oldest open PING, and when
//! PINGs stay open the server is asked something that it answers with a numeric.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use super::line::Line;
use crate::adapter::Case;

/// A question that is open for so long is asked again in other words.
const REPHRASE_AFTER: Duration = Duration::from_secs(10);
/// How often that is done at most: a question is a line, and lines are what a server counts.
const REPHRASE_EVERY: Duration = Duration::from_secs(30);
/// Open questions that are remembered. A server that answers none is asked some four times a minute and left, or lived with,
/// long before; the oldest is forgotten beyond it, which only delays a proof.
const OPEN_MAX: usize = 64;

/// How the server is asked who holds a nick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Userhost,
    Whois,
    Who,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ping,
    Ison,
    Holder(Way),
}

#[derive(Debug)]
struct Question {
    number: u64,
    kind: Kind,
    at: Instant,
}

/// The questions of one connection.
#[derive(Debug)]
pub(crate) struct Questions {
    /// Tells our tokens from those of an earlier connection, which a bouncer may still answer.
    nonce: String,
    asked: u64,
    answered: u64,
    open: VecDeque<Question>,
    rephrased: Option<Instant>,
    mute: bool,
}

impl Questions {
    pub(crate) fn new() -> Self {
        let mut nonce = uuid::Uuid::new_v4().simple().to_string();
        nonce.truncate(8);
        Self {
            nonce,
            asked: 0,
            answered: 0,
            open: VecDeque::new(),
            rephrased: None,
            mute: false,
        }
    }

    /// A PING to write. Its number is proved by any later answer.
    pub(crate) fn ping(&mut self, now: Instant) -> (u64, String) {
        let number = self.add(Kind::Ping, now);
        (number, format!("PING :gh-{}-{number}", self.nonce))
    }

    /// Another question to write when the last ones stay open: whether we are there, which every server answers with reply 303, or
    /// with an error that names the command. Nothing else asks it, so that no reply is taken for another one.
    pub(crate) fn rephrased(&mut self, nick: &str, now: Instant) -> Option<String> {
        let old = self.open.front()?.at + REPHRASE_AFTER <= now;
        let due = self.rephrased.is_none_or(|at| at + REPHRASE_EVERY <= now);
        if !old || !due {
            return None;
        }
        self.rephrased = Some(now);
        self.add(Kind::Ison, now);
        Some(format!("ISON {nick}"))
    }

    /// When [`Self::rephrased`] has something to ask next.
    pub(crate) fn due(&self) -> Option<Instant> {
        let old = self.open.front()?.at + REPHRASE_AFTER;
        Some(self.rephrased.map_or(old, |at| old.max(at + REPHRASE_EVERY)))
    }

    /// A question who holds a nick. Its number tells its answer from the late one of an earlier question.
    pub(crate) fn holder(&mut self, way: Way, nick: &str, now: Instant) -> (u64, String) {
        let command = command(way);
        (self.add(Kind::Holder(way), now), format!("{command} {nick}"))
    }

    /// What a line answers: the number of the question, if any.
    pub(crate) fn on(&mut self, line: &Line) -> Option<u64> {
        let oldest = |open: &VecDeque<Question>, kind| {
            open.iter()
                .find(|question| question.kind == kind)
                .map(|question| question.number)
        };
        let answered = match (line.verb.as_str(), line.numeric()) {
            ("PONG", _) => self.named(line).or_else(|| oldest(&self.open, Kind::Ping)),
            (_, Some(302)) => oldest(&self.open, Kind::Holder(Way::Userhost)),
            (_, Some(318)) => oldest(&self.open, Kind::Holder(Way::Whois)),
            (_, Some(315)) => oldest(&self.open, Kind::Holder(Way::Who)),
            (_, Some(303)) => oldest(&self.open, Kind::Ison),
            // A refusal of the command itself (263, 421, 461, ...), after which the server has read it as well.
            (_, Some(_)) if Case::Ascii.same(line.arg(1), "ISON") => oldest(&self.open, Kind::Ison),
            (_, Some(_)) if Case::Ascii.same(line.arg(1), "PING") => oldest(&self.open, Kind::Ping),
            (_, Some(_)) => [Way::Userhost, Way::Whois, Way::Who]
                .into_iter()
                .find(|way| Case::Ascii.same(line.arg(1), command(*way)))
                .and_then(|way| oldest(&self.open, Kind::Holder(way))),
            _ => None,
        };
        if let Some(answered) = answered {
            self.answered = self.answered.max(answered);
            self.mute = false;
            self.open.retain(|question| question.number > answered);
        }
        answered
    }

    /// Whether the server has come past this question.
    pub(crate) fn proved(&self, number: u64) -> bool {
        self.answered >= number
    }

    /// The server spoke for a long time and left every question open.
    pub(crate) fn stay_open(&mut self) {
        self.mute = true;
    }

    /// Whether the server was asked before this question, and has answered nothing since we are here.
    pub(crate) fn never_answered_before(&self, number: u64) -> bool {
        self.answered == 0 && number > 1
    }

    /// Whether the server is known to answer no question, as far as this connection tells.
    pub(crate) fn is_mute(&self) -> bool {
        self.mute
    }

    fn add(&mut self, kind: Kind, at: Instant) -> u64 {
        self.asked += 1;
        if self.open.len() >= OPEN_MAX {
            self.open.pop_front();
        }
        let number = self.asked;
        self.open.push_back(Question { number, kind, at });
        number
    }

    /// The number in a token of ours, wherever in the line the server put it.
    fn named(&self, line: &Line) -> Option<u64> {
        let number = |arg: &String| -> Option<u64> {
            let lower = arg.to_ascii_lowercase();
            let (_, rest) = lower.split_once(&format!("gh-{}-", self.nonce))?;
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        };
        let named = line.args.iter().find_map(number);
        named.filter(|number| *number <= self.asked)
    }
}

/// The command that asks in this way.
pub(crate) fn command(way: Way) -> &'static str {
    match way {
        Way::Userhost => "USERHOST",
        Way::Whois => "WHOIS",
        Way::Who => "WHO",
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{self, Instant};

    use super::{OPEN_MAX, Questions, REPHRASE_AFTER};
    use crate::platform::irc::line::Line;

    fn token(ping: &str) -> String {
        ping.strip_prefix("PING :").unwrap().to_owned()
    }

    fn answer(questions: &mut Questions, line: &str) {
        questions.on(&Line::parse(line));
    }

    #[tokio::test]
    async fn a_later_answer_proves_every_earlier_question() {
        let mut questions = Questions::new();
        let (first, _) = questions.ping(Instant::now());
        let (second, ping) = questions.ping(Instant::now());

        answer(&mut questions, &format!(":s PONG s :{}", token(&ping)));

        assert!(questions.proved(first) && questions.proved(second));
    }

    #[tokio::test]
    async fn a_pong_that_cannot_be_read_answers_the_oldest_ping_only() {
        for pong in [
            ":s PONG s",
            ":s PONG",
            "PONG :irc.example.test",
            ":s PONG s :gh-other-99",
        ] {
            let mut questions = Questions::new();
            let (first, _) = questions.ping(Instant::now());
            let (second, _) = questions.ping(Instant::now());

            answer(&mut questions, pong);
            assert!(questions.proved(first) && !questions.proved(second), "{pong}");
            answer(&mut questions, pong);
            assert!(questions.proved(second), "{pong}");
        }
    }

    #[tokio::test]
    async fn a_token_is_known_in_any_case_and_place() {
        let mut questions = Questions::new();
        let (_, _) = questions.ping(Instant::now());
        let (second, ping) = questions.ping(Instant::now());

        answer(
            &mut questions,
            &format!(":s PONG {} s", token(&ping).to_uppercase()),
        );

        assert!(questions.proved(second));
    }

    #[tokio::test]
    async fn nobody_can_answer_what_was_not_asked() {
        let mut questions = Questions::new();
        let (_, ping) = questions.ping(Instant::now());
        let ahead = token(&ping).replace("-1", "-7");

        answer(&mut questions, ":s PONG s :x");
        answer(&mut questions, &format!(":s PONG s :{ahead}"));
        answer(&mut questions, ":s 303 gate :gate");

        let (next, _) = questions.ping(Instant::now());
        assert!(!questions.proved(next));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_answers_no_ping_is_asked_in_other_words() {
        for reply in [
            ":s 303 gate :gate",
            ":s 303 gate :",
            ":s 421 gate ISON :Unknown command",
            ":s 263 gate ison :Please wait a while",
        ] {
            let mut questions = Questions::new();
            let (ping, _) = questions.ping(Instant::now());
            assert_eq!(questions.rephrased("gate", Instant::now()), None, "not yet");
            time::advance(REPHRASE_AFTER).await;

            assert_eq!(
                questions.rephrased("gate", Instant::now()).as_deref(),
                Some("ISON gate")
            );
            assert_eq!(questions.rephrased("gate", Instant::now()), None, "once");
            answer(&mut questions, ":s 302 gate :gate=+g@h");
            assert!(!questions.proved(ping), "nobody asked that");
            answer(&mut questions, reply);
            assert!(questions.proved(ping), "{reply}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn open_questions_are_bounded() {
        let mut questions = Questions::new();
        for _ in 0..OPEN_MAX * 3 {
            questions.ping(Instant::now());
        }
        assert_eq!(questions.open.len(), OPEN_MAX);
    }
}
