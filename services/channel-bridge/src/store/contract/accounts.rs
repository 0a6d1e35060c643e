//! What every store must hold of accounts.

use crate::{
    account::state::{AccountState, ENTRIES_MAX, VALUE_BYTES_MAX},
    store::{StoreError, Stores},
    testing::key,
};

fn state(stores: &Stores, account: &str) -> AccountState {
    AccountState::new(key(account), stores.accounts.clone())
}

pub(crate) async fn an_account_remembers_what_it_kept_and_no_other_account_does(stores: Stores) {
    let (own, other) = (state(&stores, "a"), state(&stores, "b"));

    own.put("offset", b"1".to_vec()).await.unwrap();
    own.put("offset", b"2".to_vec()).await.unwrap();

    assert_eq!(own.get("offset").await.unwrap().as_deref(), Some(b"2".as_slice()));
    assert_eq!(own.get("token").await.unwrap(), None);
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
