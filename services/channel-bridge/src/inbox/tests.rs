use std::{collections::BTreeMap, sync::Arc};

use gatehouse_core::{Clock, Drain, Failure, Kind};
use gatehouse_proto::session::v1::DeliverMessageRequest;
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, watch},
    time,
};

use super::{AGE_MAX, Inbox};
use crate::{
    account::{Entry, View},
    adapter::{Hints, InboundSink, Progress, Receive, Received, TYPING_MAX, Typing},
    config::{Accounts, Config},
    error::Error,
    metrics::{Direction, Fate, Metrics},
    outbox::Outbox,
    pairing::{
        self,
        store::{Asked, PAIRING_TTL},
    },
    platform::Platforms,
    store::Stores,
    testing::{Heard, Memory, NOW, Puppet, key, message, previews, stores, until},
};

struct Bench {
    inbox: Inbox,
    session: Arc<Memory>,
    stores: Stores,
    clock: Clock,
    metrics: Metrics,
    drain: Drain,
    puppet: Arc<Puppet>,
    inbound: InboundSink,
    typing: mpsc::Receiver<Typing>,
}

/// An inbox over account `a` with this policy.
fn bench(stores: &Stores, policy: &Value) -> Bench {
    bench_with(stores, policy, |_| ())
}

/// The same, with a session service that was prepared.
fn bench_with(stores: &Stores, policy: &Value, prepare: impl FnOnce(&Memory)) -> Bench {
    let (clock, metrics, session) = (
        Clock::fixed(NOW.as_ms()),
        Metrics::default(),
        Arc::new(Memory::default()),
    );
    prepare(&session);
    let mut account = policy.clone();
    account["secret"] = json!("0123456789abcdef");
    let config: Config =
        serde_json::from_value(json!({"channels": {"webhook": {"accounts": {"a": account}}}})).unwrap();
    let progress = Progress::new(clock.clone());
    let (hints, (connection, typing)) = (Hints::default(), mpsc::channel(TYPING_MAX));
    hints.open(connection);
    let puppet = Arc::new(Puppet::new());
    let inbound = InboundSink::new(key("a"), Arc::new(Heard::default()), progress.clone());
    let entries = Accounts::read(&config, &Platforms::all(), &[])
        .by_key
        .into_iter()
        .map(|(key, config)| {
            (
                key,
                Entry {
                    config,
                    progress: progress.clone(),
                    adapter: Some(puppet.clone()),
                    inbound: inbound.clone(),
                    hints: hints.clone(),
                },
            )
        });
    let view = View {
        accounts: entries.collect::<BTreeMap<_, _>>(),
        ..View::default()
    };
    let (_, seen) = watch::channel(Some(Arc::new(view)));
    let outbox = Outbox::new(Arc::clone(&stores.outbox), clock.clone(), metrics.clone());
    let previews = previews(stores, &session, &outbox);
    let inbox = Inbox::new(
        stores,
        session.clone(),
        outbox,
        previews,
        seen,
        clock.clone(),
        metrics.clone(),
    );
    let drain = Drain::new();
    inbox.spawn(&drain);
    Bench {
        inbox,
        session,
        stores: stores.clone(),
        clock,
        metrics,
        drain,
        puppet,
        inbound,
        typing,
    }
}

impl Bench {
    /// Where somebody is said to be answered, so far.
    fn shown(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.typing.try_recv().ok())
            .map(|hint| hint.to.into())
            .collect()
    }

    async fn hear(&self, id: &str, chat: &str) -> Received {
        self.inbox
            .receive(&key("a"), message(id, chat, id))
            .await
            .unwrap()
    }

    fn taken(&self) -> Vec<String> {
        self.session
            .taken
            .lock()
            .unwrap()
            .iter()
            .map(|request| request.message_id.clone())
            .collect()
    }

    async fn takes(&self, count: usize) {
        until("messages to be handed on", async || {
            (self.taken().len() >= count).then_some(())
        })
        .await;
    }

    async fn counts(&self, fate: Fate, count: u64) {
        let seen = async || (self.metrics.get("webhook", Direction::In, fate) == count).then_some(());
        until(&format!("{count} {fate:?}"), seen).await;
    }

    async fn outgoing(&self) -> Vec<String> {
        let heads = self
            .stores
            .outbox
            .heads(self.stores.lease(&key("a")), 10)
            .await
            .unwrap();
        heads
            .into_iter()
            .map(|head| head.content.message.into_words())
            .collect()
    }
}

