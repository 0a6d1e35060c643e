//! Receipts that are late, of another shape, or never come. The clock is paused, so there is no store in here.

use std::{sync::Arc, time::Duration};

use gatehouse_core::{Clock, Timestamp};
use tokio::{
    io::{AsyncReadExt, DuplexStream, duplex},
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time,
};

use super::Server;
use crate::{
    adapter::{Ended, InboundSink, Link, Progress, Receipt, SendError, SendPart, SendRequest, TYPING_MAX},
    platform::irc::{IrcConfig, client, wire::Socket},
    testing::{Heard, key},
};

pub(super) type Answer = oneshot::Receiver<Result<Receipt, SendError>>;

/// A connection and its server.
struct Scene {
    server: Server,
    requests: mpsc::Sender<SendRequest>,
    task: JoinHandle<Ended>,
}

/// The assistant over this pipe: how it is, where it is asked to say something, and its task.
pub(super) fn connect(
    config: IrcConfig,
    socket: DuplexStream,
) -> (Progress, mpsc::Sender<SendRequest>, JoinHandle<Ended>) {
    let progress = Progress::new(Clock::system());
    let (requests, outgoing) = mpsc::channel(8);
    let (_hints, typing) = mpsc::channel(TYPING_MAX);
    let link = Link {
        inbound: InboundSink::new(key("a"), Arc::new(Heard::default()), progress.clone()),
        progress: progress.clone(),
        outgoing,
        typing,
    };
    let task = tokio::spawn(async move {
        let socket = async { Ok(Box::new(socket) as Box<dyn Socket>) };
        client::over(socket, &config, &Clock::system(), link).await
    });
    (progress, requests, task)
}

/// Something to say.
pub(super) fn request(to: &str, text: &str) -> (SendRequest, Answer) {
    SendRequest::new(SendPart {
        key: text.into(),
        delivery: "d".into(),
        index: 0,
        to: to.into(),
        thread_id: None,
        reply_to_id: None,
        text: text.into(),
        replaces: None,
        media: Vec::new(),
        choices: Vec::new(),
        created_at: Timestamp::EPOCH,
    })
}

impl Scene {
    /// A server that answers the first question, as servers do.
    async fn start() -> Self {
        let (mut scene, ping) = Self::start_in_silence().await;
        scene.server.say(&ping.replace("PING", ":s PONG s")).await;
        scene
    }

    /// A server that answers nothing, and what it was asked first.
    async fn start_in_silence() -> (Self, String) {
        // Room for an hour of what is asked, so that a server which does not read holds nothing up.
        let (one, other) = duplex(64 * 1024);
        let (_progress, requests, task) = connect(IrcConfig::for_tests("irc.example.test", 6667), one);
        let mut server = Server::new(other);
        let ping = server.welcome_in_silence().await;
        let scene = Self {
            server,
            requests,
            task,
        };
        (scene, ping)
    }

    async fn request(&self, text: &str) -> Answer {
        self.request_to("#elsewhere", text).await
    }

    async fn request_to(&self, to: &str, text: &str) -> Answer {
        let (request, answer) = request(to, text);
        self.requests.send(request).await.unwrap();
        answer
    }

    /// Ends the connection. What the server was told since it last looked.
    async fn end(self) -> String {
        self.task.abort();
        let _ = self.task.await;
        let mut rest = String::new();
        let mut socket = self.server.socket;
        socket.read_to_string(&mut rest).await.unwrap();
        rest
    }
}

#[tokio::test(start_paused = true)]
async fn a_receipt_that_comes_after_a_long_silence_is_taken_and_nothing_is_said_twice() {
    let mut scene = Scene::start().await;
    let mut answer = scene.request("hi").await;
    scene.server.expect("PRIVMSG #elsewhere :hi").await;
    let ping = scene.server.expect("PING :").await;

    time::sleep(Duration::from_secs(85)).await;
    assert!(answer.try_recv().is_err(), "nobody gave up");
    scene.server.say(&ping.replace("PING", ":s PONG s")).await;

    assert_eq!(answer.await.unwrap(), Ok(Receipt::default()));
    assert!(!scene.end().await.contains("PRIVMSG"));
}

