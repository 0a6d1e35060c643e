//! What the bridge must not forget, as traits by noun, because a second store is to come. What every store must hold is
//! written down as tests in `contract`; what SQLite does for it is known in its folder alone.

#[cfg(test)]
pub(crate) mod contract;
mod sqlite;

use std::{path::Path, sync::Arc, time::Duration};

use gatehouse_core::{Kind, attach::Attach};

pub use self::sqlite::SCHEMA;
pub(crate) use self::sqlite::Sqlite;
use crate::{
    account::{
        lease::LeasePolicy,
        store::{AccountStore, LeaseOwner},
    },
    adapter::AccountKey,
    inbox::store::InboxStore,
    outbox::store::OutboxStore,
    pace::store::PaceStore,
    pairing::store::PairingStore,
    preview::store::PreviewStore,
};

/// How long an id that came in is remembered, and a delivery that is settled (demand 2: durable for 7 days).
pub(crate) const KEEP: Duration = Duration::from_secs(7 * 24 * 3600);

/// The store failed, or refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// It did not do it.
    #[error("the bridge's store failed")]
    Failed(#[from] gatehouse_core::store::Error),
    /// A row cannot be read back.
    #[error("a stored row cannot be read")]
    Row(#[source] serde_json::Error),
    /// A bound is reached.
    #[error("{0}")]
    Full(&'static str),
    /// The account belongs to another process by now.
    #[error("account {0} belongs to another bridge now")]
    NotHeld(AccountKey),
    /// The delivery was dropped meanwhile.
    #[error("the delivery was dropped")]
    Over,
    /// The key of a delivery was used for another message.
    #[error("this idempotency key was used for another message: use a new one for each message")]
    Conflict {
        /// The delivery that has the key.
        id: String,
    },
}

impl StoreError {
    /// What it means to a caller.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Failed(error) => error.kind(),
            Self::Row(_) => Kind::Internal,
            Self::Full(_) => Kind::Exhausted,
            Self::Conflict { .. } | Self::NotHeld(_) | Self::Over => Kind::Conflict,
        }
    }
}

/// Everything the bridge keeps, by noun, and as whom it keeps it.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) owner: LeaseOwner,
    pub(crate) leases: LeasePolicy,
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) inbox: Arc<dyn InboxStore>,
    pub(crate) outbox: Arc<dyn OutboxStore>,
    pub(crate) pairing: Arc<dyn PairingStore>,
    pub(crate) pace: Arc<dyn PaceStore>,
    pub(crate) previews: Arc<dyn PreviewStore>,
}

impl Stores {
    /// All of it in one store, for an owner of its own.
    pub(crate) fn of<S>(store: S, leases: LeasePolicy) -> Self
    where
        S: AccountStore + InboxStore + OutboxStore + PairingStore + PaceStore + PreviewStore,
    {
        let store = Arc::new(store);
        Self {
            owner: LeaseOwner::new(),
            leases,
            accounts: store.clone(),
            inbox: store.clone(),
            outbox: store.clone(),
            pace: store.clone(),
            previews: store.clone(),
            pairing: store,
        }
    }
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stores")
    }
}

/// A store that is open.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) stores: Stores,
    /// What it does for the process beside keeping things.
    pub(crate) attach: Box<dyn Attach>,
}

/// Opens or makes the store of this deployment.
///
/// # Errors
/// When another process has it, or it cannot be used.
pub(crate) async fn open(path: &Path) -> Result<Opened, StoreError> {
    let store = Sqlite::open(path).await?;
    Ok(Opened {
        attach: Box::new(store.database().clone()),
        stores: Stores::of(store, LeasePolicy::WithProcess),
    })
}