fn open() -> Value {
    json!({"dmPolicy": "open", "allowFrom": ["*"]})
}

#[tokio::test]
async fn a_redelivered_message_is_handed_on_once_and_the_sum_closes() {
    let (_folder, stores) = stores();
    let bench = bench(&stores, &open());

    for _ in 0..10 {
        bench.hear("1", "anna").await;
    }
    bench.hear("2", "anna").await;
    bench.takes(2).await;
    bench.counts(Fate::Delivered, 2).await;

    assert_eq!(bench.taken(), ["1", "2"]);
    let count = |fate| bench.metrics.get("webhook", Direction::In, fate);
    assert_eq!(
        count(Fate::Accepted),
        count(Fate::Delivered) + count(Fate::Deduped)
    );
}

#[tokio::test]
async fn while_the_session_service_is_away_messages_wait_in_order() {
    let (_folder, stores) = stores();
    let bench = bench(&stores, &open());
    let away = || Failure::new(Kind::Unavailable, "away");
    bench.session.refusals.lock().unwrap().extend([away(), away()]);

    for id in ["1", "2", "3"] {
        bench.hear(id, "anna").await;
    }
    for _ in 0..100 {
        bench.clock.advance_ms(200);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        bench.inbox.wake.notify_one();
        if bench.taken().len() == 3 {
            break;
        }
    }

    assert_eq!(bench.taken(), ["1", "2", "3"]);
}

#[tokio::test]
async fn a_message_of_before_the_restart_is_handed_on_after_it() {
    let (_folder, stores) = stores();
    stores
        .inbox
        .receive(key("a"), message("1", "anna", "x"), false, NOW)
        .await
        .unwrap();

    let bench = bench(&stores, &open());
    bench.takes(1).await;

    let request = bench.session.taken.lock().unwrap()[0].clone();
    let target = request.reply_target.unwrap();
    assert_eq!((request.message_id.as_str(), target.to.as_str()), ("1", "anna"));
    bench.drain.start();
}

#[tokio::test]
async fn a_message_that_is_refused_for_good_is_answered_with_a_notice() {
    let (_folder, stores) = stores();
    let bench = bench(&stores, &open());
    let refusal = Failure::new(Kind::Precondition, "several agents and none chosen");
    bench.session.refusals.lock().unwrap().push(refusal);

    bench.hear("1", "anna").await;
    bench.counts(Fate::Failed, 1).await;

    assert_eq!(
        bench.outgoing().await,
        [
            "Your message could not be answered: the assistant is not set up for this chat. Its owner can see why."
        ]
    );
    bench.hear("2", "anna").await;
    bench.takes(1).await;
}

#[tokio::test]
async fn a_message_that_waited_a_day_is_given_up_on_with_a_notice() {
    let (_folder, stores) = stores();
    stores
        .inbox
        .receive(
            key("a"),
            message("1", "anna", "x"),
            false,
            (NOW - AGE_MAX).plus_ms(-1),
        )
        .await
        .unwrap();

    let bench = bench(&stores, &open());
    bench.counts(Fate::Expired, 1).await;

    assert!(bench.taken().is_empty());
    assert_eq!(bench.outgoing().await.len(), 1);
}

