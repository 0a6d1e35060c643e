//! What every store must hold of senders.

use crate::{
    pairing::store::{Asked, PAIRING_TTL, PENDING_PER_ACCOUNT, PairingRow},
    store::Stores,
    testing::{NOW, key},
};

fn sender(sender: &str, account: &str, code: &str) -> PairingRow {
    PairingRow {
        id: format!("request-{sender}-{account}"),
        account: key(account),
        sender_id: sender.into(),
        sender_name: None,
        reply_to: sender.into(),
        code: code.into(),
        created_at: NOW,
        last_seen_at: NOW,
        expires_at: NOW + PAIRING_TTL,
    }
}

pub(crate) async fn three_senders_may_wait_at_one_account_and_no_more(stores: Stores) {
    let all = (0..20).map(|n| {
        stores
            .pairing
            .ask(sender(&format!("s{n}"), "a", &format!("CODE{n}")), NOW)
    });
    let asked = futures::future::join_all(all).await;

    assert_eq!(
        asked
            .iter()
            .filter(|asked| matches!(asked, Ok(Asked::Created)))
            .count(),
        PENDING_PER_ACCOUNT
    );
    assert_eq!(
        stores.pairing.ask(sender("s0", "b", "OTHER"), NOW).await.unwrap(),
        Asked::Created,
        "another account has its own"
    );
    let waiting = stores.pairing.requests().await.unwrap();
    let again = sender(waiting[0].sender_id.as_str(), &waiting[0].account.account, "NEW");
    assert_eq!(
        stores.pairing.ask(again, NOW.plus_ms(5)).await.unwrap(),
        Asked::Waiting
    );
    let seen = stores.pairing.requests().await.unwrap();
    assert_eq!(
        (seen[0].last_seen_at, &seen[0].code),
        (NOW.plus_ms(5), &waiting[0].code)
    );
}

pub(crate) async fn a_request_that_is_dismissed_leaves_its_place_free(stores: Stores) {
    let row = sender("s", "a", "ABCD2345");
    stores.pairing.ask(row.clone(), NOW).await.unwrap();

    assert!(stores.pairing.dismiss(key("a"), row.id.clone()).await.unwrap());
    assert!(!stores.pairing.dismiss(key("a"), row.id.clone()).await.unwrap());

    assert!(stores.pairing.requests().await.unwrap().is_empty());
    assert_eq!(stores.pairing.ask(row, NOW).await.unwrap(), Asked::Created);
}

pub(crate) async fn an_approval_counts_for_its_account_only(stores: Stores) {
    stores
        .pairing
        .ask(sender("s", "a", "ABCD2345"), NOW)
        .await
        .unwrap();
    assert_eq!(
        stores
            .pairing
            .approve(key("b"), "ABCD2345".into(), NOW)
            .await
            .unwrap(),
        None
    );

    let (sender, request) = stores
        .pairing
        .approve(key("a"), "abcd2345 ".into(), NOW)
        .await
        .unwrap()
        .unwrap();

    assert_eq!(sender, "s");
    assert!(request.is_some());
    assert!(
        stores
            .pairing
            .approved(key("a"), vec!["x".into(), "s".into()])
            .await
            .unwrap()
    );
    assert!(!stores.pairing.approved(key("b"), vec!["s".into()]).await.unwrap());
    assert!(stores.pairing.requests().await.unwrap().is_empty());
}

pub(crate) async fn a_repeated_approval_is_answered_the_same(stores: Stores) {
    let row = sender("s", "a", "ABCD2345");
    stores.pairing.ask(row.clone(), NOW).await.unwrap();
    stores
        .pairing
        .approve(key("a"), row.id.clone(), NOW)
        .await
        .unwrap();

    assert_eq!(
        stores.pairing.approve(key("a"), row.id, NOW).await.unwrap(),
        Some(("s".into(), None))
    );
}
