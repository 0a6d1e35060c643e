//! A store of another make, as far as the bridge can tell: it passes everything on and remembers what was asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use gatehouse_core::Timestamp;

use crate::{
    account::{
        lease::{Lease, LeasePolicy},
        store::{AccountStore, LeaseOwner, Remember},
    },
    adapter::{AccountKey, InboundMessage, Received, Report},
    id::{ChatId, SenderId},
    inbox::store::{Adopted, InboxRow, InboxStore, Settlement},
    outbox::{
        plan::Rest,
        store::{Chosen, Counts, Delivery, More, NewDelivery, OutboxStore, Outcome, Page, Part, Retry, Sent},
    },
    pace::{
        Met, Pace,
        store::{Heard, PaceStore, Paused},
    },
    pairing::store::{Asked, PairingRow, PairingStore},
    preview::store::{Posted, PreviewStore},
    store::{self, StoreError, Stores, contract},
    testing,
};

type Names = Arc<Mutex<BTreeSet<&'static str>>>;

struct Recorded {
    inner: Stores,
    asked: Names,
}

macro_rules! pass_on {
    ($($noun:ident as $trait:ident { $(fn $name:ident($($arg:ident: $type:ty),*) -> $out:ty;)* })*) => { $(
        #[async_trait]
        impl $trait for Recorded {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$out, StoreError> {
                self.asked.lock().unwrap().insert(concat!(stringify!($noun), ".", stringify!($name)));
                self.inner.$noun.$name($($arg),*).await
            })*
        }
    )*
        /// All that can be asked.
        const METHODS: &[&str] = &[$($(concat!(stringify!($noun), ".", stringify!($name)),)*)*];
    };
}

pass_on! {
    accounts as AccountStore {
        fn claim(owner: LeaseOwner, accounts: Vec<AccountKey>, now: Timestamp, until: Timestamp) -> Vec<AccountKey>;
        fn release(owner: LeaseOwner) -> ();
        fn waiting() -> Vec<AccountKey>;
    }
    accounts as Remember {
        fn state(account: AccountKey, name: String) -> Option<Vec<u8>>;
        fn keep_state(account: AccountKey, name: String, value: Vec<u8>) -> ();
        fn forget_state(account: AccountKey, name: String) -> ();
        fn states(account: AccountKey) -> BTreeMap<String, Vec<u8>>;
    }
    inbox as InboxStore {
        fn receive(account: AccountKey, message: InboundMessage, urgent: bool, now: Timestamp) -> Received;
        fn heads(owner: LeaseOwner, limit: u32) -> Vec<InboxRow>;
        fn settle(seq: i64, settlement: Settlement) -> ();
        fn adopted(after: i64, since: Timestamp, limit: u32) -> Vec<Adopted>;
        fn offer_again(seqs: Vec<i64>, now: Timestamp) -> usize;
        fn refuse_before(account: AccountKey, chat: ChatId, seq: i64, reason: &'static str) -> i64;
        fn waiting(account: AccountKey) -> i64;
        fn rewrite(seq: i64, message: InboundMessage) -> ();
        fn postpone(seq: i64, next_at: Timestamp) -> ();
        fn prune(before: Timestamp, texts_before: Timestamp) -> ();
    }
    outbox as OutboxStore {
        fn enqueue(id: String, delivery: NewDelivery, now: Timestamp) -> (String, bool);
        fn heads(lease: Lease, limit: u32) -> Vec<Delivery>;
        fn parts(lease: Lease, seq: i64, parts: Vec<String>, rest: Option<Rest>, now: Timestamp) -> Vec<Part>;
        fn waits(seq: i64) -> bool;
        fn part_leaves(lease: Lease, seq: i64, position: u32, labelled: Option<String>) -> ();
        fn part_sent(lease: Lease, seq: i64, position: u32, sent: Sent) -> ();
        fn postpone(lease: Lease, seq: i64, retry: Retry) -> ();
        fn settle(lease: Lease, seq: i64, outcome: Outcome, now: Timestamp) -> ();
        fn recover(lease: Lease) -> usize;
        fn expire(before: Timestamp, now: Timestamp) -> Vec<String>;
        fn waiting(chosen: Chosen, after: i64, limit: u32) -> Page;
        fn drop_waiting(chosen: Chosen, limit: u32, now: Timestamp) -> Page;
        fn more(id: String, more: More, now: Timestamp) -> bool;
        fn report(account: AccountKey, receipt: String, report: Report, now: Timestamp) -> ();
        fn counts(account: AccountKey) -> Counts;
        fn prune(before: Timestamp, rests_before: Timestamp) -> ();
    }
    pairing as PairingStore {
        fn ask(request: PairingRow, now: Timestamp) -> Asked;
        fn requests() -> Vec<PairingRow>;
        fn approve(account: AccountKey, named: String, now: Timestamp) -> Option<(SenderId, Option<PairingRow>)>;
        fn dismiss(account: AccountKey, id: String) -> bool;
        fn approved(account: AccountKey, ids: Vec<SenderId>) -> bool;
    }
    previews as PreviewStore {
        fn keep_preview(account: AccountKey, posted: Posted) -> ();
        fn previews(account: AccountKey) -> Vec<Posted>;
        fn forget_preview(account: AccountKey, run: String) -> ();
        fn prune_previews(before: Timestamp) -> ();
    }
    pace as PaceStore {
        fn hear(heard: Heard) -> Met;
        fn paused(account: AccountKey, pace: Pace, now: Timestamp, limit: u32) -> Vec<Paused>;
        fn prune_partners(before: Timestamp) -> ();
    }
}

#[tokio::test]
async fn a_second_store_keeps_the_contract_behind_the_same_traits_and_the_contract_asks_for_all_of_them() {
    let asked = Names::default();
    contract::all(async || {
        let folder = tempfile::tempdir().unwrap();
        let inner = store::open(&folder.path().join("bridge.db"))
            .await
            .unwrap()
            .stores;
        let store = Recorded {
            inner,
            asked: Arc::clone(&asked),
        };
        let stores = Stores::of(store, LeasePolicy::WithProcess);
        testing::claim(&stores, &["a", "b"]).await;
        (folder, stores)
    })
    .await;

    let asked = asked.lock().unwrap();
    let never: Vec<_> = METHODS.iter().filter(|method| !asked.contains(*method)).collect();
    assert!(never.is_empty(), "no part of the contract asks for {never:?}");
}
