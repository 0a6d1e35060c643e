mod holders;

use std::time::Duration;

use tokio::{
    sync::oneshot,
    time::{self, Instant},
};

use gatehouse_core::{Clock, Timestamp};

use super::{ANSWER_WITHIN, Outcome, Questions, Registered, Saying};
use crate::{
    adapter::{Receipt, SendError, SendPart, SendRequest},
    platform::irc::{config::IrcConfig, line::Line, nick::Nick},
};

type Answer = oneshot::Receiver<Result<Receipt, SendError>>;

/// A message that begins on a connection of its own.
struct Scene {
    session: Registered,
    questions: Questions,
    answer: Answer,
    outcome: Option<Outcome>,
    /// Whether a message that was said before it waits as well.
    is_behind_another: bool,
    /// What was written last.
    written: Vec<String>,
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
        replaces: None,
        media: Vec::new(),
        choices: Vec::new(),
        created_at: Timestamp::EPOCH,
    })
}

impl Scene {
    fn begin(to: &str) -> Self {
        let config = IrcConfig::for_tests("127.0.0.1", 1);
        let session = Registered::new(
            &config,
            Nick::new("gate"),
            "gate".into(),
            None,
            Clock::fixed(7),
            Instant::now(),
        );
        let (_, answer) = request(to);
        let mut scene = Self {
            session,
            questions: Questions::new(),
            answer,
            outcome: None,
            is_behind_another: false,
            written: Vec::new(),
        };
        scene.say(to);
        scene
    }

    /// Another message on the same connection.
    fn say(&mut self, to: &str) {
        let (request, answer) = request(to);
        self.answer = answer;
        let outcome = Saying::begin(request, &self.session, &mut self.questions, Instant::now());
        self.take(outcome);
    }

    /// Writes what is to be written, and says what is ready.
    fn take(&mut self, outcome: Outcome) {
        self.outcome = Some(match outcome {
            Outcome::Pending(saying, lines) => {
                let ready = saying.is_ready();
                let (saying, said) = saying.say(&mut self.questions, Instant::now());
                self.written = if ready { said } else { lines };
                Outcome::Pending(saying, Vec::new())
            }
            done @ Outcome::Done(..) => done,
        });
    }

    fn hear(&mut self, line: &str) -> &mut Self {
        let line = Line::parse(line);
        let answered = self.questions.on(&line);
        self.session.on(&line, Instant::now());
        let saying = pending(self.outcome.take().unwrap());
        let oldest = if self.is_behind_another {
            Some(0)
        } else {
            saying.question()
        };
        let outcome = saying.on(
            &line,
            (answered, oldest),
            &self.session,
            &mut self.questions,
            Instant::now(),
        );
        self.take(outcome);
        self
    }

    fn tick(&mut self) -> &mut Self {
        let saying = pending(self.outcome.take().unwrap());
        let outcome = saying.tick(&self.session, &mut self.questions, Instant::now());
        self.take(outcome);
        self
    }

    fn waits(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Pending(..)))
    }

    fn lines(&self) -> Vec<String> {
        assert!(self.waits(), "{:?}", self.outcome);
        self.written.clone()
    }

    fn done(&mut self) -> Result<Receipt, SendError> {
        match self.outcome.take().unwrap() {
            Outcome::Pending(saying, _) => panic!("{saying:?}"),
            Outcome::Done(_, result) => result,
        }
    }
}

fn pending(outcome: Outcome) -> Saying {
    match outcome {
        Outcome::Pending(saying, _) => saying,
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

#[tokio::test]
async fn a_standard_reply_is_about_the_target_that_it_names_and_may_pass() {
    for (line, refuses, passes) in [
        ("FAIL PRIVMSG RATE_LIMITED #open :Too fast", false, false),
        ("FAIL PRIVMSG RATE_LIMITED #home :Too fast", true, true),
        ("FAIL PRIVMSG CANNOT_SEND #home :No", true, false),
        ("FAIL PRIVMSG TOO_LONG 4096 :No", true, false),
        ("FAIL JOIN RATE_LIMITED #home :No", false, false),
        (
            ":s 707 gate #home :Targets changing too fast, message dropped",
            true,
            true,
        ),
        (
            ":s 707 gate anna :Targets changing too fast, message dropped",
            false,
            false,
        ),
        (":s 936 gate #home badword :Your message was blocked", true, false),
    ] {
        let mut scene = Scene::begin("#home");
        scene.hear(line);
        assert_eq!(!scene.waits(), refuses, "{line}");
        if refuses {
            assert_eq!(
                matches!(scene.done(), Err(SendError::Retry { .. })),
                passes,
                "{line}"
            );
        }
    }
}

#[tokio::test]
async fn a_refusal_that_names_no_target_is_about_the_oldest_message() {
    for line in [
        "FAIL PRIVMSG RATE_LIMITED :Too fast",
        ":s 263 gate PRIVMSG :Please wait a while",
        ":s 412 gate :No text to send",
    ] {
        let mut scene = Scene::begin("#home");
        scene.is_behind_another = true;
        scene.hear(line);
        assert!(scene.waits(), "{line}");

        scene.is_behind_another = false;
        scene.hear(line);
        assert!(scene.done().is_err(), "{line}");
    }
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
        scene.say("#home");
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
