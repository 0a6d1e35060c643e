//! What every store must hold of how fast partners answer each other.

use std::time::Duration;

use gatehouse_core::Timestamp;

use super::{accounts::another, outbox::answered};
use crate::{
    pace::{
        Met, Pace,
        store::{Heard, Paused},
    },
    store::Stores,
    testing::{NOW, key},
};

/// A message of somebody in a chat of account `a`.
async fn hear(stores: &Stores, seq: i64, chat: &str, sender: Option<&str>, at: Timestamp) -> Met {
    let heard = Heard {
        seq,
        account: key("a"),
        chat: chat.into(),
        sender: sender.map(Into::into),
        to: chat.into(),
        at,
        pace: Pace::default(),
    };
    stores.pace.hear(heard).await.unwrap()
}

/// Two programs answer each other until one is paused: with which row, and when.
async fn talk(stores: &Stores, chat: &str) -> (i64, Timestamp) {
    let mut at = NOW;
    for seq in 1..100 {
        if hear(stores, seq, chat, Some(chat), at).await != Met::Welcome {
            return (seq, at);
        }
        answered(stores, chat, at.plus_ms(500)).await;
        at = at.plus_ms(1_000);
    }
    panic!("nobody was paused");
}

pub(crate) async fn who_answers_without_end_is_paused_and_each_partner_for_itself(stores: Stores) {
    let (seq, at) = talk(&stores, "anna").await;

    let again = hear(&stores, seq, "anna", Some("anna"), at).await;
    assert_eq!(again, Met::Paused { first: true }, "the same row");
    let restarted = another(&stores);
    let next = hear(&restarted, seq + 1, "anna", Some("anna"), at.plus_ms(1)).await;
    assert_eq!(next, Met::Paused { first: false }, "for another process too");
    for (chat, sender) in [("anna", Some("bert")), ("bert", Some("anna")), ("anna", None)] {
        let met = hear(&stores, seq + 2, chat, sender, at.plus_ms(2)).await;
        assert_eq!(met, Met::Welcome, "{chat} {sender:?}");
    }
}

pub(crate) async fn who_is_paused_is_shown_until_the_pause_ends(stores: Stores) {
    let (_, at) = talk(&stores, "anna").await;

    let paused = stores
        .pace
        .paused(key("a"), Pace::default(), at, 10)
        .await
        .unwrap();
    let [Paused { chat, sender, until }] = paused.as_slice() else {
        panic!("{paused:?}");
    };
    assert_eq!((chat.as_str(), sender.as_deref()), ("anna", Some("anna")));
    assert!(*until > at);
    for (account, now, limit) in [("a", *until, 10), ("a", at, 0), ("b", at, 10)] {
        let shown = stores
            .pace
            .paused(key(account), Pace::default(), now, limit)
            .await
            .unwrap();
        assert_eq!(shown, [], "{account} {now} {limit}");
    }
    let set_back = at - Duration::from_secs(400 * 24 * 3600);
    assert_eq!(
        stores
            .pace
            .paused(key("a"), Pace::default(), set_back, 10)
            .await
            .unwrap(),
        [],
        "the clock was set back"
    );
}

pub(crate) async fn who_was_not_heard_for_long_is_forgotten_with_the_pause(stores: Stores) {
    let (seq, at) = talk(&stores, "anna").await;

    stores.pace.prune_partners(at).await.unwrap();
    assert_eq!(
        hear(&stores, seq, "anna", Some("anna"), at).await,
        Met::Paused { first: true },
        "heard since"
    );

    stores.pace.prune_partners(at.plus_ms(1)).await.unwrap();
    assert_eq!(
        stores
            .pace
            .paused(key("a"), Pace::default(), at, 10)
            .await
            .unwrap(),
        []
    );
    assert_eq!(
        hear(&stores, seq + 1, "anna", Some("anna"), at.plus_ms(1)).await,
        Met::Welcome
    );
}
