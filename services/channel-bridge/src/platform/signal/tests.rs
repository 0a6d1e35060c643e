use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use futures::TryStreamExt;
use gatehouse_core::{
    Clock,
    content::{Block, MediaSource},
};
use gatehouse_fakes::signal::{Daemon, Fault, NUMBER, Seen, UUID};
use serde_json::{Value, json};

use super::Signal;
use crate::{
    account::State,
    adapter::{Adapter, ChatKind, FetchError, Typing, contract},
    outbox::store::Counts,
    platform::isolated,
    store::Stores,
    testing::{Bench, Memory, deps, key, stores, until},
};

mod changes;
mod handed_on;
mod sent;
mod trouble;

contract::contract!(Phone);

mod apart {
    type Phone = crate::platform::isolated::tests::Apart<super::Phone>;

    crate::adapter::contract::contract!(Phone);
}

const ANNA: &str = "5b04ab7b-1d1a-4f0e-8d3a-3c1f0a2b4c6d";
const FAMILY: &str = "YWJjZGVmZ2g=";

/// An account, and what it remembers.
struct Phone {
    daemon: Daemon,
    folder: tempfile::TempDir,
    stores: Stores,
    listened: u64,
}

impl Phone {
    async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (folder, stores) = stores();
        Self {
            daemon: Daemon::start().await,
            folder,
            stores,
            listened: 0,
        }
    }

    fn config(&self) -> Value {
        json!({"account": NUMBER, "httpUrl": self.daemon.root()})
    }
}

fn adapter(config: &Value, stores: &Stores, files: &Arc<Memory>) -> Arc<dyn Adapter> {
    isolated::tests::opened::<Signal>(config, deps(stores, Clock::system(), files))
}

impl isolated::tests::Apartable for Phone {
    type Software = Signal;

    fn account(&self) -> Value {
        self.config()
    }
}

impl contract::Platform for Phone {
    /// Its stream has no memory.
    const REDELIVERS: bool = false;

    async fn start() -> Self {
        Self::new().await
    }

    fn adapter(&self) -> Arc<dyn Adapter> {
        adapter(&self.config(), &self.stores, &Arc::default())
    }

    fn person(&self) -> String {
        ANNA.to_owned()
    }

    async fn say(&self, _: &Bench, id: &str, text: &str) {
        until("somebody who listens", async || {
            self.daemon.is_heard().then_some(())
        })
        .await;
        let moment = id
            .bytes()
            .fold(0_i64, |number, byte| number * 31 + i64::from(byte));
        self.daemon.envelope(
            ANNA,
            json!({"dataMessage": {"timestamp": moment, "message": text}}),
        );
    }

    async fn heard(&self) -> Vec<String> {
        self.daemon.seen().into_iter().map(|seen| seen.text).collect()
    }

    async fn cut(&mut self) {
        self.listened = self.daemon.listened();
        self.daemon.cut();
    }

    async fn mended(&mut self) {
        until("somebody who listens anew", async || {
            (self.daemon.listened() > self.listened && self.daemon.is_heard()).then_some(())
        })
        .await;
    }
}

/// An account that runs.
struct Scene {
    daemon: Daemon,
    adapter: Arc<dyn Adapter>,
    /// Keeps media.
    files: Arc<Memory>,
    bench: Bench,
    stores: Stores,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn start() -> Self {
        Self::with(json!({})).await
    }

    /// With these keys over the usual ones.
    async fn with(keys: Value) -> Self {
        let phone = Phone::new().await;
        let mut config = phone.config();
        config
            .as_object_mut()
            .unwrap()
            .extend(keys.as_object().unwrap().clone());
        let Phone {
            daemon,
            folder,
            stores,
            ..
        } = phone;
        let files = Arc::new(Memory::default());
        let adapter = adapter(&config, &stores, &files);
        let bench = Bench::run(&stores, Clock::system(), Arc::clone(&adapter));
        Self {
            daemon,
            adapter,
            files,
            bench,
            stores,
            _folder: folder,
        }
    }

