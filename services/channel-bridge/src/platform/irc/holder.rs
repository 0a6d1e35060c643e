//! Who holds a nick: asked before something private is said to `nick!user@host`, because a nick is not a person, and an answer to
//! somebody who left is not told to whoever took the name.
//!
//! Servers have three ways to tell it, and few have all of them: USERHOST, else WHOIS, else WHO. One that is unknown to the
//! server, refused by it or left open is followed by the next. While it is asked nothing was said, so a late answer
//! harms nobody and is taken whichever of the questions it is to.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    line::Line,
    questions::{self, Questions, Way},
    text,
};
use crate::adapter::Case;

/// How long the server may take for one way before it is asked in the next. The late answer still counts.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// What the server says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// Nothing yet.
    Asked,
    /// Write this: the question in other words.
    Ask(String),
    /// The one who is meant.
    Same,
    /// Somebody else, by this `user@host`.
    Other(String),
    /// Nobody.
    Gone,
    /// There is no way to know.
    Unknown,
}

/// The question who holds one nick.
#[derive(Debug)]
pub(crate) struct Asking {
    nick: String,
    /// `user@host` of who is meant.
    holder: String,
    way: Way,
    question: u64,
    deadline: Instant,
}

impl Asking {
    /// The question and the line that asks it.
    pub(crate) fn begin(
        nick: String,
        holder: String,
        questions: &mut Questions,
        now: Instant,
    ) -> (Self, String) {
        let (question, line) = questions.holder(Way::Userhost, &nick, now);
        let asking = Self {
            nick,
            holder,
            way: Way::Userhost,
            question,
            deadline: now + ANSWER_WITHIN,
        };
        (asking, line)
    }

    pub(crate) fn nick(&self) -> &str {
        &self.nick
    }

