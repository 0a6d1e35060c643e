//! Behind Debian's ZNC: a bouncer that reads to us what was said while we were away.

use std::{fs, os::unix::fs::MetadataExt, process::Stdio};

use gatehouse_core::Clock;
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};

use super::{Ngircd, Person, free_port, irc};
use crate::{
    account::room::RoomState,
    testing::{Bench, stores, until},
};

/// The user that a bouncer runs as where the tests are root: as root it waits for half a minute.
const NOBODY: u32 = 65_534;

/// A real bouncer in front of a server. Dropping it kills it.
struct Znc {
    _folder: TempDir,
    _bouncer: Child,
    port: u16,
}

impl Znc {
    async fn start(server: &Ngircd) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let settings = format!(
            "Version = 1.8.2\nAnonIPLimit = 100\n\
             <Listener l>\nPort = {port}\nIPv4 = true\nIPv6 = false\nSSL = false\nHost = 127.0.0.1\n</Listener>\n\
             <User u>\nNick = gate\nIdent = gate\nBuffer = 50\nAutoClearChanBuffer = false\nAutoClearQueryBuffer = false\n\
             <Network n>\nServer = 127.0.0.1 {}\n<Chan #home>\n</Chan>\n</Network>\n\
             <Pass password>\nMethod = plain\nHash = sesame\n</Pass>\n</User>\n",
            server.port
        );
        let configs = folder.path().join("configs");
        fs::create_dir(&configs).unwrap();
        fs::write(configs.join("znc.conf"), settings).unwrap();
        let mut command = Command::new("znc");
        command
            .arg("--foreground")
            .arg("--datadir")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        if fs::metadata(folder.path()).unwrap().uid() == 0 {
            for path in [folder.path(), &configs, &configs.join("znc.conf")] {
                std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
            command.uid(NOBODY).gid(NOBODY);
        }
        let bouncer = command
            .spawn()
            .expect("znc: install it with `apt-get install znc`");
        until("znc", async || TcpStream::connect(("127.0.0.1", port)).await.ok()).await;
        Self {
            _folder: folder,
            _bouncer: bouncer,
            port,
        }
    }

    /// The assistant behind it, once it is in the room.
    async fn gateway(&self) -> (TempDir, Bench) {
        let (folder, stores) = stores();
        let config = json!({"port": self.port, "password": "u/n:sesame"});
        let bench = Bench::run(&stores, Clock::system(), irc(config));
        until("the room", async || {
            let rooms = bench.progress.snapshot().rooms;
            rooms
                .iter()
                .all(|room| room.state == RoomState::Joined)
                .then_some(rooms.first().cloned()?)
        })
        .await;
        (folder, bench)
    }
}

#[tokio::test]
async fn what_a_bouncer_reads_to_us_after_a_restart_is_not_answered_again() {
    let server = Ngircd::start().await;
    let anna = Person::connect(server.port, "anna").await;
    let bouncer = Znc::start(&server).await;
    anna.meets("#home", "gate").await;
    let heard = async |bench: &Bench, text: &str| {
        until(text, async || {
            bench.heard.texts().contains(&text.to_owned()).then_some(())
        })
        .await;
    };

    let (_one, bench) = bouncer.gateway().await;
    anna.line("PRIVMSG #home :gate: first").await;
    heard(&bench, "gate: first").await;
    bench.stop().await;
    anna.line("PRIVMSG #home :gate: while it was away\r\nPRIVMSG gate :in private\r\nPRIVMSG gate :\u{1}VERSION\u{1}")
        .await;
    // The bouncer answers this itself while nobody is there, and in order: it has what came before.
    anna.sees("VERSION ZNC").await;
    for text in ["gate: second", "gate: third"] {
        let (_folder, bench) = bouncer.gateway().await;
        anna.line(&format!("PRIVMSG #home :{text}")).await;
        heard(&bench, text).await;
        assert_eq!(bench.heard.texts(), [text], "what is said now, and nothing else");
        bench.stop().await;
    }
}
