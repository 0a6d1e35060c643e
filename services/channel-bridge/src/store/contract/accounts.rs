//! What every store must hold of accounts.

use futures::future::join_all;

use crate::{
    account::{
        state::AccountState,
        store::{ENTRIES_MAX, LeaseOwner, VALUE_BYTES_MAX},
    },
    adapter::AccountKey,
    store::{StoreError, Stores},
    testing::{NOW, key, message},
};
use gatehouse_core::Timestamp;

/// Another process on the same store.
pub(super) fn another(stores: &Stores) -> Stores {
    Stores {
        owner: LeaseOwner::new(),
        ..stores.clone()
    }
}

async fn claim(stores: &Stores, accounts: &[&str], now: Timestamp, until: Timestamp) -> Vec<AccountKey> {
    let accounts = accounts.iter().map(|account| key(account)).collect();
    let claimed = stores.accounts.claim(stores.owner.clone(), accounts, now, until);
    claimed.await.unwrap()
}

pub(crate) async fn an_account_belongs_to_one_of_those_who_claim_it_at_once(stores: Stores) {
    let all: Vec<Stores> = (0..20).map(|_| another(&stores)).collect();

    let claimed = join_all(
        all.iter()
            .map(|one| claim(one, &["x", "y"], NOW, NOW.plus_ms(30_000))),
    )
    .await;

    for account in ["x", "y"] {
        let owners = claimed.iter().filter(|accounts| accounts.contains(&key(account)));
        assert_eq!(owners.count(), 1, "{account}");
    }
}

pub(crate) async fn a_lease_is_kept_by_who_renews_it_and_taken_when_it_is_over(stores: Stores) {
    let (one, other) = (another(&stores), another(&stores));
    assert_eq!(claim(&one, &["x"], NOW, NOW.plus_ms(30_000)).await, [key("x")]);

    assert!(
        claim(&other, &["x"], NOW.plus_ms(29_999), NOW.plus_ms(59_999))
            .await
            .is_empty()
    );
    assert_eq!(
        claim(&one, &["x"], NOW.plus_ms(20_000), NOW.plus_ms(50_000)).await,
        [key("x")]
    );
    assert!(
        claim(&other, &["x"], NOW.plus_ms(40_000), NOW.plus_ms(70_000))
            .await
            .is_empty()
    );

    assert_eq!(
        claim(&other, &["x"], NOW.plus_ms(50_000), NOW.plus_ms(80_000)).await,
        [key("x")]
    );
    assert!(
        claim(&one, &["x"], NOW.plus_ms(50_001), NOW.plus_ms(80_001))
            .await
            .is_empty()
    );
}

pub(crate) async fn a_lease_that_no_clock_of_now_could_have_given_is_over(stores: Stores) {
    let (one, other) = (another(&stores), another(&stores));
    let year = 365 * 24 * 3_600_000;
    claim(&one, &["x"], NOW.plus_ms(year), NOW.plus_ms(year + 30_000)).await;

    assert_eq!(claim(&other, &["x"], NOW, NOW.plus_ms(30_000)).await, [key("x")]);

    // A clock that is a little ahead of ours is none that was set.
    assert!(
        claim(&one, &["x"], NOW.plus_ms(-5_000), NOW.plus_ms(25_000))
            .await
            .is_empty()
    );
}

pub(crate) async fn what_is_given_back_is_free_at_once(stores: Stores) {
    let (one, other) = (another(&stores), another(&stores));
    claim(&one, &["x", "y"], NOW, NOW.plus_ms(30_000)).await;

    one.accounts.release(one.owner.clone()).await.unwrap();

    assert_eq!(
        claim(&other, &["x", "y"], NOW, NOW.plus_ms(30_000)).await.len(),
        2
    );
}

pub(crate) async fn accounts_with_messages_that_wait_are_known(stores: Stores) {
    for (account, id) in [("gone", "1"), ("gone", "2"), ("a", "1")] {
        stores
            .inbox
            .receive(key(account), message(id, "anna", "x"), false, NOW)
            .await
            .unwrap();
    }

    let mut waiting = stores.accounts.waiting().await.unwrap();
    waiting.sort();
    assert_eq!(waiting, [key("a"), key("gone")]);
}

fn state(stores: &Stores, account: &str) -> AccountState {
    AccountState::new(key(account), stores.accounts.clone())
}

pub(crate) async fn an_account_remembers_what_it_kept_and_no_other_account_does(stores: Stores) {
    let (own, other) = (state(&stores, "a"), state(&stores, "b"));

    own.put("offset", b"1".to_vec()).await.unwrap();
    own.put("offset", b"2".to_vec()).await.unwrap();

    assert_eq!(own.get("offset").await.unwrap().as_deref(), Some(b"2".as_slice()));
    assert_eq!(own.get("token").await.unwrap(), None);
    let all = stores.accounts.states(key("a")).await.unwrap();
    assert_eq!(
        all.into_iter().collect::<Vec<_>>(),
        [("offset".to_owned(), b"2".to_vec())]
    );
    assert_eq!(other.get("offset").await.unwrap(), None);
    own.forget("offset").await.unwrap();
    assert_eq!(own.get("offset").await.unwrap(), None);
}

pub(crate) async fn what_an_account_remembers_is_bounded(stores: Stores) {
    let own = state(&stores, "a");
    let full = |result| matches!(result, Err(StoreError::Full(_)));
    let name = |n: usize| -> &'static str { Box::leak(n.to_string().into_boxed_str()) };

    assert!(full(own.put("large", vec![0; VALUE_BYTES_MAX + 1]).await));
    for n in 0..ENTRIES_MAX {
        own.put(name(n), vec![0; VALUE_BYTES_MAX]).await.unwrap();
    }

    assert!(full(own.put("one more", Vec::new()).await));
    own.put(name(0), b"changed".to_vec()).await.unwrap();
    state(&stores, "b").put("one more", Vec::new()).await.unwrap();
}
