//! What every store must hold of the inbox.

use super::accounts::another;
use crate::{
    adapter::Received,
    inbox::store::Settlement,
    store::Stores,
    testing::{NOW, claim, key, message},
};
use gatehouse_core::Timestamp;

pub(crate) async fn a_message_is_stored_once_however_often_and_at_once_it_comes(stores: Stores) {
    let all = (0..200).map(|n| {
        stores
            .inbox
            .receive(key("a"), message(&(n % 50).to_string(), "anna", "x"), false, NOW)
    });
    let received = futures::future::join_all(all).await;

    let stored = received
        .iter()
        .filter(|result| matches!(result, Ok(Received::Stored)))
        .count();
    assert_eq!(stored, 50);
    assert_eq!(
        stores
            .inbox
            .receive(key("b"), message("1", "anna", "x"), false, NOW)
            .await
            .unwrap(),
        Received::Stored
    );
}

pub(crate) async fn what_is_fetched_of_a_message_stays_with_it_while_it_waits(stores: Stores) {
    let came = message("1", "anna", "before");
    stores
        .inbox
        .receive(key("a"), came.clone(), false, NOW)
        .await
        .unwrap();
    let seq = stores.inbox.heads(stores.owner.clone(), 1).await.unwrap()[0].seq;

    stores
        .inbox
        .rewrite(seq, message("1", "anna", "after"))
        .await
        .unwrap();

    let head = stores
        .inbox
        .heads(stores.owner.clone(), 1)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        (head.message.content.words().as_str(), head.attempts),
        ("after", 0)
    );
    let again = stores.inbox.receive(key("a"), came, false, NOW).await.unwrap();
    assert_eq!(again, Received::Duplicate);
    stores
        .inbox
        .settle(seq, Settlement::Refused("over".into()))
        .await
        .unwrap();
    stores
        .inbox
        .rewrite(seq, message("1", "anna", "late"))
        .await
        .unwrap();
    assert!(
        stores
            .inbox
            .heads(stores.owner.clone(), 1)
            .await
            .unwrap()
            .is_empty()
    );
}

pub(crate) async fn each_chat_shows_its_oldest_message_first(stores: Stores) {
    for (id, chat) in [("1", "anna"), ("2", "anna"), ("3", "bert")] {
        stores
            .inbox
            .receive(key("a"), message(id, chat, "x"), false, NOW)
            .await
            .unwrap();
    }

    let heads = stores.inbox.heads(stores.owner.clone(), 10).await.unwrap();
    let ids: Vec<&str> = heads.iter().map(|row| row.message.message_id.as_str()).collect();
    assert_eq!(ids, ["1", "3"]);
    assert_eq!(stores.inbox.waiting(key("a")).await.unwrap(), 3);
    assert_eq!(stores.inbox.waiting(key("b")).await.unwrap(), 0);

    stores
        .inbox
        .settle(heads[0].seq, Settlement::Adopted("run".into()))
        .await
        .unwrap();
    let heads = stores.inbox.heads(stores.owner.clone(), 10).await.unwrap();
    assert_eq!(heads[0].message, message("2", "anna", "x"));
    assert_eq!(stores.inbox.waiting(key("a")).await.unwrap(), 2);
}

pub(crate) async fn a_postponed_message_keeps_its_place_in_its_chat(stores: Stores) {
    stores
        .inbox
        .receive(key("a"), message("1", "anna", "x"), false, NOW)
        .await
        .unwrap();
    stores
        .inbox
        .receive(key("a"), message("2", "anna", "x"), false, NOW)
        .await
        .unwrap();
    let first = stores
        .inbox
        .heads(stores.owner.clone(), 1)
        .await
        .unwrap()
        .remove(0);

    stores.inbox.postpone(first.seq, NOW.plus_ms(500)).await.unwrap();

    let heads = stores.inbox.heads(stores.owner.clone(), 10).await.unwrap();
    assert_eq!(heads.len(), 1);
    assert_eq!(
        (heads[0].seq, heads[0].attempts, heads[0].next_at),
        (first.seq, 1, NOW.plus_ms(500))
    );
}