#[tokio::test]
async fn a_stranger_is_told_a_code_once_and_heard_after_the_approval() {
    let (_folder, stores) = stores();
    let bench = bench(&stores, &json!({}));

    bench.hear("1", "anna").await;
    bench.hear("2", "anna").await;
    bench.counts(Fate::Refused, 2).await;

    let request = stores.pairing.requests().await.unwrap().remove(0);
    let told = bench.outgoing().await;
    assert_eq!(told.len(), 1);
    assert!(told[0].ends_with(&request.code));
    for word in ["gatehouse", "channels.", "accountId", "{"] {
        assert!(
            !told[0].contains(word),
            "a stranger is told no commands: {}",
            told[0]
        );
    }
    stores
        .pairing
        .approve(key("a"), request.code, NOW)
        .await
        .unwrap()
        .unwrap();
    bench.hear("3", "anna").await;
    bench.takes(1).await;
    assert_eq!(bench.taken(), ["3"], "what was said before is not processed");
}

#[tokio::test]
async fn nobody_is_heard_on_an_account_that_is_gone() {
    let (_folder, stores) = stores();
    stores
        .inbox
        .receive(key("gone"), message("1", "anna", "x"), false, NOW)
        .await
        .unwrap();

    crate::testing::claim(&stores, &["gone"]).await;
    let bench = bench(&stores, &open());
    bench.counts(Fate::Refused, 1).await;

    assert!(bench.taken().is_empty());
}

#[tokio::test]
async fn typing_is_shown_once_for_a_message_that_is_answered() {
    let (_folder, stores) = stores();
    let mut bench = bench(&stores, &open());
    let mut threaded = message("1", "anna", "hi");
    threaded.thread_id = Some("t".into());

    for _ in 0..3 {
        bench.inbox.receive(&key("a"), threaded.clone()).await.unwrap();
    }
    bench.counts(Fate::Delivered, 1).await;
    let hint = bench.typing.recv().await.unwrap();
    bench.hear("2", "bert").await;
    bench.counts(Fate::Delivered, 2).await;

    assert_eq!((hint.to.as_str(), hint.thread_id.as_deref()), ("anna", Some("t")));
    assert_eq!(bench.typing.recv().await.unwrap().to, "bert");
    assert!(bench.shown().is_empty());
}

#[tokio::test]
async fn typing_is_not_shown_for_what_is_refused_or_known_already() {
    let (_folder, stores) = stores();
    let mut bench = bench(&stores, &json!({"dmPolicy": "allowlist", "allowFrom": ["anna"]}));
    let refusal = Failure::new(Kind::Precondition, "several agents and none chosen");
    bench.session.refusals.lock().unwrap().push(refusal);

    bench.hear("refused by the session service", "anna").await;
    bench.counts(Fate::Failed, 1).await;
    bench.hear("refused by the policy", "bert").await;
    bench.counts(Fate::Refused, 1).await;
    // As after a crash between the handing on and the settling.
    let known = DeliverMessageRequest {
        message_id: "known".into(),
        ..DeliverMessageRequest::default()
    };
    bench.session.taken.lock().unwrap().push(known);
    bench.hear("known", "anna").await;
    bench.counts(Fate::Delivered, 1).await;
    bench.hear("last", "anna").await;
    bench.counts(Fate::Delivered, 2).await;

    assert_eq!(bench.typing.recv().await.unwrap().to, "anna");
    assert!(bench.shown().is_empty(), "only the last is answered");
}

#[tokio::test]
async fn a_platform_that_takes_no_hints_holds_no_message_up() {
    let (_folder, stores) = stores();
    let mut bench = bench(&stores, &open());
    let count = TYPING_MAX + 8;

    for n in 0..count {
        bench.hear(&n.to_string(), &format!("person {n}")).await;
    }
    bench.counts(Fate::Delivered, u64::try_from(count).unwrap()).await;

    assert_eq!(bench.shown().len(), TYPING_MAX);
}

