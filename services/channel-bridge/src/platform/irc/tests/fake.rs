//! Against a server that is written here: for what a real one does not do on request. Where the clock is paused the socket
//! is a pipe in memory, because a real one does not know that time stands still.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use gatehouse_core::Clock;
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, duplex},
    net::TcpListener,
    time::{self, Instant},
};

mod flood;
mod receipts;

use super::irc;
use crate::{
    account::State,
    adapter::{Adapter, Capabilities, Ended, Limits, Link},
    platform::irc::{Irc, IrcConfig, client, wire::Socket},
    testing::{Bench, stores, until},
};

/// The most that a pipe holds before the assistant must wait for the server to read.
const PIPE_BYTES: usize = 512;

/// The server's end of one connection.
struct Server {
    socket: BufReader<Box<dyn Socket>>,
}

impl Server {
    fn new(socket: impl Socket + 'static) -> Self {
        Self {
            socket: BufReader::new(Box::new(socket)),
        }
    }

    /// The next line that begins like this; what comes before it is read and left out.
    async fn expect(&mut self, beginning: &str) -> String {
        let look = async {
            loop {
                let mut line = String::new();
                assert_ne!(
                    self.socket.read_line(&mut line).await.unwrap(),
                    0,
                    "the end, instead of {beginning}"
                );
                if line.starts_with(beginning) {
                    return line.trim_end().to_owned();
                }
            }
        };
        time::timeout(Duration::from_secs(20), look)
            .await
            .unwrap_or_else(|_| panic!("waited in vain for {beginning}"))
    }

    async fn say(&mut self, line: &str) {
        self.socket
            .write_all(format!("{line}\r\n").as_bytes())
            .await
            .unwrap();
    }

    /// Lets the assistant in, and answers its first question as servers do.
    async fn welcome(&mut self) {
        let ping = self.welcome_in_silence().await;
        self.say(&ping.replace("PING", ":s PONG s")).await;
    }

    /// Lets the assistant in. The question that it asks then.
    async fn welcome_in_silence(&mut self) -> String {
        self.expect("USER gate ").await;
        self.say(":s CAP * LS :multi-prefix").await;
        self.expect("CAP END").await;
        self.say(":s 001 gate :Welcome").await;
        self.expect("PING :").await
    }

    /// Reads until the assistant has closed the connection; what it said meanwhile.
    async fn rest(mut self) -> String {
        let mut rest = String::new();
        self.socket.read_to_string(&mut rest).await.unwrap();
        rest
    }
}

/// The adapter over pipes: one for each connection, then refusals.
struct Piped {
    irc: Irc,
    pipes: Mutex<VecDeque<Box<dyn Socket>>>,
}

#[async_trait]
impl Adapter for Piped {
    fn limits(&self) -> Limits {
        self.irc.limits()
    }

    fn capabilities(&self) -> Capabilities {
        self.irc.capabilities()
    }

    async fn run(&self, link: Link) -> Ended {
        let pipe = self.pipes.lock().unwrap().pop_front();
        let socket = async { pipe.ok_or_else(|| Ended::Retry("refused".into())) };
        client::over(socket, &self.irc.config, &self.irc.clock, link).await
    }
}

/// The assistant as account `a`, and the servers of its first two connections.
fn piped() -> (TempDir, Bench, Server, Server) {
    let ((one, first), (two, second)) = (duplex(PIPE_BYTES), duplex(PIPE_BYTES));
    let pipes: [Box<dyn Socket>; 2] = [Box::new(one), Box::new(two)];
    let adapter = Piped {
        irc: Irc::new(IrcConfig::for_tests("irc.example.test", 6667), Clock::system()),
        pipes: Mutex::new(pipes.into()),
    };
    let (folder, stores) = stores();
    let bench = Bench::run(&stores, Clock::system(), Arc::new(adapter));
    (folder, bench, Server::new(first), Server::new(second))
}

