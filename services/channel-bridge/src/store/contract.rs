//! What every store must hold. One function for each promise, run against each store.

use std::sync::Arc;

use super::{
    Asked, Counts, Outcome, PAIRING_TTL, PENDING_PER_ACCOUNT, PairingRow, Retry, Sent, Settlement, Store,
    StoreError,
};
use crate::{
    adapter::Received,
    testing::{NOW, delivery, key, message, store},
};

macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $name() {
                    let (_folder, store) = super::store();
                    super::$name(store).await;
                }
            )*
        }
    };
}

contract! {
    a_message_is_stored_once_however_often_and_at_once_it_comes,
    each_chat_shows_its_oldest_message_first,
    a_postponed_message_keeps_its_place_in_its_chat,
    a_settled_message_is_remembered_until_it_is_pruned,
    what_session_took_over_can_be_offered_again_for_a_day,
    a_delivery_is_stored_once,
    parts_are_kept_and_the_unsent_ones_remain,
    what_was_leaving_waits_again_and_is_flagged,
    an_old_delivery_is_given_up_on,
    three_strangers_may_wait_at_one_account_and_no_more,
    a_request_that_is_dismissed_leaves_its_place_free,
    an_approval_counts_for_its_account_only,
    a_repeated_approval_is_answered_the_same,
}

async fn a_message_is_stored_once_however_often_and_at_once_it_comes(store: Arc<dyn Store>) {
    let all = (0..200).map(|n| store.receive(key("a"), message(&(n % 50).to_string(), "anna", "x"), NOW));
    let received = futures::future::join_all(all).await;

    let stored = received
        .iter()
        .filter(|result| matches!(result, Ok(Received::Stored)))
        .count();
    assert_eq!(stored, 50);
    assert_eq!(
        store
            .receive(key("b"), message("1", "anna", "x"), NOW)
            .await
            .unwrap(),
        Received::Stored
    );
}

async fn each_chat_shows_its_oldest_message_first(store: Arc<dyn Store>) {
    for (id, chat) in [("1", "anna"), ("2", "anna"), ("3", "bert")] {
        store
            .receive(key("a"), message(id, chat, "x"), NOW)
            .await
            .unwrap();
    }

    let heads = store.inbox_heads(10).await.unwrap();
    let ids: Vec<&str> = heads.iter().map(|row| row.message.message_id.as_str()).collect();
    assert_eq!(ids, ["1", "3"]);

    store
        .settle_inbound(heads[0].seq, Settlement::Adopted("run".into()))
        .await
        .unwrap();
    let heads = store.inbox_heads(10).await.unwrap();
    assert_eq!(heads[0].message, message("2", "anna", "x"));
}

async fn a_postponed_message_keeps_its_place_in_its_chat(store: Arc<dyn Store>) {
    store
        .receive(key("a"), message("1", "anna", "x"), NOW)
        .await
        .unwrap();
    store
        .receive(key("a"), message("2", "anna", "x"), NOW)
        .await
        .unwrap();
    let first = store.inbox_heads(1).await.unwrap().remove(0);

    store.postpone_inbound(first.seq, NOW + 500).await.unwrap();

    let heads = store.inbox_heads(10).await.unwrap();
    assert_eq!(heads.len(), 1);
    assert_eq!(
        (heads[0].seq, heads[0].attempts, heads[0].next_at),
        (first.seq, 1, NOW + 500)
    );
}

async fn a_settled_message_is_remembered_until_it_is_pruned(store: Arc<dyn Store>) {
    store
        .receive(key("a"), message("1", "anna", "x"), NOW)
        .await
        .unwrap();
    store
        .receive(key("a"), message("2", "bert", "waits"), NOW)
        .await
        .unwrap();
    let seq = store.inbox_heads(1).await.unwrap()[0].seq;
    store
        .settle_inbound(seq, Settlement::Refused("no".into()))
        .await
        .unwrap();

    // Received now: kept while a week ago is not after it.
    store.prune(NOW, 0).await.unwrap();
    assert_eq!(
        store
            .receive(key("a"), message("1", "anna", "x"), NOW)
            .await
            .unwrap(),
        Received::Duplicate
    );

    store.prune(NOW + 1, 0).await.unwrap();
    assert_eq!(
        store
            .receive(key("a"), message("1", "anna", "x"), NOW)
            .await
            .unwrap(),
        Received::Stored
    );
    assert_eq!(
        store
            .receive(key("a"), message("2", "bert", "x"), NOW)
            .await
            .unwrap(),
        Received::Duplicate,
        "what waits stays"
    );
}

