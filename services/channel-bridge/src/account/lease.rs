//! Which process an account belongs to. Several bridges may share a store; an account is connected by one of them, and only that
//! one hands on its messages and sends its deliveries. Every step of the outbox names its lease, and the store refuses it once
//! somebody else has the account, so that one who was asleep past the end of its lease cannot say anything a second time.

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use gatehouse_core::{Chain, Clock, Timestamp};
use tokio::time::{self, Instant};

use super::store::{AccountStore, LeaseOwner};
use crate::{
    adapter::AccountKey,
    store::{StoreError, Stores},
};

/// How long the store may take to answer a claim. Nothing else is decided meanwhile.
const CLAIM_WITHIN: Duration = Duration::from_secs(5);
/// When the store did not answer.
const CLAIM_RETRY: Duration = Duration::from_secs(1);

/// An account that belongs to an owner, or did when this was made: the store knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) account: AccountKey,
    pub(crate) owner: LeaseOwner,
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.account.fmt(f)
    }
}

/// How long leases last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeasePolicy {
    /// As long as the process: nobody else can have the store open.
    WithProcess,
    /// So long, and renewed in time. Whoever cannot renew ends its accounts before somebody else may take them.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the one store so far belongs to one process")
    )]
    Timed { length: Duration, renew_every: Duration },
}

impl LeasePolicy {
    /// How often it is looked for what another process put into the store.
    pub(crate) const fn look_every(self) -> Option<Duration> {
        match self {
            Self::WithProcess => None,
            Self::Timed { renew_every, .. } => Some(renew_every),
        }
    }

    /// Until when a claim made now is good, by the time of day.
    fn until(self, now: Timestamp) -> Timestamp {
        match self {
            Self::WithProcess => Timestamp::MAX,
            Self::Timed { length, .. } => now + length,
        }
    }
}

/// The accounts that this process wants, and those that it has.
pub(super) struct Leases {
    store: Arc<dyn AccountStore>,
    owner: LeaseOwner,
    policy: LeasePolicy,
    clock: Clock,
    wanted: BTreeSet<AccountKey>,
    held: BTreeSet<AccountKey>,
    /// When the store last said that they are ours.
    confirmed: Option<Instant>,
    next: Option<Instant>,
}

impl Leases {
    pub(super) fn new(stores: &Stores, clock: Clock) -> Self {
        Self {
            store: Arc::clone(&stores.accounts),
            owner: stores.owner.clone(),
            policy: stores.leases,
            clock,
            wanted: BTreeSet::new(),
            held: BTreeSet::new(),
            confirmed: None,
            next: None,
        }
    }

    pub(super) fn holds(&self, account: &AccountKey) -> bool {
        self.held.contains(account)
    }

    /// Wants these from now on. What is not configured any more is kept as well: somebody has to tell its senders.
    pub(super) fn want(&mut self, accounts: impl IntoIterator<Item = AccountKey>) {
        self.wanted.extend(accounts);
    }

    /// Waits until the next claim is due.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(super) async fn due(&self) {
        match self.next {
            Some(next) => time::sleep_until(next).await,
            None => std::future::pending().await,
        }
    }

    /// Claims what is wanted. Whether what is held has changed.
    pub(super) async fn claim(&mut self) -> bool {
        let asked = Instant::now();
        let now = self.clock.now();
        let (store, owner) = (Arc::clone(&self.store), self.owner.clone());
        let mut wanted: Vec<AccountKey> = self.wanted.iter().cloned().collect();
        let until = self.policy.until(now);
        let claim = async move {
            // Messages of accounts that nobody has configured wait for somebody as well.
            wanted.extend(store.waiting().await?);
            store.claim(owner, wanted, now, until).await
        };
        let claimed = match time::timeout(CLAIM_WITHIN, claim).await {
            Ok(Ok(claimed)) => Some(claimed),
            Ok(Err(error)) => {
                tracing::error!(error = %Chain(&error), "accounts cannot be claimed yet");
                None
            }
            Err(_) => {
                tracing::error!("the store does not answer; accounts cannot be claimed yet");
                None
            }
        };
        let before = self.held.clone();
        if let Some(claimed) = claimed {
            self.held = claimed.into_iter().collect();
            self.confirmed = Some(asked);
            self.next = self.policy.look_every().map(|every| asked + every);
        } else {
            if self.is_over() {
                self.held.clear();
            }
            self.next = Some(Instant::now() + CLAIM_RETRY);
        }
        self.held != before
    }

    /// Whether so much of the leases went by unconfirmed that what runs must end now, to be gone before they are over.
    fn is_over(&self) -> bool {
        let LeasePolicy::Timed { length, renew_every } = self.policy else {
            return false;
        };
        self.confirmed
            .is_none_or(|confirmed| confirmed.elapsed() + renew_every >= length)
    }

    /// Gives everything back, so that another process need not wait for the end of the leases.
    pub(super) async fn release(self) {
        if self.policy == LeasePolicy::WithProcess {
            return;
        }
        match time::timeout(CLAIM_WITHIN, self.store.release(self.owner)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error = %Chain(&error), "accounts cannot be given back"),
            Err(_) => tracing::warn!("accounts cannot be given back in time"),
        }
    }
}

impl Stores {
    /// The lease of this process on an account.
    pub(crate) fn lease(&self, account: &AccountKey) -> Lease {
        Lease {
            account: account.clone(),
            owner: self.owner.clone(),
        }
    }
}

/// What a step is refused with that names a lease which is over.
pub(crate) fn lost(lease: &Lease) -> StoreError {
    StoreError::NotHeld(lease.account.clone())
}
