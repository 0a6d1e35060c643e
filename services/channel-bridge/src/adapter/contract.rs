//! What every adapter must hold, against a real platform or the nearest thing to one. An adapter's tests implement
//! [`Platform`] and list the promises with [`contract!`].

pub(crate) mod choices;
pub(crate) mod faults;
pub(crate) mod files;
pub(crate) mod previews;

use std::{sync::Arc, time::Duration};

use gatehouse_core::Clock;

use crate::{
    account::State,
    adapter::{Adapter, TYPING_MAX, Typing},
    outbox::store::Counts,
    testing::{Bench, key, stores, until},
};

/// A platform with one person on it who talks with the assistant.
pub(crate) trait Platform {
    /// Starts it.
    async fn start() -> Self;
    /// The adapter under test, connected to this platform by its configuration.
    fn adapter(&self) -> Arc<dyn Adapter>;
    /// Where the person is reached.
    fn person(&self) -> String;
    /// The person says something; returns when the platform takes no more care of it.
    async fn say(&self, bench: &Bench, id: &str, text: &str);
    /// Whether the platform says a thing twice, under the same id, when it was not acknowledged.
    const REDELIVERS: bool;
    /// What the person has heard, message by message.
    async fn heard(&self) -> Vec<String>;
    /// Breaks what connects the assistant and the platform; it works again within seconds.
    async fn cut(&mut self);
    /// Waits until the person is there again after a cut.
    async fn mended(&mut self);
}

/// A platform with a running account.
struct Scene<P> {
    _folder: tempfile::TempDir,
    platform: P,
    bench: Bench,
}

async fn scene<P: Platform>() -> Scene<P> {
    let platform = P::start().await;
    let (folder, stores) = stores();
    let bench = Bench::run(&stores, Clock::system(), platform.adapter());
    connected(&bench).await;
    Scene {
        _folder: folder,
        platform,
        bench,
    }
}

async fn connected(bench: &Bench) {
    until("a connection", async || {
        (bench.progress.snapshot().state == State::Connected).then_some(())
    })
    .await;
}

pub(crate) async fn what_is_said_is_committed_once_and_in_order<P: Platform>() {
    let Scene {
        _folder,
        platform,
        bench,
    } = scene::<P>().await;

    let said: Vec<String> = (0..20).map(|n| format!("word {n}")).collect();
    for (n, text) in said.iter().enumerate() {
        platform.say(&bench, &n.to_string(), text).await;
        if P::REDELIVERS {
            platform.say(&bench, &n.to_string(), text).await;
        }
    }

    until("all of it", async || {
        (bench.heard.texts().len() >= said.len()).then_some(())
    })
    .await;
    assert_eq!(bench.heard.texts(), said);
    assert!(bench.progress.snapshot().last_inbound_at.is_some());
    bench.stop().await;
}

pub(crate) async fn nothing_is_acknowledged_before_it_is_committed<P: Platform>() {
    let Scene {
        _folder,
        platform,
        bench,
    } = scene::<P>().await;
    *bench.heard.failures.lock().unwrap() = 2;

    platform.say(&bench, "1", "first").await;
    platform.say(&bench, "2", "second").await;

    until("both", async || (bench.heard.texts().len() >= 2).then_some(())).await;
    assert_eq!(bench.heard.texts(), ["first", "second"]);
    bench.stop().await;
}

pub(crate) async fn what_is_sent_arrives_in_order_with_a_receipt<P: Platform>() {
    let Scene {
        _folder,
        platform,
        bench,
    } = scene::<P>().await;

    for n in 0..10 {
        bench
            .say(&format!("k{n}"), &platform.person(), &format!("answer {n}"))
            .await;
    }
    bench.settled().await;

    let wanted: Vec<String> = (0..10).map(|n| format!("answer {n}")).collect();
    until("the answers", async || {
        (platform.heard().await.len() >= 10).then_some(())
    })
    .await;
    assert_eq!(platform.heard().await, wanted);
    assert_eq!(
        bench.stores.outbox.counts(key("a")).await.unwrap(),
        Counts::default()
    );
    assert!(bench.progress.snapshot().last_outbound_at.is_some());
    bench.stop().await;
}

pub(crate) async fn a_long_text_arrives_whole_in_parts<P: Platform>() {
    let Scene {
        _folder,
        platform,
        bench,
    } = scene::<P>().await;
    let long: String = (0..6000).map(|n| format!("wörd{n} ")).take(900).collect();

    bench.say("k", &platform.person(), &long).await;
    bench.settled().await;

    let solid = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    until("the end of it", async || {
        platform.heard().await.concat().contains("wörd899").then_some(())
    })
    .await;
    assert_eq!(solid(&platform.heard().await.concat()), solid(&long));
    bench.stop().await;
}

