//! One message on its way out, and how the server's answer is known.
//!
//! IRC acknowledges nothing. So a question goes out behind each message: the server works through our lines in order, hence
//! an answer to it, or to any later question, says that the message was taken, and a refusal comes before the answer. And a nick
//! is not a person: before a reply goes to `nick!user@host`, the server is asked who holds the nick now, and a reply for
//! somebody who left is not told to whoever took the name.
//!
//! A receipt that is late is no evidence of loss: TCP keeps what was written, in order, until the connection ends. So a message
//! that was said is never given up on by the clock. While nothing at all is heard, the rules of liveness decide
//! whether the connection is dead, and only a dead one makes its outcome unknown. Where the server speaks and yet answers no
//! question, the message was said, and its receipt is marked as unconfirmed.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    line::Line,
    questions::Questions,
    text::{self, Case},
};
use crate::adapter::{Receipt, SendError, SendRequest};

/// How long the server may take to say who holds a nick. Nothing was said by then, so asking again harms nobody.
const HOLDER_WITHIN: Duration = Duration::from_secs(20);
/// How long a server that is heard may leave every question open. Twice what it takes to ask in other words and be answered.
const ANSWER_WITHIN: Duration = Duration::from_secs(40);
/// The same once it is known to answer none: only a refusal is waited for, or a reply of many lines would take hours.
const REFUSAL_WITHIN: Duration = Duration::from_secs(2);

