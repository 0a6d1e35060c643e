//! Against Debian's InspIRCd: a server that limits nicks, keeps history, and sends to parts of rooms.

use std::{fs, process::Stdio};

use gatehouse_core::Clock;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};

use super::{Person, free_port, irc};
use crate::{
    account::room::{RoomState, RoomStatus},
    policy::{Policy, Verdict},
    testing::{Bench, stores, until},
};

/// A real server. Dropping it kills it.
struct Inspircd {
    _folder: TempDir,
    _server: Child,
    port: u16,
}

impl Inspircd {
    async fn start() -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let settings = format!(
            r#"<config format="xml">
            <server name="irc.example.test" description="test" network="test" id="00A">
            <admin name="test" nick="test" email="test@example.test">
            <bind address="127.0.0.1" port="{port}" type="clients">
            <connect allow="*" resolvehostnames="no" localmax="100" globalmax="100" maxchans="100" threshold="10" fakelag="yes">
            <dns server="127.0.0.1" timeout="1">
            <pid file="{pid}">
            <limits maxnick="12" maxchan="32">
            <options casemapping="rfc1459">
            <module name="cap"><module name="ircv3_batch"><module name="ircv3_servertime"><module name="chanhistory">
            <chanhistory maxlines="50">"#,
            pid = folder.path().join("pid").display(),
        );
        let file = folder.path().join("inspircd.conf");
        fs::write(&file, settings).unwrap();
        let server = Command::new("inspircd")
            .args(["--nofork", "--nolog", "--runasroot"])
            .arg(format!("--config={}", file.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("inspircd: install it with `apt-get install inspircd`");
        until("inspircd", async || {
            TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
        Self {
            _folder: folder,
            _server: server,
            port,
        }
    }

    /// The assistant on it.
    fn gateway(&self, config: Value) -> (TempDir, Bench) {
        let (folder, stores) = stores();
        let mut whole = json!({"port": self.port});
        whole
            .as_object_mut()
            .unwrap()
            .extend(config.as_object().unwrap().clone());
        let bench = Bench::run(&stores, Clock::system(), irc(whole));
        (folder, bench)
    }
}

/// Waits until the first wanted room is like this.
async fn room(bench: &Bench, state: RoomState) -> RoomStatus {
    until(&format!("a room that is {state:?}"), async || {
        let rooms = bench.progress.snapshot().rooms;
        rooms.into_iter().next().filter(|room| room.state == state)
    })
    .await
}

#[tokio::test]
async fn a_nick_that_is_too_long_is_shortened_and_known_by_what_it_became() {
    let server = Inspircd::start().await;
    let anna = Person::connect(server.port, "anna").await;
    anna.line("JOIN #home").await;

    let (_folder, bench) = server.gateway(json!({"nick": "my-gatehouse-bot"}));

    room(&bench, RoomState::Joined).await;
    anna.sees("my-gatehouse").await;
    anna.line("PRIVMSG #home :my-gatehouse: hi").await;
    let heard = until("the question", async || {
        bench.heard.messages.lock().unwrap().first().cloned()
    })
    .await;
    assert!(heard.mentioned);
    let notices = bench.progress.snapshot().notices;
    assert!(
        notices[0].contains("Erroneous Nickname (432)") && notices[0].contains("12 characters"),
        "{notices:?}"
    );
    bench.stop().await;
}

#[tokio::test]
async fn what_is_said_to_a_part_of_a_room_meets_the_rooms_rule_and_is_answered_to_that_part() {
    let server = Inspircd::start().await;
    let anna = Person::connect(server.port, "anna").await;
    anna.line("JOIN #Home[1]").await;
    anna.sees(" 366 ").await;
    let (_folder, bench) = server.gateway(json!({"channels": ["#home[1]"]}));
    room(&bench, RoomState::Joined).await;
    anna.line("MODE #home[1] +v gate").await;
    anna.sees(" +v ").await;

    for target in ["#Home[1]", "+#home[1]", "@#home{1}"] {
        anna.line(&format!("PRIVMSG {target} :gate: hi")).await;
    }
    // The assistant is voiced and no operator, so it hears two of them.
    let heard = until("two messages", async || {
        Some(bench.heard.messages.lock().unwrap().clone()).filter(|heard| heard.len() >= 2)
    })
    .await;

    let off: Policy =
        serde_json::from_value(json!({"groupPolicy": "open", "groups": {"#home[1]": {"enabled": false}}}))
            .unwrap();
    for message in &heard {
        assert_eq!(message.chat_id, "#home{1}", "{}", message.reply_to);
        assert!(message.mentioned);
        assert!(
            matches!(off.decide(message, false), Verdict::Refuse(_)),
            "{}",
            message.reply_to
        );
    }
    assert_eq!(heard[1].reply_to.as_str(), "+#Home[1]");
    bench
        .say("k", heard[1].reply_to.as_str(), "for those with a voice")
        .await;
    bench.settled().await;
    anna.sees("PRIVMSG +#Home[1] :for those with a voice").await;
    bench.stop().await;
}

#[tokio::test]
async fn what_a_room_remembers_is_not_said_to_us() {
    let server = Inspircd::start().await;
    let anna = Person::connect(server.port, "anna").await;
    anna.line("JOIN #home\r\nMODE #home +H 20:1h\r\nPRIVMSG #home :gate: before")
        .await;
    anna.sees("MODE #home").await;

    let (_folder, bench) = server.gateway(json!({}));
    room(&bench, RoomState::Joined).await;
    anna.line("PRIVMSG #home :gate: now").await;

    until("what is said now", async || {
        bench
            .heard
            .texts()
            .contains(&"gate: now".to_owned())
            .then_some(())
    })
    .await;
    assert_eq!(bench.heard.texts(), ["gate: now"]);
    bench.stop().await;
}

#[tokio::test]
async fn a_room_that_keeps_us_out_is_shown_in_the_servers_words_and_entered_when_we_are_invited() {
    let server = Inspircd::start().await;
    let anna = Person::connect(server.port, "anna").await;
    anna.line("JOIN #home\r\nMODE #home +i").await;
    anna.sees("MODE #home").await;

    let (_folder, bench) = server.gateway(json!({}));
    let refused = room(&bench, RoomState::Refused).await;
    let reason = refused.reason.unwrap();
    assert!(
        reason.contains("invite only") && reason.contains("(473)"),
        "{reason}"
    );
    assert!(refused.next_step.unwrap().contains("/INVITE gate"));

    anna.line("INVITE gate #home").await;

    let joined = room(&bench, RoomState::Joined).await;
    assert_eq!((joined.reason, joined.retry_at), (None, None));
    bench.stop().await;
}

#[tokio::test]
async fn a_room_with_a_key_is_entered_with_the_key_that_is_configured_and_says_so_without() {
    let server = Inspircd::start().await;
    let anna = Person::connect(server.port, "anna").await;
    anna.line("JOIN #home\r\nMODE #home +k sesame").await;
    anna.sees("MODE #home").await;

    let (_folder, bench) = server.gateway(json!({}));
    let refused = room(&bench, RoomState::Refused).await;
    assert!(refused.next_step.unwrap().contains("channels.irc.channelKeys"));
    bench.stop().await;

    let (_folder, bench) = server.gateway(json!({"channelKeys": {"#home": "sesame"}}));

    room(&bench, RoomState::Joined).await;
    bench.stop().await;
}

#[tokio::test]
async fn many_rooms_are_entered_at_the_pace_of_a_careful_account() {
    let server = Inspircd::start().await;
    let rooms: Vec<String> = (0..40).map(|n| format!("#room{n}")).collect();

    let (_folder, bench) =
        server.gateway(json!({"channels": rooms, "rateLimit": {"burst": 5, "perSecond": 0.5}}));

    until("all rooms", async || {
        let rooms = bench.progress.snapshot().rooms;
        (rooms.len() == 40 && rooms.iter().all(|room| room.state == RoomState::Joined)).then_some(())
    })
    .await;
    assert_eq!(bench.progress.snapshot().last_disconnect, None);
    bench.stop().await;
}
