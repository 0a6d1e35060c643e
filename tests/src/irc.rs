//! A person in an IRC room: just enough of RFC 1459 to join, speak and hear.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpStream, tcp::OwnedWriteHalf},
    sync::Mutex as AsyncMutex,
    task::JoinHandle,
};

use crate::until;

/// A message somebody said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Who.
    pub from: String,
    /// The room, or the person's own nick.
    pub to: String,
    /// What.
    pub text: String,
}

/// A person with one connection.
#[derive(Debug)]
pub struct Person {
    writer: Arc<AsyncMutex<OwnedWriteHalf>>,
    lines: Arc<Mutex<Vec<String>>>,
    reader: JoinHandle<()>,
}

impl Person {
    /// Connects under this nick.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn connect(port: u16, nick: &str) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port))
            .await
            .expect("an IRC server");
        let (reader, writer) = socket.into_split();
        let writer = Arc::new(AsyncMutex::new(writer));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (kept, pong) = (Arc::clone(&lines), Arc::clone(&writer));
        let reader = tokio::spawn(async move {
            let mut incoming = BufReader::new(reader).lines();
            while let Ok(Some(line)) = incoming.next_line().await {
                if let Some(token) = line.strip_prefix("PING ") {
                    let _ = pong
                        .lock()
                        .await
                        .write_all(format!("PONG {token}\r\n").as_bytes())
                        .await;
                }
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        let person = Self {
            writer,
            lines,
            reader,
        };
        person.line(&format!("NICK {nick}")).await;
        person.line(&format!("USER {nick} 0 * :{nick}")).await;
        person.heard("a welcome", |line| line.contains(" 001 ")).await;
        person
    }

    /// Sends a line.
    ///
    /// # Panics
    /// When the connection is gone.
    pub async fn line(&self, line: &str) {
        self.writer
            .lock()
            .await
            .write_all(format!("{line}\r\n").as_bytes())
            .await
            .expect("a connection");
    }

    /// Enters a room and waits until inside.
    pub async fn join(&self, room: &str) {
        self.line(&format!("JOIN {room}")).await;
        self.heard("the end of the names", |line| line.contains(" 366 "))
            .await;
    }

    /// Waits until somebody is in a room.
    pub async fn sees(&self, room: &str, nick: &str) {
        until("the other in the room", async || {
            self.line(&format!("NAMES {room}")).await;
            let names = |line: &String| {
                line.contains(" 353 ") && line.split([' ', ':', '@', '+']).any(|word| word == nick)
            };
            self.lines().iter().any(names).then_some(())
        })
        .await;
    }

    /// Says something in a room or to a person.
    pub async fn say(&self, to: &str, text: &str) {
        self.line(&format!("PRIVMSG {to} :{text}")).await;
    }

    /// Everything that was said where this person hears it.
    #[must_use]
    pub fn said(&self) -> Vec<Said> {
        self.lines().iter().filter_map(|line| parse(line)).collect()
    }

    /// Waits until somebody says something that fits.
    pub async fn hears(&self, what: &str, fits: impl Fn(&Said) -> bool) -> Said {
        until(what, async || self.said().into_iter().find(|said| fits(said))).await
    }

    async fn heard(&self, what: &str, fits: impl Fn(&str) -> bool) {
        until(what, async || {
            self.lines().iter().any(|line| fits(line)).then_some(())
        })
        .await;
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// `:nick!user@host PRIVMSG target :text`
fn parse(line: &str) -> Option<Said> {
    let (prefix, rest) = line.strip_prefix(':')?.split_once(' ')?;
    let (to, text) = rest.strip_prefix("PRIVMSG ")?.split_once(" :")?;
    let from = prefix.split('!').next()?;
    Some(Said {
        from: from.into(),
        to: to.into(),
        text: text.into(),
    })
}