    async fn is(&self, state: State) {
        until(&format!("{state:?}"), async || {
            (self.bench.progress.snapshot().state == state).then_some(())
        })
        .await;
    }

    async fn hears(&self, count: usize) -> Vec<String> {
        until("what is said", async || {
            Some(self.bench.heard.texts()).filter(|texts| texts.len() >= count)
        })
        .await
    }

    async fn seen(&self, count: usize) -> Vec<Seen> {
        until("the messages", async || {
            Some(self.daemon.seen()).filter(|seen| seen.len() >= count)
        })
        .await
    }
}

#[tokio::test]
async fn a_group_a_mention_and_a_quote_are_told_apart_and_the_same_event_counts_once() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let group = |text: &str, more: Value| {
        let mut message = json!({"timestamp": scene.daemon.moment(), "message": text, "groupInfo": {"groupId": FAMILY, "type": "DELIVER"}});
        message
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({"sourceNumber": "+491701234567", "dataMessage": message})
    };
    let named = group(
        "\u{fffc} what is up?",
        json!({"mentions": [{"name": "Gate", "uuid": UUID, "start": 0, "length": 1}]}),
    );
    let quoted = json!({"quote": {"id": 1, "authorUuid": UUID, "text": "shall I?"}});

    scene.daemon.envelope(ANNA, named.clone());
    scene.daemon.envelope(ANNA, named);
    scene
        .daemon
        .envelope(ANNA, group("nobody in particular", json!({})));
    scene.daemon.envelope(ANNA, group("yes, please do", quoted));
    scene
        .daemon
        .envelope(UUID, json!({"dataMessage": {"timestamp": 1, "message": "ours"}}));
    scene
        .daemon
        .envelope(ANNA, json!({"receiptMessage": {"isRead": true}}));
    scene.daemon.raw("data: no json\n\n");
    scene.daemon.says(ANNA, "in private");

    let heard = scene.hears(4).await;
    assert_eq!(
        heard,
        [
            "what is up?",
            "nobody in particular",
            "> shall I?\n\nyes, please do",
            "in private"
        ]
    );
    let heard = scene.bench.heard.messages.lock().unwrap().clone();
    let mentioned: Vec<bool> = heard.iter().map(|message| message.mentioned).collect();
    assert_eq!(mentioned, [true, false, true, true]);
    assert_eq!(
        (heard[0].chat_kind, heard[0].chat_id.as_str()),
        (ChatKind::Group, FAMILY)
    );
    assert_eq!(heard[0].reply_to.as_str(), format!("group:{FAMILY}"));
    assert_eq!(
        (heard[3].chat_kind, heard[3].chat_id.as_str()),
        (ChatKind::Direct, ANNA)
    );
    assert!(
        heard[0]
            .sender_aliases
            .iter()
            .any(|alias| alias == &"+491701234567")
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_change_within_ten_minutes_is_answered_anew() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let changed = |first: i64, now: i64, text: &str| json!({"editMessage": {"targetSentTimestamp": first, "dataMessage": {"timestamp": now, "message": text}}});

    scene
        .daemon
        .envelope(ANNA, changed(1_000, 700_000, "much too late"));
    scene.daemon.envelope(ANNA, changed(1_000, 2_000, "in time now"));

    assert_eq!(scene.hears(1).await, ["(edited) in time now"]);
    scene.bench.stop().await;
}

#[tokio::test]
async fn an_answer_has_its_styles_and_goes_to_the_person_or_the_group() {
    let scene = Scene::start().await;

    scene.bench.say("p", ANNA, "🎉 **yes**").await;
    scene.bench.say("g", &format!("group:{FAMILY}"), "all").await;

    let seen = scene.seen(2).await;
    let of = |to: &str| seen.iter().find(|seen| seen.to == to).unwrap().clone();
    assert_eq!(
        (of(ANNA).text.as_str(), of(ANNA).styles),
        ("🎉 yes", vec!["3:3:BOLD".to_owned()])
    );
    assert_eq!(of(FAMILY).text, "all");
    scene.bench.stop().await;
}

