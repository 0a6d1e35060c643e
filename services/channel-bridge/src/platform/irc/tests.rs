//! Against Debian's ngircd. The second client is written here, so that no mistake of ours meets itself.

mod connections;
mod nicks;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use gatehouse_core::Clock;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpStream, tcp::OwnedWriteHalf},
    task::JoinHandle,
};

use super::{Irc, IrcConfig};
use crate::{
    account::State,
    adapter::{Adapter, ChatKind, contract},
    platform::isolated,
    testing::{Bench, key, stores, until},
};

mod fake;
mod inspircd;
mod ngircd;
mod znc;

use self::ngircd::{Ngircd, free_port, testdata};

contract::contract!(Room);

mod apart {
    type Room = crate::platform::isolated::tests::Apart<super::Room>;

    crate::adapter::contract::contract!(Room);
}

/// A person with one connection.
struct Person {
    writer: Mutex<Option<OwnedWriteHalf>>,
    lines: Arc<Mutex<Vec<String>>>,
    reader: JoinHandle<()>,
}

impl Person {
    async fn connect(port: u16, nick: &str) -> Self {
        let (reader, writer) = TcpStream::connect(("127.0.0.1", port))
            .await
            .unwrap()
            .into_split();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let reader = tokio::spawn(async move {
            let mut incoming = BufReader::new(reader).lines();
            while let Ok(Some(line)) = incoming.next_line().await {
                kept.lock().unwrap().push(line);
            }
        });
        let person = Self {
            writer: Mutex::new(Some(writer)),
            lines,
            reader,
        };
        person
            .line(&format!("NICK {nick}\r\nUSER {nick} 0 * :{nick}"))
            .await;
        person.sees(" 001 ").await;
        person
    }

    async fn line(&self, line: &str) {
        let mut writer = self.writer.lock().unwrap().take().expect("one line at a time");
        writer.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        *self.writer.lock().unwrap() = Some(writer);
    }