#[derive(Debug)]
enum Stage {
    /// Asked who holds the nick.
    Asking {
        nick: String,
        holder: String,
        question: u64,
        deadline: Instant,
    },
    /// Said; an answer to this question, or to a later one, is awaited.
    Said {
        target: String,
        question: u64,
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
    pub(crate) fn begin(request: SendRequest, questions: &mut Questions, now: Instant) -> Outcome {
        let to = request.part().to.to_string();
        let (nick, holder) = match to.split_once('!') {
            Some((nick, holder)) if !text::is_room(&to) => (nick.to_owned(), Some(holder.to_owned())),
            _ => (to, None),
        };
        let odd = |c: char| matches!(c, ' ' | ',' | '\r' | '\n' | '\0' | '\u{7}');
        if nick.is_empty() || nick.contains(odd) || nick.starts_with(':') {
            return Outcome::Done(
                request,
                Err(SendError::permanent("not the name of a room or person")),
            );
        }
        let Some(holder) = holder else {
            return Self::say(request, nick, questions, now);
        };
        let (question, line) = questions.userhost(&nick, now);
        let lines = vec![line];
        let stage = Stage::Asking {
            nick,
            holder,
            question,
            deadline: now + HOLDER_WITHIN,
        };
        Outcome::Pending(Self { request, stage }, lines)
    }

    /// What a line means for it, and which question the line answers.
    pub(crate) fn on(
        mut self,
        line: &Line,
        answered: Option<u64>,
        questions: &mut Questions,
        now: Instant,
    ) -> Outcome {
        match (&mut self.stage, line.numeric()) {
            (
                Stage::Asking {
                    nick,
                    holder,
                    question,
                    ..
                },
                Some(302),
            ) if answered == Some(*question) => match text::holds(line.last(), nick) {
                None => {
                    let error = SendError::permanent(format!("{nick} is not on the server"));
                    Outcome::Done(self.request, Err(error))
                }
                Some(current) if current.eq_ignore_ascii_case(holder) => {
                    let nick = std::mem::take(nick);
                    Self::say(self.request, nick, questions, now)
                }
                Some(_) => {
                    let error = SendError::permanent(format!("the nick {nick} belongs to somebody else now"));
                    Outcome::Done(self.request, Err(error))
                }
            },
            (Stage::Asking { .. }, _) => Outcome::Pending(self, Vec::new()),
            (
                Stage::Said {
                    target,
                    question,
                    heard,
                },
                number,
            ) => {
                heard.get_or_insert(now);
                if questions.proved(*question) {
                    return Outcome::Done(self.request, Ok(Receipt::default()));
                }
                match number.and_then(|number| refusal(number, line, target)) {
                    Some(error) => Outcome::Done(self.request, Err(error)),
                    None => Outcome::Pending(self, Vec::new()),
                }
            }
        }
    }

    /// When the clock means something for it.
    pub(crate) fn due(&self, questions: &Questions) -> Option<Instant> {
        match &self.stage {
            Stage::Asking { deadline, .. } => Some(*deadline),
            Stage::Said { heard, .. } => heard.map(|heard| heard + patience(questions)),
        }
    }

    /// What the clock means for it.
    pub(crate) fn tick(self, questions: &mut Questions, now: Instant) -> Outcome {
        let patience = patience(questions);
        match &self.stage {
            Stage::Asking { deadline, .. } if now >= *deadline => {
                let error = SendError::retry("the server did not say who holds the nick");
                Outcome::Done(self.request, Err(error))
            }
            Stage::Said {
                heard: Some(heard), ..
            } if now >= *heard + patience => {
                questions.stay_open();
                Outcome::Done(self.request, Ok(Receipt::unconfirmed()))
            }
            Stage::Asking { .. } | Stage::Said { .. } => Outcome::Pending(self, Vec::new()),
        }
    }

    fn say(mut request: SendRequest, target: String, questions: &mut Questions, now: Instant) -> Outcome {
        request.begin();
        let message = format!("PRIVMSG {target} :{}", request.part().text);
        let (question, ping) = questions.ping(now);
        let stage = Stage::Said {
            target,
            question,
            heard: None,
        };
        Outcome::Pending(Self { request, stage }, vec![message, ping])
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

/// The replies that refuse a message (RFC 2812, section 5.2; 439, 477, 486 and 531 are customs). They name what they are
/// about: the same numbers refuse a JOIN of another room, which says nothing about this message.
fn refusal(number: u16, line: &Line, target: &str) -> Option<SendError> {
    let (about, reason) = (line.arg(1), line.last());
    let ours = Case::Ascii.same(about, target) || Case::Ascii.same(about, "PRIVMSG");
    match number {
        // Perhaps a room that will open, or too fast.
        263 | 404 | 407 | 439 | 477 | 486 if ours => Some(SendError::retry(reason)),
        401..=403 | 413..=415 | 417 | 531 if ours => Some(SendError::permanent(reason)),
        // No recipient, no text: these name nothing, and we send no other command that they could be about.
        411 | 412 => Some(SendError::permanent(reason)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        sync::oneshot,
        time::{self, Instant},
    };

    use super::{ANSWER_WITHIN, Outcome, Questions, Saying};
    use crate::{
        adapter::{Receipt, SendError, SendPart, SendRequest},
        platform::irc::line::Line,
    };

    type Answer = oneshot::Receiver<Result<Receipt, SendError>>;

    /// A message that begins on a connection of its own.
    struct Scene {
        questions: Questions,
        answer: Answer,
        outcome: Option<Outcome>,
    }

    fn request(to: &str) -> (SendRequest, Answer) {
        SendRequest::new(SendPart {
            key: "k".into(),
            delivery: "d".into(),
            index: 0,
            to: crate::id::Address::stored(to.into()),
            thread_id: None,
            reply_to_id: None,
            text: "hi".into(),
            media: Vec::new(),
            created_at: 0,
        })
    }

    impl Scene {
        fn begin(to: &str) -> Self {
            let (request, answer) = request(to);
            let mut questions = Questions::new();
            let outcome = Saying::begin(request, &mut questions, Instant::now());
            Self {
                questions,
                answer,
                outcome: Some(outcome),
            }
        }

        fn hear(&mut self, line: &str) -> &mut Self {
            let line = Line::parse(line);
            let answered = self.questions.on(&line);
            let (saying, _) = pending(self.outcome.take().unwrap());
            self.outcome = Some(saying.on(&line, answered, &mut self.questions, Instant::now()));
            self
        }

        fn tick(&mut self) -> &mut Self {
            let (saying, _) = pending(self.outcome.take().unwrap());
            self.outcome = Some(saying.tick(&mut self.questions, Instant::now()));
            self
        }

        fn waits(&self) -> bool {
            matches!(self.outcome, Some(Outcome::Pending(..)))
        }

        fn lines(&self) -> Vec<String> {
            match self.outcome.as_ref().unwrap() {
                Outcome::Pending(_, lines) => lines.clone(),
                Outcome::Done(_, result) => panic!("{result:?}"),
            }
        }

        fn done(&mut self) -> Result<Receipt, SendError> {
            match self.outcome.take().unwrap() {
                Outcome::Pending(saying, _) => panic!("{saying:?}"),
                Outcome::Done(_, result) => result,
            }
        }
    }

    fn pending(outcome: Outcome) -> (Saying, Vec<String>) {
        match outcome {
            Outcome::Pending(saying, lines) => (saying, lines),
            Outcome::Done(_, result) => panic!("{result:?}"),
        }
    }

    #[tokio::test]
    async fn the_pong_behind_a_message_is_its_receipt() {
        let mut scene = Scene::begin("#home");
        let lines = scene.lines();
        assert_eq!(lines[0], "PRIVMSG #home :hi");
        let token = lines[1].strip_prefix("PING :").unwrap().to_owned();

        scene.hear(":anna!a@h PRIVMSG #home :PONG");
        assert!(scene.waits());
        scene.hear(&format!(":s PONG s :{token}"));

        assert_eq!(scene.done(), Ok(Receipt::default()));
    }

    #[tokio::test]
    async fn an_answer_to_a_later_question_is_a_receipt_as_well() {
        let mut scene = Scene::begin("#home");
        let (_, later) = scene.questions.ping(Instant::now());

        scene.hear(&format!(":s PONG s :{}", later.strip_prefix("PING :").unwrap()));

        assert_eq!(scene.done(), Ok(Receipt::default()));
    }

    #[tokio::test]
    async fn a_refusal_comes_before_the_pong() {
        let mut scene = Scene::begin("#home");
        scene.hear(":s 404 gate #home :Cannot send to channel");
        assert!(matches!(scene.done(), Err(SendError::Retry { .. })));

        let mut scene = Scene::begin("bert");
        scene.hear(":s 401 gate Bert :No such nick");
        assert!(matches!(scene.done(), Err(SendError::Permanent { .. })));
    }

    #[tokio::test]
    async fn a_refusal_of_something_else_is_not_the_messages() {
        let mut scene = Scene::begin("#home");
        for line in [
            ":s 403 gate #typo :No such channel",
            ":s 477 gate #members :You need a registered nick",
            ":s 401 gate carl :No such nick",
            ":s 263 gate USERHOST :Please wait a while",
            ":s 417 gate JOIN :Input line was too long",
        ] {
            scene.hear(line);
            assert!(scene.waits(), "{line}");
        }
        scene.hear(":s 263 gate PRIVMSG :Please wait a while");
        assert!(matches!(scene.done(), Err(SendError::Retry { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn while_nothing_is_heard_a_message_is_not_given_up_on() {
        let mut scene = Scene::begin("#home");
        for _ in 0..60 {
            time::advance(Duration::from_secs(60)).await;
            scene.tick();
        }

        assert!(scene.waits(), "liveness decides, not this clock");
    }

    #[tokio::test(start_paused = true)]
    async fn where_the_server_speaks_and_answers_nothing_a_message_was_said_without_a_receipt() {
        let mut scene = Scene::begin("#home");
        time::advance(ANSWER_WITHIN * 3).await;
        scene.tick().hear(":anna!a@h PRIVMSG #home :are you there");
        assert!(scene.waits(), "the answer may be right behind");

        time::advance(ANSWER_WITHIN).await;
        scene.tick();

        assert_eq!(scene.done(), Ok(Receipt::unconfirmed()));

        // The next one on this connection waits for a refusal only, until the server answers something after all.
        let begin = |scene: &mut Scene| {
            let (request, answer) = request("#home");
            (scene.outcome, scene.answer) = (
                Some(Saying::begin(request, &mut scene.questions, Instant::now())),
                answer,
            );
            scene.hear(":anna!a@h PRIVMSG #home :and now");
        };
        begin(&mut scene);
        time::advance(super::REFUSAL_WITHIN).await;
        assert_eq!(scene.tick().done(), Ok(Receipt::unconfirmed()));
        scene.questions.on(&Line::parse(":s PONG s :x"));
        begin(&mut scene);
        time::advance(super::REFUSAL_WITHIN).await;
        assert!(scene.tick().waits());
    }

    #[tokio::test]
    async fn a_private_reply_goes_only_to_who_asked() {
        let reply = |line: &str| {
            let mut scene = Scene::begin("anna!~a@home.test");
            assert_eq!(scene.lines(), ["USERHOST anna"]);
            scene.hear(line);
            scene
        };

        assert_eq!(
            reply(":s 302 gate :anna=+~a@home.test").lines()[0],
            "PRIVMSG anna :hi"
        );
        assert!(matches!(
            reply(":s 302 gate :anna=+~a@elsewhere.test").done(),
            Err(SendError::Permanent { .. })
        ));
        assert!(matches!(
            reply(":s 302 gate :").done(),
            Err(SendError::Permanent { .. })
        ));
        assert_eq!(
            reply(":s 302 gate :Anna*=-~a@home.test").lines()[0],
            "PRIVMSG anna :hi"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_nick_that_nobody_tells_about_is_asked_for_again_later_and_a_late_reply_is_about_that_nick() {
        let mut scene = Scene::begin("anna!a@b");
        time::advance(super::HOLDER_WITHIN).await;
        assert!(matches!(scene.tick().done(), Err(SendError::Retry { .. })));

        let (request, answer) = request("bert!b@c");
        (scene.outcome, scene.answer) = (
            Some(Saying::begin(request, &mut scene.questions, Instant::now())),
            answer,
        );
        for late in [":s 302 gate :", ":s PONG s :x"] {
            scene.hear(late);
            assert!(scene.waits(), "bert is not gone because anna is: {late}");
        }
        assert_eq!(
            scene.hear(":s 302 gate :bert=+b@c").lines()[0],
            "PRIVMSG bert :hi"
        );
    }

    #[tokio::test]
    async fn the_end_of_a_connection_tells_whether_it_may_have_been_heard() {
        for (to, unknown) in [("#home", true), ("anna!a@b", false)] {
            let (request, answer) = request(to);
            drop(Saying::begin(request, &mut Questions::new(), Instant::now()));
            let error = answer.await.unwrap().unwrap_err();
            assert_eq!(matches!(error, SendError::Unknown { .. }), unknown, "{to}");
        }
    }

    #[tokio::test]
    async fn a_target_cannot_smuggle_anything() {
        for to in ["", "#a,#b", "a b", ":a", "a\r\nQUIT"] {
            assert!(
                matches!(Scene::begin(to).done(), Err(SendError::Permanent { .. })),
                "{to:?}"
            );
        }
    }
}