pub(crate) async fn a_settled_message_is_remembered_until_it_is_pruned(stores: Stores) {
    stores
        .inbox
        .receive(key("a"), message("1", "anna", "x"), false, NOW)
        .await
        .unwrap();
    stores
        .inbox
        .receive(key("a"), message("2", "bert", "waits"), false, NOW)
        .await
        .unwrap();
    let seq = stores.inbox.heads(stores.owner.clone(), 1).await.unwrap()[0].seq;
    stores
        .inbox
        .settle(seq, Settlement::Refused("no".into()))
        .await
        .unwrap();

    // Received now: kept while a week ago is not after it.
    stores.inbox.prune(NOW, Timestamp::EPOCH).await.unwrap();
    assert_eq!(
        stores
            .inbox
            .receive(key("a"), message("1", "anna", "x"), false, NOW)
            .await
            .unwrap(),
        Received::Duplicate
    );

    stores
        .inbox
        .prune(NOW.plus_ms(1), Timestamp::EPOCH)
        .await
        .unwrap();
    assert_eq!(
        stores
            .inbox
            .receive(key("a"), message("1", "anna", "x"), false, NOW)
            .await
            .unwrap(),
        Received::Stored
    );
    assert_eq!(
        stores
            .inbox
            .receive(key("a"), message("2", "bert", "x"), false, NOW)
            .await
            .unwrap(),
        Received::Duplicate,
        "what waits stays"
    );
}

pub(crate) async fn what_session_took_over_can_be_offered_again_for_a_day(stores: Stores) {
    for (id, chat) in [("1", "anna"), ("2", "bert"), ("3", "carl")] {
        stores
            .inbox
            .receive(key("a"), message(id, chat, "x"), false, NOW)
            .await
            .unwrap();
    }
    let heads = stores.inbox.heads(stores.owner.clone(), 10).await.unwrap();
    for row in &heads[..2] {
        stores
            .inbox
            .settle(row.seq, Settlement::Adopted("run".into()))
            .await
            .unwrap();
    }
    stores
        .inbox
        .settle(heads[2].seq, Settlement::Refused("no".into()))
        .await
        .unwrap();

    let adopted = stores.inbox.adopted(0, Timestamp::EPOCH, 10).await.unwrap();
    let ids: Vec<&str> = adopted
        .iter()
        .map(|message| message.message_id.as_str())
        .collect();
    assert_eq!(ids, ["1", "2"], "a refused one is never offered again");
    assert_eq!(
        stores
            .inbox
            .adopted(adopted[0].seq, Timestamp::EPOCH, 10)
            .await
            .unwrap()
            .len(),
        1
    );
    assert!(
        stores.inbox.adopted(0, NOW, 10).await.unwrap().is_empty(),
        "too old"
    );

    assert_eq!(
        stores.inbox.offer_again(vec![adopted[0].seq], NOW).await.unwrap(),
        1
    );
    let waiting = stores.inbox.heads(stores.owner.clone(), 10).await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].message, message("1", "anna", "x"));

    stores.inbox.prune(Timestamp::EPOCH, NOW).await.unwrap();
    assert!(
        stores
            .inbox
            .adopted(0, Timestamp::EPOCH, 10)
            .await
            .unwrap()
            .is_empty(),
        "its text is forgotten"
    );
}

pub(crate) async fn an_owner_is_shown_the_messages_of_its_own_accounts_only(stores: Stores) {
    let other = another(&stores);
    claim(&other, &["c"]).await;
    for account in ["a", "c", "nobodys"] {
        stores
            .inbox
            .receive(key(account), message("1", "anna", "x"), false, NOW)
            .await
            .unwrap();
    }

    for (owner, account) in [(&stores, "a"), (&other, "c")] {
        let heads = owner.inbox.heads(owner.owner.clone(), 10).await.unwrap();
        let accounts: Vec<_> = heads.into_iter().map(|row| row.account).collect();
        assert_eq!(accounts, [key(account)]);
    }
}

pub(crate) async fn what_came_before_a_stop_is_given_up_in_its_chat_alone(stores: Stores) {
    for (account, id, chat) in [
        ("a", "1", "anna"),
        ("a", "2", "anna"),
        ("a", "3", "bert"),
        ("b", "4", "anna"),
        ("a", "5", "anna"),
        ("a", "6", "anna"),
    ] {
        let came = stores
            .inbox
            .receive(key(account), message(id, chat, "x"), id == "5", NOW);
        assert_eq!(came.await.unwrap(), Received::Stored);
    }
    let urgent = stores.inbox.heads(stores.owner.clone(), 10).await.unwrap();
    let urgent = urgent.iter().find(|row| row.urgent).unwrap().seq;
    let stop = || {
        stores
            .inbox
            .refuse_before(key("a"), "anna".into(), urgent, "stopped")
    };

    assert_eq!(stop().await.unwrap(), 2);

    assert_eq!(stop().await.unwrap(), 0, "they are given up once");
    assert_eq!(
        stores.inbox.waiting(key("a")).await.unwrap(),
        3,
        "bert's, the stop, and what came after it"
    );
    assert_eq!(stores.inbox.waiting(key("b")).await.unwrap(), 1);
    let again = stores
        .inbox
        .receive(key("a"), message("1", "anna", "x"), false, NOW);
    assert_eq!(again.await.unwrap(), Received::Duplicate, "it is remembered");
}
