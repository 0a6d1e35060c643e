//! Real processes: each is this test binary, started as the bridge starts the gateway's.

mod apart;
mod harm;
mod scene;
mod suites;
mod trouble;

use std::{path::Path, sync::Arc};

use gatehouse_core::content::{Media, MediaSource};
use gatehouse_document::channels::Streaming;
use gatehouse_proto::channel::v1::{DescribeChannelRequest, channel_adapter_client::ChannelAdapterClient};
use serde_json::json;

pub(crate) use self::{
    apart::{Apart, Apartable, open},
    suites::{Isolated, opened},
};
use self::{
    scene::{Scene, Trouble},
    trouble::spoken,
};
use super::{Isolation, host};
use crate::{
    account::AccountState,
    adapter::{ChatKind, HttpHead, Origin, ParentChat, Report, contract},
    platform::{Entry, Platforms},
    testing::{key, message, until},
};

/// What a process is told to run of this binary.
const PROCESS: &str = "platform::isolated::tests::the_process_of_an_account";

contract::contract!(Trouble);

/// How the tests' processes are started.
pub(super) fn isolation(run: &Path) -> Arc<Isolation> {
    Arc::new(Isolation {
        program: None,
        words: ["--exact", PROCESS, "--ignored", "--nocapture"]
            .map(Into::into)
            .into(),
        environment: Vec::new(),
        run: run.to_owned(),
    })
}

#[test]
#[ignore = "what the other tests of this module start as a process"]
fn the_process_of_an_account() {
    let kind = std::env::args().next_back().unwrap_or_default();
    let own = Entry::of::<trouble::Software>();
    let platforms = Platforms::all().with([own]);
    let ended = host::run_of(&platforms, &kind);
    // What the harness would say about it goes to somebody who reads no more.
    std::process::exit(i32::from(ended.is_err()));
}

#[tokio::test]
async fn what_is_said_arrives_with_everything_that_belongs_to_it() {
    let scene = Scene::start().await;
    let mut whole = message("1", "room", "hello");
    whole.chat_kind = ChatKind::Channel;
    whole.chat_aliases = vec!["#room".into()];
    whole.case = gatehouse_core::Case::Rfc1459;
    whole.origin = Origin {
        parent: Some(ParentChat {
            kind: ChatKind::Group,
            id: "floor".into(),
        }),
        guild_id: Some("guild".into()),
        team_id: Some("team".into()),
        roles: vec!["admin".into()],
    };
    whole.reply_to = "room!there".into();
    whole.thread_id = Some("thread".into());
    whole.sender_id = "anna".into();
    whole.sender_aliases = vec!["account:anna".into()];
    whole.mentioned = true;
    whole.from_bot = true;
    let media = Media {
        source: MediaSource::Url("file:7".into()),
        mime_type: Some("image/png".into()),
        name: Some("cat.png".into()),
        size_bytes: Some(7),
    };
    let blocks = whole.content.clone().into_blocks();
    whole.content = blocks
        .into_iter()
        .chain([gatehouse_core::content::Block::Media(media)])
        .collect();

    assert_eq!(scene.post("/say", &json!(whole)).await, 202);

    assert_eq!(*scene.bench.heard.messages.lock().expect("messages"), [whole]);
}