async fn what_session_took_over_can_be_offered_again_for_a_day(store: Arc<dyn Store>) {
    for (id, chat) in [("1", "anna"), ("2", "bert"), ("3", "carl")] {
        store
            .receive(key("a"), message(id, chat, "x"), NOW)
            .await
            .unwrap();
    }
    let heads = store.inbox_heads(10).await.unwrap();
    for row in &heads[..2] {
        store
            .settle_inbound(row.seq, Settlement::Adopted("run".into()))
            .await
            .unwrap();
    }
    store
        .settle_inbound(heads[2].seq, Settlement::Refused("no".into()))
        .await
        .unwrap();

    let adopted = store.adopted(0, 0, 10).await.unwrap();
    let ids: Vec<&str> = adopted
        .iter()
        .map(|message| message.message_id.as_str())
        .collect();
    assert_eq!(ids, ["1", "2"], "a refused one is never offered again");
    assert_eq!(store.adopted(adopted[0].seq, 0, 10).await.unwrap().len(), 1);
    assert!(store.adopted(0, NOW, 10).await.unwrap().is_empty(), "too old");

    assert_eq!(store.offer_again(vec![adopted[0].seq], NOW).await.unwrap(), 1);
    let waiting = store.inbox_heads(10).await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].message, message("1", "anna", "x"));

    store.prune(0, NOW).await.unwrap();
    assert!(
        store.adopted(0, 0, 10).await.unwrap().is_empty(),
        "its text is forgotten"
    );
}

async fn a_delivery_is_stored_once(store: Arc<dyn Store>) {
    let first = store
        .enqueue("id-1".into(), delivery("k", "anna", "x", NOW), NOW)
        .await
        .unwrap();
    let again = store
        .enqueue("id-2".into(), delivery("k", "anna", "x", NOW + 5), NOW + 5)
        .await
        .unwrap();
    assert_eq!((first, again), (("id-1".into(), false), ("id-1".into(), true)));

    for other in [delivery("k", "bert", "x", NOW), delivery("k", "anna", "y", NOW)] {
        let refused = store.enqueue("id-3".into(), other, NOW).await;
        assert!(matches!(refused, Err(StoreError::Conflict { id }) if id == "id-1"));
    }
    let heads = store.outbox_heads(key("a"), 10).await.unwrap();
    assert_eq!(heads.len(), 1);
    assert_eq!(heads[0].content, delivery("k", "anna", "x", NOW));
}

async fn parts_are_kept_and_the_unsent_ones_remain(store: Arc<dyn Store>) {
    store
        .enqueue("id".into(), delivery("k", "anna", "one|two", NOW), NOW)
        .await
        .unwrap();
    let seq = store.outbox_heads(key("a"), 1).await.unwrap()[0].seq;
    store.parts(seq, vec!["one".into(), "two".into()]).await.unwrap();
    store
        .part_leaves(seq, 0, Some("(late) one".into()))
        .await
        .unwrap();
    store
        .part_sent(
            seq,
            0,
            Sent {
                receipt: Some("p1".into()),
                unconfirmed: true,
                at: NOW,
            },
        )
        .await
        .unwrap();

    let parts = store.parts(seq, vec!["other".into()]).await.unwrap();
    let state: Vec<(&str, bool)> = parts.iter().map(|part| (part.text.as_str(), part.sent)).collect();
    assert_eq!(state, [("(late) one", true), ("two", false)]);
    assert!(parts[0].unconfirmed && !parts[1].unconfirmed);
    assert!(store.outbox_heads(key("a"), 1).await.unwrap()[0].late);

    store.settle_delivery(seq, Outcome::Sent, NOW).await.unwrap();
    let counts = Counts {
        unconfirmed: 1,
        ..Counts::default()
    };
    assert_eq!(store.counts(key("a")).await.unwrap(), counts);
    assert_eq!(store.counts(key("b")).await.unwrap(), Counts::default());
}