#[tokio::test]
async fn who_cannot_be_reached_is_told_and_holds_up_nobody_else() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    scene.daemon.outcome("+491700000000", "UNREGISTERED_FAILURE");

    scene.bench.say("gone", "+491700000000", "nobody there").await;
    until("the failure", async || {
        let counts = scene.stores.outbox.counts(key("a")).await.unwrap();
        (counts.waiting == 0 && counts != Counts::default()).then_some(())
    })
    .await;
    scene.bench.say("other", ANNA, "somebody").await;

    assert_eq!(scene.seen(1).await[0].text, "somebody");
    assert_eq!(scene.daemon.calls("send").len(), 2);
    scene.bench.stop().await;
}

#[tokio::test]
async fn an_account_that_signal_cli_does_not_have_is_told_with_the_next_step() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;

    scene.daemon.forget_account();

    scene.is(State::Failed).await;
    let error = scene.bench.progress.snapshot().last_error.unwrap();
    assert!(error.contains("signal-cli link"), "{error}");
}

#[tokio::test]
async fn without_a_daemon_the_account_says_so() {
    let scene = Scene::with(json!({"httpUrl": "http://127.0.0.1:1"})).await;

    scene.is(State::Backoff).await;

    let error = scene.bench.progress.snapshot().last_error.unwrap();
    assert!(
        error.contains("cannot be reached") && error.contains("does signal-cli's daemon run?"),
        "{error}"
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn files_are_asked_for_by_their_id_and_bounded() {
    let scene = Scene::with(json!({"mediaMaxMb": 1})).await;
    scene.is(State::Connected).await;
    scene.daemon.keep("f1.png", &BASE64_STANDARD.encode(b"a file"));
    scene
        .daemon
        .keep("large", &BASE64_STANDARD.encode(vec![7; 1_000_001]));
    let file = json!([{"id": "f1.png", "contentType": "image/png", "filename": "../cat.png", "size": 6}]);

    scene.daemon.envelope(
        ANNA,
        json!({"dataMessage": {"timestamp": 5, "attachments": file}}),
    );

    scene.hears(1).await;
    let heard = scene.bench.heard.messages.lock().unwrap()[0].clone();
    let Some(Block::Media(media)) = heard.content.blocks().first() else {
        unreachable!("a file")
    };
    assert_eq!(media.name.as_deref(), Some("cat.png"));
    let MediaSource::Url(address) = &media.source else {
        unreachable!("signal-cli has it")
    };
    let config = json!({"account": NUMBER, "httpUrl": scene.daemon.root(), "mediaMaxMb": 1});
    let adapter = adapter(&config, &scene.stores, &scene.files);
    let parts: Vec<bytes::Bytes> = adapter
        .fetch(address)
        .await
        .unwrap()
        .bytes
        .try_collect()
        .await
        .unwrap();
    assert_eq!(parts.concat(), b"a file");
    for wrong in [
        format!("signal-file:large?{ANNA}"),
        format!("signal-file:unknown?{ANNA}"),
        format!("signal-file:../../etc/passwd?{ANNA}"),
        "signal-file:f1.png?nobody".to_owned(),
        "https://example.org/x".to_owned(),
    ] {
        let error = match adapter.fetch(&wrong).await {
            Ok(_) => unreachable!("{wrong} is not for us"),
            Err(error) => error,
        };
        assert!(matches!(error, FetchError::Never(_)), "{wrong}: {error}");
    }
    scene.bench.stop().await;
}

#[tokio::test]
async fn typing_is_shown_where_the_answer_will_come() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;

    scene.bench.hints.hint(Typing {
        to: format!("group:{FAMILY}").as_str().into(),
        thread_id: None,
    });

    until("it is shown", async || {
        let calls = scene.daemon.calls("sendTyping");
        calls.first().map(|call| assert_eq!(call.body["groupId"], FAMILY))
    })
    .await;
    scene.bench.stop().await;
}

#[tokio::test]
async fn reactions_to_our_words_and_deleted_messages_come_along_with_what_is_said_next() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let group = json!({"groupId": FAMILY});
    let reaction = |emoji: &str, author: &str, is_remove: bool| {
        json!({"dataMessage": {"timestamp": scene.daemon.moment(), "groupInfo": group,
            "reaction": {"emoji": emoji, "targetAuthorUuid": author, "isRemove": is_remove}}})
    };

    scene.daemon.envelope(ANNA, reaction("🎉", UUID, false));
    scene.daemon.envelope(ANNA, reaction("👀", UUID, false));
    scene.daemon.envelope(ANNA, reaction("👀", UUID, true));
    scene.daemon.envelope(ANNA, reaction("👎", ANNA, false));
    let deleted =
        json!({"timestamp": scene.daemon.moment(), "groupInfo": group, "remoteDelete": {"timestamp": 1}});
    scene.daemon.envelope(ANNA, json!({"dataMessage": deleted}));
    let said = json!({"timestamp": scene.daemon.moment(), "groupInfo": group, "message": "and what is to be done about it?"});
    scene.daemon.envelope(ANNA, json!({"dataMessage": said}));

    scene.hears(1).await;
    assert_eq!(
        scene.bench.told(0),
        "[reactions to your messages: 🎉]\n[a message here was deleted]\nand what is to be done about it?"
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_message_is_reacted_to_by_who_said_it_and_when() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let react = async |to: &str, message: &str| {
        let message = message.into();
        scene.adapter.react(&to.into(), None, &message, "👀").await
    };

    react(&format!("group:{FAMILY}"), &format!("{ANNA}/5/9"))
        .await
        .unwrap();
    react(ANNA, "no message").await.unwrap_err();

    let calls = scene.daemon.calls("sendReaction");
    assert_eq!(calls.len(), 1);
    assert_eq!(
        calls[0].body,
        json!({"groupId": FAMILY, "emoji": "👀", "targetAuthor": ANNA, "targetTimestamp": 5, "account": NUMBER})
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn what_is_being_answered_is_said_to_be_read_once_where_the_operator_wants_that() {
    for wanted in [true, false] {
        let scene = Scene::with(json!({"sendReadReceipts": wanted})).await;
        scene.is(State::Connected).await;
        let said = json!({"timestamp": 5, "message": "hello", "groupInfo": {"groupId": FAMILY}});
        scene.daemon.envelope(ANNA, json!({"dataMessage": said}));
        scene.hears(1).await;

        for count in 1..=2 {
            scene.bench.hints.hint(Typing {
                to: format!("group:{FAMILY}").as_str().into(),
                thread_id: None,
            });
            until("it is shown", async || {
                (scene.daemon.calls("sendTyping").len() == count).then_some(())
            })
            .await;
        }

        let receipts: Vec<Value> = scene
            .daemon
            .calls("sendReceipt")
            .into_iter()
            .map(|call| call.body)
            .collect();
        let receipt = json!({"recipient": ANNA, "targetTimestamp": [5], "type": "read", "account": NUMBER});
        assert_eq!(receipts, if wanted { vec![receipt] } else { Vec::new() });
        scene.bench.stop().await;
    }
}

#[tokio::test]
async fn what_may_have_been_taken_is_said_again_with_a_label() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;

    scene.daemon.fault("send", Fault::Lose);
    scene.bench.say("k", ANNA, "an answer").await;

    let seen = scene.seen(2).await;
    assert!(seen[1].text.starts_with("(resent)"), "{seen:?}");
    scene.bench.stop().await;
}