#[tokio::test]
async fn what_happens_beside_words_comes_along_with_the_next_ones() {
    let scene = Scene::start().await;
    assert_eq!(
        scene
            .post("/remark", &json!({"chat": "anna", "reacted": "👍"}))
            .await,
        200
    );
    let long = "and what is to be done about it now?";

    // It is told on its own, so that whoever speaks at once may be there first.
    until("the remark", async || {
        let count = scene.bench.heard.texts().len();
        let said = message(&count.to_string(), "anna", long);
        assert_eq!(scene.post("/say", &json!(said)).await, 202);
        scene.bench.told(count).contains("👍").then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_a_platform_says_of_a_message_is_kept_before_it_is_answered() {
    let scene = Scene::start().await;
    assert_eq!(scene.post("/report", &json!("m1")).await, 200);
    assert_eq!(scene.post("/report", &json!("")).await, 400);
    *scene.bench.heard.failures.lock().expect("failures") = 1;
    assert_eq!(scene.post("/report", &json!("m2")).await, 503);

    let kept = scene.bench.heard.reports.lock().expect("reports").clone();
    assert_eq!(kept, [("m1".to_owned(), Report::Read)]);
}

#[tokio::test]
async fn what_an_account_remembers_outlives_its_process_and_is_what_it_would_be_in_the_bridge() {
    let scene = Scene::start().await;
    let own = AccountState::new(key("a"), scene.stores.accounts.clone());
    assert_eq!(scene.post("/remember", &json!("a place")).await, 200);
    let kept = own.get(trouble::NOTE).await.expect("read");
    assert_eq!(kept.as_deref(), Some(b"a place".as_slice()));

    own.put(trouble::NOTE, b"another".to_vec()).await.expect("kept");
    scene.kill().await;

    assert_eq!(scene.read("note").await, "another");
}

#[tokio::test]
async fn files_go_both_ways_and_are_not_kept_behind_their_message() {
    let scene = Scene::start().await;
    let picture: Vec<u8> = (0..200_000).map(|n: u32| n.to_le_bytes()[0]).collect();
    let keep = |id: &str| {
        let mut files = scene.files.files.lock().expect("files");
        files.insert(id.to_owned(), picture.clone());
    };
    keep("one");
    let medium = Media {
        source: MediaSource::Id("one".into()),
        mime_type: Some("image/png".into()),
        name: Some("cat.png".into()),
        size_bytes: Some(200_000),
    };

    scene.say_with("k", "look", vec![medium]).await;
    let sent = until("the picture", async || {
        std::fs::read(scene.folder().join("file-cat.png")).ok()
    })
    .await;
    assert_eq!(sent, picture);
    scene.bench.settled().await;
    let left = || {
        let place = std::fs::read_dir(scene.place()).expect("its folder");
        place.flatten().filter(|entry| entry.file_name() != "s").count()
    };
    until("an empty folder", async || (left() == 0).then_some(())).await;

    let remote = scene.adapter.fetch("file-cat.png").await.expect("a file");
    assert_eq!(remote.declared.as_deref(), Some("image/png"));
    let pieces: Vec<bytes::Bytes> = futures::TryStreamExt::try_collect(remote.bytes)
        .await
        .expect("its bytes");
    assert_eq!(pieces.concat(), picture);
    let gone = scene.adapter.fetch("nothing").await.expect_err("it is not there");
    assert!(matches!(gone, crate::adapter::FetchError::Never(_)), "{gone}");
}

#[tokio::test]
async fn a_preview_grows_into_the_answer() {
    let scene = Scene::start().await;
    let place = crate::preview::Place {
        to: "anna".into(),
        thread_id: None,
        reply_to_id: None,
        shared: false,
    };
    let adapter = Arc::clone(&scene.adapter);
    scene
        .bench
        .previews
        .begin(&key("a"), &adapter, Streaming::Preview, "run", place);
    scene.bench.writes("half").await;
    until("a preview", async || {
        scene.read("preview").await.starts_with("half").then_some(())
    })
    .await;
}

#[tokio::test]
async fn nobody_finds_a_secret_beside_it_and_nobody_else_may_call_it() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::start().await;
    let process = |what: &str| {
        let read = std::fs::read(format!("/proc/{}/{what}", scene.pid())).expect("its process");
        String::from_utf8_lossy(&read).into_owned()
    };
    for what in ["cmdline", "environ"] {
        assert!(!process(what).contains(trouble::SECRET), "{what}");
    }
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    let socket = scene.place().join("s");
    assert_eq!((mode(&scene.place()), mode(&socket)), (0o700, 0o600));

    let stranger = gatehouse_core::Secret::new("guessed");
    let (peer, _) = gatehouse_core::client::Peer::watched(&gatehouse_core::Address::Unix(socket), &stranger);
    let mut client = ChannelAdapterClient::new(peer.service());
    let refused = client
        .describe_channel(DescribeChannelRequest::default())
        .await
        .expect_err("refused");
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);
}

#[tokio::test]
async fn the_head_of_a_request_is_judged_before_its_body_is_read() {
    let scene = Scene::start().await;
    let judged = |method: &str| {
        let head = HttpHead {
            method: method.to_owned(),
            ..spoken("/say", "").head
        };
        let judged = scene.adapter.http_head(&head, &scene.bench.inbound);
        judged.expect("it calls us").map_err(|answer| answer.status)
    };
    assert_eq!((judged("POST"), judged("GET")), (Ok(1_048_576), Err(405)));
}

#[tokio::test]
async fn what_cannot_be_started_says_so_and_what_is_configured_wrongly_is_not_tried() {
    let scene = Scene::start().await;
    let mut nowhere = (*isolation(scene.folder())).clone();
    nowhere.program = Some("/nowhere/at/all".into());
    let refused = nowhere.start("trouble", &key("b")).await.expect_err("no program");
    assert!(refused.contains("cannot be started"), "{refused}");

    let refused = isolation(scene.folder()).start("nothing", &key("b")).await;
    let refused = refused.expect_err("no such channel");
    assert!(
        refused.contains("ended with exit status: 1 before it listened"),
        "{refused}"
    );

    let wrong = Entry::of::<trouble::Software>().read(&json!({"isolate": true}));
    assert!(wrong.is_err(), "it is read in the bridge");
}