async fn what_was_leaving_waits_again_and_is_flagged(store: Arc<dyn Store>) {
    store
        .enqueue("id".into(), delivery("k", "anna", "x", NOW), NOW)
        .await
        .unwrap();
    let seq = store.outbox_heads(key("a"), 1).await.unwrap()[0].seq;
    store.parts(seq, vec!["x".into()]).await.unwrap();
    store.part_leaves(seq, 0, None).await.unwrap();

    assert_eq!(store.recover(key("b")).await.unwrap(), 0);
    assert_eq!(store.recover(key("a")).await.unwrap(), 1);
    assert!(store.parts(seq, Vec::new()).await.unwrap()[0].possible_duplicate);

    store.part_leaves(seq, 0, None).await.unwrap();
    store
        .postpone_delivery(
            seq,
            Retry {
                next_at: NOW + 9,
                unknown: true,
            },
        )
        .await
        .unwrap();
    let head = store.outbox_heads(key("a"), 1).await.unwrap().remove(0);
    assert_eq!((head.attempts, head.unknowns, head.next_at), (1, 1, NOW + 9));
    assert_eq!(store.counts(key("a")).await.unwrap().repeated, 1);
}

async fn an_old_delivery_is_given_up_on(store: Arc<dyn Store>) {
    store
        .enqueue("old".into(), delivery("k1", "anna", "x", NOW), NOW - 10)
        .await
        .unwrap();
    store
        .enqueue("new".into(), delivery("k2", "bert", "x", NOW), NOW)
        .await
        .unwrap();

    assert_eq!(store.expire_deliveries(NOW, NOW).await.unwrap(), ["webhook"]);
    assert_eq!(
        store.counts(key("a")).await.unwrap(),
        Counts {
            waiting: 1,
            dead: 1,
            ..Counts::default()
        }
    );
}

fn stranger(sender: &str, account: &str, code: &str) -> PairingRow {
    PairingRow {
        id: format!("request-{sender}-{account}"),
        account: key(account),
        sender_id: sender.into(),
        sender_name: None,
        reply_to: sender.into(),
        code: code.into(),
        created_at: NOW,
        last_seen_at: NOW,
        expires_at: NOW + i64::try_from(PAIRING_TTL.as_millis()).unwrap(),
    }
}

async fn three_strangers_may_wait_at_one_account_and_no_more(store: Arc<dyn Store>) {
    let all = (0..20).map(|n| store.ask(stranger(&format!("s{n}"), "a", &format!("CODE{n}")), NOW));
    let asked = futures::future::join_all(all).await;

    assert_eq!(
        asked
            .iter()
            .filter(|asked| matches!(asked, Ok(Asked::Created)))
            .count(),
        PENDING_PER_ACCOUNT
    );
    assert_eq!(
        store.ask(stranger("s0", "b", "OTHER"), NOW).await.unwrap(),
        Asked::Created,
        "another account has its own"
    );
    let waiting = store.pairing_requests().await.unwrap();
    let again = stranger(&waiting[0].sender_id, &waiting[0].account.account, "NEW");
    assert_eq!(store.ask(again, NOW + 5).await.unwrap(), Asked::Waiting);
    let seen = store.pairing_requests().await.unwrap();
    assert_eq!((seen[0].last_seen_at, &seen[0].code), (NOW + 5, &waiting[0].code));
}

async fn a_request_that_is_dismissed_leaves_its_place_free(store: Arc<dyn Store>) {
    let row = stranger("s", "a", "ABCD2345");
    store.ask(row.clone(), NOW).await.unwrap();

    assert!(store.dismiss(key("a"), row.id.clone()).await.unwrap());
    assert!(!store.dismiss(key("a"), row.id.clone()).await.unwrap());

    assert!(store.pairing_requests().await.unwrap().is_empty());
    assert_eq!(store.ask(row, NOW).await.unwrap(), Asked::Created);
}

async fn an_approval_counts_for_its_account_only(store: Arc<dyn Store>) {
    store.ask(stranger("s", "a", "ABCD2345"), NOW).await.unwrap();
    assert_eq!(
        store.approve(key("b"), "ABCD2345".into(), NOW).await.unwrap(),
        None
    );

    let (sender, request) = store
        .approve(key("a"), "abcd2345 ".into(), NOW)
        .await
        .unwrap()
        .unwrap();

    assert_eq!(sender, "s");
    assert!(request.is_some());
    assert!(
        store
            .approved(key("a"), vec!["x".into(), "s".into()])
            .await
            .unwrap()
    );
    assert!(!store.approved(key("b"), vec!["s".into()]).await.unwrap());
    assert!(store.pairing_requests().await.unwrap().is_empty());
}

async fn a_repeated_approval_is_answered_the_same(store: Arc<dyn Store>) {
    let row = stranger("s", "a", "ABCD2345");
    store.ask(row.clone(), NOW).await.unwrap();
    store.approve(key("a"), row.id.clone(), NOW).await.unwrap();

    assert_eq!(
        store.approve(key("a"), row.id, NOW).await.unwrap(),
        Some(("s".into(), None))
    );
}