#[tokio::test(start_paused = true)]
async fn while_a_server_is_silent_only_the_end_of_the_connection_makes_an_outcome_unknown() {
    let mut scene = Scene::start().await;
    let mut answer = scene.request("hi").await;
    scene.server.expect("PRIVMSG #elsewhere :hi").await;

    time::sleep(Duration::from_secs(600)).await;
    assert!(
        answer.try_recv().is_err(),
        "liveness decides, and it is not in here"
    );
    assert!(!scene.end().await.contains("PRIVMSG"));

    assert!(matches!(answer.await.unwrap(), Err(SendError::Unknown { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_pong_without_its_token_is_a_receipt() {
    let mut scene = Scene::start().await;
    let answer = scene.request("hi").await;
    scene.server.expect("PING :").await;

    scene.server.say(":s PONG s").await;

    assert_eq!(answer.await.unwrap(), Ok(Receipt::default()));
}

#[tokio::test(start_paused = true)]
async fn a_server_without_pong_is_asked_otherwise_and_its_answer_is_a_receipt() {
    let (mut scene, _) = Scene::start_in_silence().await;
    let answer = scene.request("hi").await;

    scene.server.expect("ISON gate").await;
    scene.server.say(":s 303 gate :gate").await;

    assert_eq!(answer.await.unwrap(), Ok(Receipt::default()));
    assert!(!scene.end().await.contains("PRIVMSG"));
}

#[tokio::test(start_paused = true)]
async fn a_reply_to_a_server_that_speaks_and_confirms_nothing_is_said_once_line_by_line() {
    let mut scene = Scene::start().await;

    let mut took = Vec::new();
    for n in 0..5 {
        let answer = scene.request(&format!("line {n}")).await;
        scene
            .server
            .expect(&format!("PRIVMSG #elsewhere :line {n}"))
            .await;
        scene.server.say(":anna!a@h PRIVMSG #home :talk talk").await;
        let began = time::Instant::now();
        assert_eq!(answer.await.unwrap(), Ok(Receipt::unconfirmed()), "{n}");
        took.push(began.elapsed());
    }

    assert!(took[0] > Duration::from_secs(30), "it had its time: {took:?}");
    assert!(
        took[1..].iter().all(|took| *took < Duration::from_secs(5)),
        "{took:?}"
    );
    assert!(!scene.end().await.contains("PRIVMSG"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answered_a_question_is_told_everything_once() {
    let (mut scene, _) = Scene::start_in_silence().await;
    let answer = scene.request("hi").await;
    scene.server.expect("PRIVMSG #elsewhere :hi").await;
    let began = time::Instant::now();

    assert_eq!(answer.await.unwrap(), Ok(Receipt::unconfirmed()));

    assert!(
        began.elapsed() < Duration::from_secs(60),
        "before the silence ends the connection"
    );
    let answer = scene.request("again").await;
    assert_eq!(answer.await.unwrap(), Ok(Receipt::unconfirmed()));
    assert_eq!(
        scene.end().await.matches("PRIVMSG").count(),
        1,
        "the second message alone"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_know_userhost_is_asked_otherwise_and_holds_up_no_room() {
    let mut scene = Scene::start().await;
    let private = scene.request_to("anna!~a@home.test", "for anna").await;
    scene.server.expect("USERHOST anna").await;

    let room = scene.request("for all").await;
    scene.server.expect("PRIVMSG #elsewhere :for all").await;
    let ping = scene.server.expect("PING :").await;
    scene.server.say(&ping.replace("PING", ":s PONG s")).await;
    assert_eq!(room.await.unwrap(), Ok(Receipt::default()));

    scene.server.say(":s 421 gate USERHOST :Unknown command").await;
    scene.server.expect("WHOIS anna").await;
    scene.server.say(":s 311 gate anna ~a home.test * :Anna").await;
    scene.server.expect("PRIVMSG anna :for anna").await;
    let ping = scene.server.expect("PING :").await;
    scene.server.say(&ping.replace("PING", ":s PONG s")).await;
    assert_eq!(private.await.unwrap(), Ok(Receipt::default()));
}