    fn all(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    async fn sees(&self, what: &str) -> String {
        until(what, async || {
            self.all().into_iter().find(|line| line.contains(what))
        })
        .await
    }

    /// Enters a room and waits until the assistant is in it.
    async fn meets(&self, room: &str, nick: &str) {
        self.line(&format!("JOIN {room}")).await;
        until("the assistant in the room", async || {
            self.line(&format!("NAMES {room}")).await;
            let names = |line: &String| {
                line.contains(" 353 ") && line.split([' ', ':', '@']).any(|word| word == nick)
            };
            self.all().iter().any(names).then_some(())
        })
        .await;
    }

    fn heard(&self, from: &str) -> Vec<String> {
        let text = |line: String| {
            let (source, rest) = line.strip_prefix(':')?.split_once(" PRIVMSG ")?;
            source
                .starts_with(&format!("{from}!"))
                .then(|| rest.split_once(" :").map(|(_, text)| text.to_owned()))?
        };
        self.all().into_iter().filter_map(text).collect()
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

fn settings(value: &Value) -> Value {
    let mut whole = json!({"server": "127.0.0.1", "tls": false, "nick": "gate", "maxLines": 1000, "channels": ["#home"],
        "rateLimit": {"burst": 1000, "perSecond": 1000}});
    whole
        .as_object_mut()
        .unwrap()
        .extend(value.as_object().unwrap().clone());
    whole
}

fn irc(value: Value) -> Arc<dyn Adapter> {
    Arc::new(Irc::new(
        IrcConfig::read(&settings(&value)).unwrap(),
        Clock::system(),
    ))
}

/// A room with the assistant and one person in it.
struct Room {
    server: Ngircd,
    person: Person,
}

impl isolated::tests::Apartable for Room {
    type Software = Irc;

    fn account(&self) -> Value {
        settings(&json!({"port": self.server.port}))
    }
}

impl contract::Platform for Room {
    const REDELIVERS: bool = false;

    async fn start() -> Self {
        let server = Ngircd::start().await;
        let person = Person::connect(server.port, "anna").await;
        person.line("JOIN #home").await;
        Self { server, person }
    }

    fn adapter(&self) -> Arc<dyn Adapter> {
        irc(json!({"port": self.server.port}))
    }

    fn person(&self) -> String {
        "#home".into()
    }

    async fn say(&self, _bench: &Bench, _id: &str, text: &str) {
        self.person.meets("#home", "gate").await;
        self.person.line(&format!("PRIVMSG #home :{text}")).await;
    }

    async fn heard(&self) -> Vec<String> {
        self.person.heard("gate")
    }

    async fn cut(&mut self) {
        self.server.restart().await;
    }

    async fn mended(&mut self) {
        self.person = Person::connect(self.server.port, "anna").await;
        self.person.meets("#home", "gate").await;
    }
}

/// The assistant on a server, as account `a`.
async fn gateway(server: &Ngircd, config: Value) -> (TempDir, Bench) {
    let (folder, stores) = stores();
    let mut value = json!({"port": server.port});
    value
        .as_object_mut()
        .unwrap()
        .extend(config.as_object().unwrap().clone());
    let bench = Bench::run(&stores, Clock::system(), irc(value));
    until("a connection", async || {
        (bench.progress.snapshot().state == State::Connected).then_some(())
    })
    .await;
    (folder, bench)
}

#[tokio::test]
async fn rooms_and_private_messages_come_in_with_who_said_them() {
    let server = Ngircd::start().await;
    let (_folder, bench) = gateway(&server, json!({})).await;
    let anna = Person::connect(server.port, "Anna").await;
    anna.meets("#home", "gate").await;

    anna.line("PRIVMSG #home :gate: to you").await;
    anna.line("PRIVMSG #home :to nobody").await;
    anna.line("NOTICE gate :not a message").await;
    anna.line("PRIVMSG gate :in private").await;

    until("three messages", async || {
        (bench.heard.texts().len() >= 3).then_some(())
    })
    .await;
    let heard = bench.heard.messages.lock().unwrap().clone();
    let seen: Vec<_> = heard
        .iter()
        .map(|m| (m.content.words(), m.mentioned, m.chat_kind))
        .collect();
    assert_eq!(
        seen,
        [
            ("gate: to you".to_owned(), true, ChatKind::Channel),
            ("to nobody".to_owned(), false, ChatKind::Channel),
            ("in private".to_owned(), true, ChatKind::Direct)
        ]
    );
    assert_eq!(heard[0].chat_id, "#home");
    assert!(
        heard[2].sender_id.as_str().starts_with("anna!~Anna@"),
        "{}",
        heard[2].sender_id
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_private_reply_reaches_who_asked_and_nobody_who_took_the_nick() {
    let server = Ngircd::start().await;
    let (_folder, bench) = gateway(&server, json!({})).await;
    let anna = Person::connect(server.port, "anna").await;
    anna.line("PRIVMSG gate :hello").await;
    let asked = until("the question", async || {
        bench.heard.messages.lock().unwrap().first().cloned()
    })
    .await;

    bench.say("k1", asked.reply_to.as_str(), "for anna").await;
    bench.settled().await;
    anna.sees("for anna").await;
    anna.line("QUIT").await;
    anna.sees("ERROR").await;
    let thief = Person::connect(server.port, "other").await;
    thief.line("NICK anna").await;
    thief.sees("NICK").await;
    bench.say("k2", asked.reply_to.as_str(), "a secret").await;
    bench.settled().await;

    assert!(thief.heard("gate").is_empty());
    assert_eq!(
        bench.stores.outbox.counts(key("a")).await.unwrap().dead,
        1,
        "it fails loudly"
    );
    bench.stop().await;
}

#[tokio::test]
async fn after_a_kick_the_assistant_comes_back() {
    let server = Ngircd::start().await;
    let op = Person::connect(server.port, "op").await;
    op.line("JOIN #home").await;
    op.sees(" 366 ").await;
    let (_folder, bench) = gateway(&server, json!({})).await;
    op.meets("#home", "gate").await;

    op.line("KICK #home gate :out").await;
    op.sees("KICK").await;
    bench.say("k", "#home", "still here").await;

    until("the way back", async || {
        (op.heard("gate") == ["still here"]).then_some(())
    })
    .await;
    bench.stop().await;
}