const HOUR: i64 = 3_600_000;
const YEAR: i64 = 365 * 24 * HOUR;

#[tokio::test]
async fn a_clock_that_is_set_holds_up_no_message_and_makes_none_too_old() {
    for step in [HOUR, -HOUR, YEAR, -YEAR] {
        let (_folder, stores) = stores();
        let bench = bench(&stores, &open());
        let away = || Failure::new(Kind::Unavailable, "away");
        bench.session.refusals.lock().unwrap().extend([away(), away()]);

        bench.hear("1", "anna").await;
        until("the first attempt", async || {
            (bench.session.refusals.lock().unwrap().len() < 2).then_some(())
        })
        .await;
        bench.clock.advance_ms(step);

        bench.takes(1).await;
        bench.counts(Fate::Expired, 0).await;
        bench.drain.start();
    }
}

#[tokio::test]
async fn after_a_restart_a_message_that_is_due_in_the_far_future_is_handed_on() {
    let (_folder, stores) = stores();
    stores
        .inbox
        .receive(key("a"), message("1", "anna", "x"), false, NOW.plus_ms(YEAR))
        .await
        .unwrap();

    let bench = bench(&stores, &open());

    bench.takes(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_code_is_good_for_an_hour_however_the_clock_is_set() {
    for step in [0, HOUR, -HOUR, YEAR, -YEAR] {
        let (_folder, stores) = stores();
        let clock = Clock::fixed(NOW.as_ms());
        let outbox = Outbox::new(Arc::clone(&stores.outbox), clock.clone(), Metrics::default());
        let ask = async |id: &str| {
            let message = message(id, "anna", "hi");
            pairing::ask(stores.pairing.as_ref(), &outbox, &clock, &key("a"), &message)
                .await
                .unwrap()
        };
        assert_eq!(ask("1").await, Asked::Created);

        clock.advance_ms(step);
        assert_eq!(ask("2").await, Asked::Waiting, "{step}");
        let waiting = pairing::waiting(stores.pairing.as_ref(), &clock).await.unwrap();
        assert_eq!(waiting.len(), 1, "{step}");
        // Twice: a time of day that was there twice is taken for the later one.
        time::advance(2 * PAIRING_TTL).await;
        clock.advance_ms(2 * HOUR);

        let code = waiting[0].code.clone();
        let approved = pairing::approve(
            stores.pairing.as_ref(),
            &outbox,
            &clock,
            pairing::grpc::Approval {
                account: key("a"),
                named: code,
                notify: false,
            },
        )
        .await;
        assert!(matches!(approved, Err(Error::NoRequest)), "{step}");
        assert_eq!(ask("3").await, Asked::Created, "{step}");
    }
}

#[tokio::test]
async fn what_the_session_service_has_lost_is_offered_to_it_again_after_a_start_and_nothing_else_is() {
    let (_folder, stores) = stores();
    let first = bench(&stores, &json!({"dmPolicy": "open", "allowFrom": ["*"]}));
    for id in ["1", "2", "3"] {
        first.hear(id, id).await;
    }
    first.takes(3).await;
    until("nothing to be handed on", async || {
        stores
            .inbox
            .heads(stores.owner.clone(), 10)
            .await
            .unwrap()
            .is_empty()
            .then_some(())
    })
    .await;
    assert!(first.drain.finish(std::time::Duration::from_secs(5)).await);

    // Another session service, which knows one of them only.
    let second = bench_with(
        &stores,
        &json!({"dmPolicy": "open", "allowFrom": ["*"]}),
        |session| {
            let known = first.session.taken.lock().unwrap()[0].clone();
            session.taken.lock().unwrap().push(known);
        },
    );

    second.takes(3).await;
    let mut taken = second.taken();
    taken.sort();
    assert_eq!(taken, ["1", "2", "3"], "each once");
}

mod fetch;
mod loops;
mod reactions;
mod remarks;
mod words;