pub(crate) async fn no_sign_is_torn_where_a_message_ends<P: Platform>() {
    const FAMILY: &str = "👨‍👩‍👧‍👦";
    let Scene {
        _folder,
        platform,
        bench,
    } = scene::<P>().await;
    let limit = platform.adapter().capabilities().text;
    let text = format!(
        "x{}",
        FAMILY.repeat(limit.max * 3 / 2 / limit.unit.size(FAMILY) + 1)
    );

    bench.say("k", &platform.person(), &text).await;
    bench.settled().await;

    let whole = until("all of it", async || {
        let heard = platform.heard().await;
        (heard.concat().len() >= text.len()).then_some(heard)
    });
    let heard = whole.await;
    assert!(heard.len() > 1, "{heard:?}");
    for message in &heard {
        let rest = message.replace(FAMILY, "");
        assert!(
            !rest.contains(['\u{200d}', '👨', '👩', '👧', '👦']),
            "{message:?}"
        );
    }
    bench.stop().await;
}

pub(crate) async fn after_a_cut_it_goes_on<P: Platform>() {
    let Scene {
        _folder,
        mut platform,
        bench,
    } = scene::<P>().await;
    bench.say("before", &platform.person(), "before").await;
    bench.settled().await;

    platform.cut().await;
    platform.mended().await;
    connected(&bench).await;
    bench.say("after", &platform.person(), "after").await;

    bench.settled().await;
    until("the answer", async || {
        platform.heard().await.contains(&"after".to_owned()).then_some(())
    })
    .await;
    platform.say(&bench, "again", "again").await;
    until("what is said", async || {
        bench.heard.texts().contains(&"again".to_owned()).then_some(())
    })
    .await;
    bench.stop().await;
}

pub(crate) async fn typing_hints_do_no_harm<P: Platform>() {
    let Scene {
        _folder,
        mut platform,
        bench,
    } = scene::<P>().await;
    let person = platform.person();
    let storm = || {
        for n in 0..TYPING_MAX * 2 {
            bench.hints.hint(Typing {
                to: person.as_str().into(),
                thread_id: (n % 2 == 0).then(|| "thread".into()),
            });
        }
    };

    storm();
    bench.say("full", &person, "while hints wait").await;
    storm();
    bench.settled().await;
    platform.say(&bench, "1", "said").await;
    until("what is said", async || {
        (!bench.heard.texts().is_empty()).then_some(())
    })
    .await;
    platform.cut().await;
    storm();
    platform.mended().await;
    connected(&bench).await;
    storm();
    bench.say("after", &person, "after the cut").await;
    bench.settled().await;

    until("both answers", async || {
        (platform.heard().await.last().map(String::as_str) == Some("after the cut")).then_some(())
    })
    .await;
    assert_eq!(bench.heard.texts(), ["said"]);
    assert_eq!(
        bench.stores.outbox.counts(key("a")).await.unwrap(),
        Counts::default()
    );
    bench.stop().await;
}

pub(crate) async fn asked_to_end_it_ends<P: Platform>() {
    let Scene {
        _folder,
        bench,
        platform: _platform,
    } = scene::<P>().await;
    let progress = bench.progress.clone();

    tokio::time::timeout(Duration::from_secs(5), bench.stop())
        .await
        .unwrap();

    assert_eq!(progress.snapshot().state, State::Stopped);
}

/// The promises as tests of one adapter.
macro_rules! contract {
    ($platform:ident) => {
        $crate::adapter::contract::contract!(
            $platform,
            what_is_said_is_committed_once_and_in_order,
            nothing_is_acknowledged_before_it_is_committed,
            what_is_sent_arrives_in_order_with_a_receipt,
            a_long_text_arrives_whole_in_parts,
            no_sign_is_torn_where_a_message_ends,
            after_a_cut_it_goes_on,
            typing_hints_do_no_harm,
            asked_to_end_it_ends,
        );
    };
    ($platform:ident, $($name:ident),+ $(,)?) => {
        mod holds {
            $(
                #[tokio::test]
                async fn $name() {
                    $crate::adapter::contract::$name::<super::$platform>().await;
                }
            )+
        }
    };
}
pub(crate) use contract;