/// Waits as long as it takes, but no longer than a gateway may take to notice anything.
async fn reaches(bench: &Bench, state: State) {
    let mut states = bench.progress.watch();
    time::timeout(Duration::from_secs(200), states.wait_for(|now| *now == state))
        .await
        .expect("in time")
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_falls_silent_is_asked_then_degraded_then_left() {
    let (_folder, bench, mut first, mut second) = piped();
    first.welcome().await;
    reaches(&bench, State::Connected).await;
    let began = Instant::now();
    let silent = tokio::spawn(first.rest());

    reaches(&bench, State::Degraded).await;
    let degraded = began.elapsed();
    let said = silent.await.unwrap();
    let left = began.elapsed();
    second.welcome().await;
    reaches(&bench, State::Connected).await;

    assert!((60..=62).contains(&degraded.as_secs()), "{degraded:?}");
    assert!((90..=92).contains(&left.as_secs()), "{left:?}");
    assert!(said.matches("PING ").count() >= 2, "it was asked: {said}");
    let snapshot = bench.progress.snapshot();
    assert_eq!(snapshot.reconnect_count, 1);
    assert_eq!(snapshot.last_error, None, "all is well now");
    let before = snapshot.last_disconnect.unwrap().reason;
    assert!(before.contains("nothing was heard for 90 seconds"), "{before}");
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_even_read_is_left_as_well() {
    let (_folder, bench, mut first, mut second) = piped();
    first.welcome().await;
    reaches(&bench, State::Connected).await;
    // Its answers fill the pipe, so that the assistant waits for room to write.
    for n in 0..10 {
        first.say(&format!("PING :{n:0100}")).await;
    }

    reaches(&bench, State::Degraded).await;
    reaches(&bench, State::Backoff).await;
    second.welcome().await;
    reaches(&bench, State::Connected).await;

    assert_eq!(bench.progress.snapshot().reconnect_count, 1);
    drop(first);
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_says_a_word_is_left_after_half_a_minute() {
    let (_folder, bench, first, mut second) = piped();
    let began = Instant::now();

    reaches(&bench, State::Backoff).await;
    let left = began.elapsed();
    second.welcome().await;
    reaches(&bench, State::Connected).await;

    assert!((30..=31).contains(&left.as_secs()), "{left:?}");
    let snapshot = bench.progress.snapshot();
    let before = snapshot.last_disconnect.unwrap().reason;
    assert!(
        before.contains("did not welcome us within 30 seconds"),
        "{before}"
    );
    assert_eq!(snapshot.reconnect_count, 0, "it was never connected before");
    drop(first);
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_question_from_within_is_passed_on_once_a_second_and_answered_by_the_server() {
    let (_folder, bench, mut server, _second) = piped();
    server.welcome().await;
    reaches(&bench, State::Connected).await;
    time::sleep(Duration::from_secs(2)).await;
    let within = Duration::from_secs(5);

    let (first, second, third, ()) = tokio::join!(
        bench.progress.answers(within),
        bench.progress.answers(within),
        bench.progress.answers(within),
        async {
            server.expect("PING ").await;
            server.say(":s PONG s :gatehouse").await;
        }
    );
    time::sleep(Duration::from_secs(2)).await;
    let unanswered = bench.progress.answers(within).await;

    assert!(first && second && third, "one answer is enough for all");
    assert!(!unanswered);
    bench.stop().await;
    assert_eq!(
        server.rest().await.matches("PING ").count(),
        1,
        "three questions were one"
    );
}

#[tokio::test]
async fn a_socket_that_is_a_black_hole_is_never_called_connected_and_does_not_hold_up_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (_folder, stores) = stores();
    let bench = Bench::run(&stores, Clock::system(), irc(json!({"port": port})));

    let (mut hole, _) = listener.accept().await.unwrap();
    let mut begun = [0; 6];
    hole.read_exact(&mut begun).await.unwrap();

    assert_eq!(&begun, b"CAP LS");
    let snapshot = bench.progress.snapshot();
    assert_eq!(
        (snapshot.state, snapshot.last_connected_at),
        (State::Starting, None)
    );
    time::timeout(Duration::from_secs(5), bench.stop())
        .await
        .expect("an end");
}

/// The assistant, which is to log in as `gate` with `open sesame`, on a real socket that is accepted here.
async fn logging_in() -> (TempDir, Bench, Server) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (folder, stores) = stores();
    let sasl = json!({"port": port, "sasl": {"account": "gate", "password": "open sesame"}});
    let bench = Bench::run(&stores, Clock::system(), irc(sasl));
    let (socket, _) = listener.accept().await.unwrap();
    let mut server = Server::new(socket);
    server.expect("USER gate ").await;
    server.say(":s CAP * LS :account-tag sasl=PLAIN").await;
    assert_eq!(server.expect("CAP ").await, "CAP REQ :account-tag sasl");
    server.say(":s CAP * ACK :account-tag sasl").await;
    assert_eq!(server.expect("AUTHENTICATE").await, "AUTHENTICATE PLAIN");
    (folder, bench, server)
}

#[tokio::test]
async fn with_sasl_the_assistant_logs_in_before_it_enters() {
    let (_folder, bench, mut server) = logging_in().await;

    server.say("AUTHENTICATE +").await;
    let credentials = server.expect("AUTHENTICATE").await;
    let payload = BASE64_STANDARD.decode(credentials.strip_prefix("AUTHENTICATE ").unwrap());
    assert_eq!(payload.unwrap(), b"\0gate\0open sesame");
    assert_ne!(bench.progress.snapshot().state, State::Connected, "not yet");
    server
        .say(":s 900 gate gate!gate@host gate :You are now logged in")
        .await;
    server.say(":s 903 gate :SASL authentication successful").await;
    server.expect("CAP END").await;
    server.say(":s 001 gate :Welcome").await;

    until("a connection", async || {
        (bench.progress.snapshot().state == State::Connected).then_some(())
    })
    .await;
    assert_eq!(server.expect("JOIN").await, "JOIN #home");
    bench.stop().await;
}

#[tokio::test]
async fn with_a_wrong_password_the_assistant_does_not_enter() {
    let (_folder, bench, mut server) = logging_in().await;

    server.say("AUTHENTICATE +").await;
    server.expect("AUTHENTICATE").await;
    let refusal = ":s 904 gate :SASL authentication failed\r\n:s 001 gate :Welcome all the same";
    server.say(refusal).await;

    let error = until("a refusal", async || bench.progress.snapshot().last_error).await;
    assert!(error.contains("SASL was refused"), "{error}");
    assert!(!error.contains("sesame"), "{error}");
    assert!(bench.progress.snapshot().last_connected_at.is_none());
    bench.stop().await;
}
