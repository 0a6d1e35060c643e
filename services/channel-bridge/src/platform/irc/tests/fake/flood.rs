//! A server that throws out who sends too much, as solanum does: five lines at once, then two in a second, and at most twenty wait.

use std::time::Duration;

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, duplex},
    time::{self, Instant},
};

use super::receipts::connect;
use crate::{
    account::room::RoomState,
    platform::irc::{IrcConfig, wire::Socket},
};

const BURST: f64 = 5.0;
const PER_SECOND: f64 = 2.0;
const WAITING_MAX: f64 = 20.0;

#[tokio::test(start_paused = true)]
async fn forty_rooms_and_as_many_messages_are_no_flood() {
    let config = serde_json::json!({"server": "irc.example.test", "nick": "gate", "tls": false,
        "channels": (0..40).map(|n| format!("#room{n}")).collect::<Vec<_>>()});
    let (one, other) = duplex(64 * 1024);
    let (progress, requests, task) = connect(IrcConfig::read(&config).unwrap(), one);
    let mut server = BufReader::new(Box::new(other) as Box<dyn Socket>);
    // More than anybody asks for: the dispatcher holds them back by the account's rate.
    let asking = tokio::spawn(async move {
        for n in 0..40 {
            let (request, answer) = super::receipts::request("#elsewhere", &n.to_string());
            requests.send(request).await.unwrap();
            answer.await.unwrap().unwrap();
        }
    });

    let (mut waiting, mut seen, mut said) = (0.0_f64, Instant::now(), 0);
    let mut line = String::new();
    while said < 40 {
        line.clear();
        let read = time::timeout(Duration::from_secs(600), server.read_line(&mut line)).await;
        assert!(read.expect("in time").unwrap() > 0, "it left");
        let worked_off = seen.elapsed().as_secs_f64() * PER_SECOND;
        waiting = (waiting - worked_off).max(-BURST) + 1.0;
        seen = Instant::now();
        assert!(waiting <= WAITING_MAX, "Excess Flood at {line}");
        let words: Vec<&str> = line.trim_end().splitn(3, ' ').collect();
        let answer = match words.as_slice() {
            ["CAP", "LS", ..] => ":s CAP * LS :\r\n".to_owned(),
            ["CAP", "END"] => ":s 001 gate :Welcome\r\n:s 376 gate :End of MOTD\r\n".to_owned(),
            ["PING", token] => format!(":s PONG s {token}\r\n"),
            ["JOIN", rooms] => rooms
                .split(',')
                .map(|room| format!(":gate!g@h JOIN {room}\r\n"))
                .collect(),
            ["PRIVMSG", ..] => {
                said += 1;
                String::new()
            }
            _ => String::new(),
        };
        server.write_all(answer.as_bytes()).await.unwrap();
    }

    asking.abort();
    let rooms = progress.snapshot().rooms;
    assert!(
        rooms.len() == 40 && rooms.iter().all(|room| room.state == RoomState::Joined),
        "{rooms:?}"
    );
    task.abort();
}
