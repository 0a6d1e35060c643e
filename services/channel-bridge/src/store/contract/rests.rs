//! What every store must hold of deliveries that may be dropped, and of the rests of long answers.

use gatehouse_core::Timestamp;

use crate::{
    outbox::{
        plan::Rest,
        store::{Chosen, More, Outcome},
    },
    store::Stores,
    testing::{NOW, delivery, key},
};

/// An answer to a chat of which a part is kept back. Its place in the outbox.
async fn long_answer(stores: &Stores, name: &str, to: &str, at: Timestamp) -> i64 {
    let lease = || stores.lease(&key("a"));
    let queued = stores
        .outbox
        .enqueue(name.into(), delivery(name, to, "begin and rest", at), at);
    queued.await.unwrap();
    let heads = stores.outbox.heads(lease(), 10).await.unwrap();
    let seq = heads
        .iter()
        .find(|head| head.content.key.as_str() == name)
        .unwrap()
        .seq;
    let rest = Rest {
        text: format!("rest of {name}"),
        parts: 3,
    };
    let parts = vec!["begin".to_owned()];
    stores
        .outbox
        .parts(lease(), seq, parts, Some(rest), at)
        .await
        .unwrap();
    stores
        .outbox
        .settle(lease(), seq, Outcome::Sent, at)
        .await
        .unwrap();
    seq
}

fn more(name: &str, to: &str, thread: Option<&str>, since: Timestamp) -> More {
    More {
        key: name.into(),
        account: key("a"),
        to: to.into(),
        thread_id: thread.map(str::to_owned),
        reply_to_id: None,
        since,
    }
}

async fn ask(stores: &Stores, asked: More) -> bool {
    let id = format!("id of {}", asked.key.as_str());
    stores.outbox.more(id, asked, NOW).await.unwrap()
}

/// What waits, by its words.
async fn waiting(stores: &Stores) -> Vec<String> {
    let page = stores.outbox.waiting(Chosen::default(), 0, 10).await.unwrap();
    page.deliveries.into_iter().map(|one| one.preview).collect()
}

pub(crate) async fn a_delivery_waits_until_it_is_settled_or_dropped(stores: Stores) {
    let lease = || stores.lease(&key("a"));
    for (name, to) in [("sent", "anna"), ("dropped", "bert")] {
        let queued = stores
            .outbox
            .enqueue(name.into(), delivery(name, to, "x", NOW), NOW);
        queued.await.unwrap();
    }
    let heads = stores.outbox.heads(lease(), 10).await.unwrap();
    let [sent, dropped] = [heads[0].seq, heads[1].seq];
    for seq in [sent, dropped] {
        assert!(stores.outbox.waits(seq).await.unwrap());
    }

    stores
        .outbox
        .settle(lease(), sent, Outcome::Sent, NOW)
        .await
        .unwrap();
    let berts = Chosen {
        to: Some("bert".into()),
        ..Chosen::default()
    };
    assert_eq!(stores.outbox.drop_waiting(berts, 10, NOW).await.unwrap().total, 1);

    for seq in [sent, dropped, dropped + 1] {
        assert!(!stores.outbox.waits(seq).await.unwrap(), "{seq}");
    }
}

pub(crate) async fn the_rest_of_an_answer_is_said_once_in_its_chat(stores: Stores) {
    long_answer(&stores, "one", "Anna", NOW).await;
    for elsewhere in [
        more("m1", "bert", None, NOW),
        more("m2", "anna", Some("thread"), NOW),
        more("m3", "anna", None, NOW.plus_ms(1)),
    ] {
        assert!(!ask(&stores, elsewhere.clone()).await, "{elsewhere:?}");
    }
    assert_eq!(waiting(&stores).await, [""; 0]);

    assert!(ask(&stores, more("m4", "aNNa", None, NOW)).await);
    assert!(
        ask(&stores, more("m4", "aNNa", None, NOW)).await,
        "the same question"
    );

    assert_eq!(waiting(&stores).await, ["rest of one"]);
    assert!(!ask(&stores, more("m5", "anna", None, NOW)).await, "it is said");
}

pub(crate) async fn a_newer_rest_takes_the_place_of_an_older_one_and_a_stop_forgets_it(stores: Stores) {
    long_answer(&stores, "one", "anna", NOW).await;
    long_answer(&stores, "two", "anna", NOW).await;
    long_answer(&stores, "bert's", "bert", NOW).await;

    assert!(ask(&stores, more("m1", "anna", None, NOW)).await);
    assert_eq!(waiting(&stores).await, ["rest of two"]);
    for head in stores.outbox.heads(stores.lease(&key("a")), 10).await.unwrap() {
        let said = stores
            .outbox
            .settle(stores.lease(&key("a")), head.seq, Outcome::Sent, NOW);
        said.await.unwrap();
    }

    long_answer(&stores, "three", "anna", NOW).await;
    let annas = Chosen {
        to: Some("anna".into()),
        ..Chosen::default()
    };
    stores.outbox.drop_waiting(annas, 10, NOW).await.unwrap();
    assert!(!ask(&stores, more("m2", "anna", None, NOW)).await);
    assert!(ask(&stores, more("m3", "bert", None, NOW)).await, "another chat");
    assert_eq!(waiting(&stores).await, ["rest of bert's"]);

    long_answer(&stores, "four", "anna", NOW).await;
    stores.outbox.prune(NOW, NOW.plus_ms(1)).await.unwrap();
    assert!(
        !ask(&stores, more("m4", "anna", None, NOW)).await,
        "its time is over"
    );
}