    pub(crate) fn holder(&self) -> &str {
        &self.holder
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// What a line says about it. `answered`: the question that the line answers.
    pub(crate) fn on(
        &mut self,
        line: &Line,
        answered: Option<u64>,
        questions: &mut Questions,
        now: Instant,
    ) -> Holder {
        let names_ours = |at: usize| Case::Ascii.same(line.arg(at), &self.nick);
        let ours = answered == Some(self.question);
        match (line.numeric(), self.way) {
            (Some(302), way) => match text::holds(line.last(), &self.nick) {
                Some(current) => self.is(current),
                // An answer without anybody does not say to which question, so it counts for the last one only.
                None if ours && way == Way::Userhost => Holder::Gone,
                None => Holder::Asked,
            },
            // `311 gate anna ~a home.test * :Anna`
            (Some(311), _) if names_ours(1) => self.is(&format!("{}@{}", line.arg(2), line.arg(3))),
            // `352 gate #home ~a home.test irc.test anna H :0 Anna`
            (Some(352), _) if names_ours(5) => self.is(&format!("{}@{}", line.arg(2), line.arg(3))),
            (Some(401 | 406), Way::Whois) if names_ours(1) => Holder::Gone,
            (Some(318), Way::Whois) if ours => Holder::Gone,
            // WHO leaves out who is invisible, so that nobody is no answer. What is said against the command itself names it, which
            // counts also behind a bouncer that answers other questions in the meantime.
            (Some(_), way) if ours || Case::Ascii.same(line.arg(1), questions::command(way)) => {
                self.next(questions, now)
            }
            _ => Holder::Asked,
        }
    }

    /// What the clock says about it.
    pub(crate) fn tick(&mut self, questions: &mut Questions, now: Instant) -> Holder {
        if now < self.deadline {
            Holder::Asked
        } else {
            self.next(questions, now)
        }
    }

    fn is(&self, current: &str) -> Holder {
        if current.eq_ignore_ascii_case(&self.holder) {
            Holder::Same
        } else {
            Holder::Other(current.to_owned())
        }
    }

    fn next(&mut self, questions: &mut Questions, now: Instant) -> Holder {
        self.way = match self.way {
            Way::Userhost => Way::Whois,
            Way::Whois => Way::Who,
            Way::Who => return Holder::Unknown,
        };
        let (question, line) = questions.holder(self.way, &self.nick, now);
        (self.question, self.deadline) = (question, now + ANSWER_WITHIN);
        Holder::Ask(line)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{self, Instant};

    use super::{ANSWER_WITHIN, Asking, Holder};
    use crate::platform::irc::{line::Line, questions::Questions};

    struct Scene {
        asking: Asking,
        questions: Questions,
    }

    impl Scene {
        fn new() -> Self {
            let mut questions = Questions::new();
            let (asking, line) = Asking::begin(
                "anna".into(),
                "~a@home.test".into(),
                &mut questions,
                Instant::now(),
            );
            assert_eq!(line, "USERHOST anna");
            Self { asking, questions }
        }

        fn hear(&mut self, line: &str) -> Holder {
            let line = Line::parse(line);
            let answered = self.questions.on(&line);
            self.asking
                .on(&line, answered, &mut self.questions, Instant::now())
        }

        async fn late(&mut self) -> Holder {
            time::advance(ANSWER_WITHIN).await;
            self.asking.tick(&mut self.questions, Instant::now())
        }
    }

    fn ask(line: &str) -> Holder {
        Holder::Ask(line.into())
    }

    #[tokio::test]
    async fn the_holder_is_known_by_any_of_three_answers() {
        for (answer, holder) in [
            (":s 302 gate :anna=+~a@home.test", Holder::Same),
            (":s 302 gate :Anna*=-~a@Home.test", Holder::Same),
            (
                ":s 302 gate :anna=+~b@elsewhere.test",
                Holder::Other("~b@elsewhere.test".into()),
            ),
            (":s 302 gate :", Holder::Gone),
            (":s 311 gate Anna ~a home.test * :Anna", Holder::Same),
            (":s 352 gate #home ~a home.test s anna H :0 Anna", Holder::Same),
            (":s 352 gate #home ~b x.test s bert H :0 Bert", Holder::Asked),
        ] {
            assert_eq!(Scene::new().hear(answer), holder, "{answer}");
        }
    }

    #[tokio::test]
    async fn a_way_that_the_server_does_not_know_is_followed_by_the_next() {
        for refusal in [
            ":s 421 gate USERHOST :Unknown command",
            ":s 263 gate USERHOST :Please wait a while",
            ":s 481 gate userhost :Permission denied",
        ] {
            let mut scene = Scene::new();
            assert_eq!(scene.hear(refusal), ask("WHOIS anna"), "{refusal}");
            assert_eq!(scene.hear(":s 421 gate WHOIS :Unknown command"), ask("WHO anna"));
            assert_eq!(
                scene.hear(":s 315 gate anna :End of WHO"),
                Holder::Unknown,
                "{refusal}"
            );
        }
        let mut scene = Scene::new();
        scene.hear(":s 421 gate USERHOST :Unknown command");
        assert_eq!(scene.hear(":s 401 gate anna :No such nick"), Holder::Gone);
        let mut scene = Scene::new();
        scene.hear(":s 421 gate USERHOST :Unknown command");
        assert_eq!(scene.hear(":s 318 gate anna :End of WHOIS"), Holder::Gone);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_late_is_taken_and_one_that_never_comes_is_asked_for_otherwise() {
        let mut scene = Scene::new();
        assert_eq!(scene.late().await, ask("WHOIS anna"));
        assert_eq!(scene.late().await, ask("WHO anna"));
        assert_eq!(
            scene.hear(":s 302 gate :"),
            Holder::Asked,
            "it may be about anybody"
        );
        assert_eq!(scene.hear(":s 302 gate :anna=+~a@home.test"), Holder::Same);

        let mut scene = Scene::new();
        scene.late().await;
        scene.late().await;
        assert_eq!(scene.late().await, Holder::Unknown);
    }
}
