//! The store in one SQLite file.

mod inbox;
mod outbox;
mod pairing;

use std::path::Path;

use async_trait::async_trait;
use gatehouse_core::sqlite::Database;

use super::{
    Adopted, Asked, Counts, Delivery, InboxRow, NewDelivery, Outcome, PairingRow, Part, Retry, Sent,
    Settlement, Store, StoreError,
};
use crate::adapter::{AccountKey, InboundMessage, Received};

const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE inbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    message_id TEXT NOT NULL,
    chat_id TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'refused', 'adopted')),
    message TEXT NOT NULL,          -- JSON; empty once settled
    reason TEXT,                    -- of a refusal
    run_id TEXT,                    -- of an adoption
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    UNIQUE (channel, account, message_id)
);
CREATE INDEX inbox_waiting ON inbox (channel, account, chat_id, seq) WHERE state = 'new';
CREATE INDEX inbox_settled ON inbox (received_at) WHERE state <> 'new';

CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    delivery_key TEXT NOT NULL UNIQUE,
    run_id TEXT NOT NULL,
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    chat TEXT NOT NULL,
    thread_id TEXT,
    reply_to_id TEXT,
    text TEXT NOT NULL,             -- empty once settled
    state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sending', 'sent', 'unknown', 'dead')),
    late INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    unknowns INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL,
    reason TEXT,
    created_at INTEGER NOT NULL,
    queued_at INTEGER NOT NULL,
    settled_at INTEGER
);
CREATE INDEX outbox_waiting ON outbox (channel, account, chat, seq) WHERE state IN ('queued', 'sending');
CREATE INDEX outbox_dead ON outbox (channel, account) WHERE state IN ('dead', 'unknown');
CREATE INDEX outbox_settled ON outbox (settled_at) WHERE settled_at IS NOT NULL;
CREATE TABLE outbox_part (
    delivery INTEGER NOT NULL REFERENCES outbox (seq) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    text TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sending', 'sent')),
    possible_duplicate INTEGER NOT NULL DEFAULT 0,
    receipt TEXT,
    sent_at INTEGER,
    PRIMARY KEY (delivery, position)
) WITHOUT ROWID;

CREATE TABLE pairing_request (
    id TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    sender_id TEXT NOT NULL,
    sender_name TEXT,
    reply_to TEXT NOT NULL,
    code TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    UNIQUE (channel, account, sender_id)
) WITHOUT ROWID;
CREATE TABLE approved_sender (
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    sender_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    approved_at INTEGER NOT NULL,
    PRIMARY KEY (channel, account, sender_id)
) WITHOUT ROWID;
CREATE INDEX approved_by_request ON approved_sender (request_id);
",
    "
ALTER TABLE outbox_part ADD COLUMN unconfirmed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX outbox_part_doubtful ON outbox_part (delivery) WHERE possible_duplicate <> 0 OR unconfirmed <> 0;
",
    "
-- What makes two deliveries of one key the same; its text is forgotten once it is sent. Absent on rows of earlier versions.
ALTER TABLE outbox ADD COLUMN fingerprint BLOB;
",
    "
-- What can be offered again to a session service that has lost it.
CREATE INDEX inbox_adopted ON inbox (seq) WHERE state = 'adopted' AND message <> '';
CREATE INDEX inbox_adopted_by_age ON inbox (received_at) WHERE state = 'adopted' AND message <> '';
",
];

/// The schema that this version writes.
pub const SCHEMA: usize = MIGRATIONS.len();

/// The store. Clones share it.
#[derive(Clone, Debug)]
pub struct Sqlite(Database);

impl Sqlite {
    /// Opens or makes the file.
    ///
    /// # Errors
    /// When another process has it, or it cannot be used.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self(Database::open(path, MIGRATIONS)?))
    }

    /// The database itself, for its health and its copies.
    pub fn database(&self) -> &Database {
        &self.0
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn receive(
        &self,
        account: AccountKey,
        message: InboundMessage,
        now: i64,
    ) -> Result<Received, StoreError> {
        self.0
            .write(move |tx| inbox::receive(tx, &account, &message, now))
            .await
    }

    async fn inbox_heads(&self, limit: u32) -> Result<Vec<InboxRow>, StoreError> {
        self.0
            .read(move |connection| inbox::heads(connection, limit))
            .await
    }

    async fn settle_inbound(&self, seq: i64, settlement: Settlement) -> Result<(), StoreError> {
        self.0.write(move |tx| inbox::settle(tx, seq, &settlement)).await
    }

    async fn adopted(&self, after: i64, since: i64, limit: u32) -> Result<Vec<Adopted>, StoreError> {
        self.0
            .read(move |connection| inbox::adopted(connection, after, since, limit))
            .await
    }

    async fn offer_again(&self, seqs: Vec<i64>, now: i64) -> Result<usize, StoreError> {
        self.0.write(move |tx| inbox::offer_again(tx, &seqs, now)).await
    }

    async fn postpone_inbound(&self, seq: i64, next_at: i64) -> Result<(), StoreError> {
        self.0.write(move |tx| inbox::postpone(tx, seq, next_at)).await
    }

    async fn enqueue(
        &self,
        id: String,
        delivery: NewDelivery,
        now: i64,
    ) -> Result<(String, bool), StoreError> {
        self.0
            .write(move |tx| outbox::enqueue(tx, id, &delivery, now))
            .await
    }

    async fn outbox_heads(&self, account: AccountKey, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        self.0
            .read(move |connection| outbox::heads(connection, &account, limit))
            .await
    }

    async fn parts(&self, seq: i64, parts: Vec<String>) -> Result<Vec<Part>, StoreError> {
        self.0.write(move |tx| outbox::parts(tx, seq, &parts)).await
    }

    async fn part_leaves(&self, seq: i64, position: u32, labelled: Option<String>) -> Result<(), StoreError> {
        self.0
            .write(move |tx| outbox::part_leaves(tx, seq, position, labelled.as_deref()))
            .await
    }

    async fn part_sent(&self, seq: i64, position: u32, sent: Sent) -> Result<(), StoreError> {
        self.0
            .write(move |tx| outbox::part_sent(tx, seq, position, &sent))
            .await
    }

    async fn postpone_delivery(&self, seq: i64, retry: Retry) -> Result<(), StoreError> {
        self.0.write(move |tx| outbox::postpone(tx, seq, retry)).await
    }

    async fn settle_delivery(&self, seq: i64, outcome: Outcome, now: i64) -> Result<(), StoreError> {
        self.0
            .write(move |tx| outbox::settle(tx, seq, &outcome, now))
            .await
    }

    async fn recover(&self, account: AccountKey) -> Result<usize, StoreError> {
        self.0.write(move |tx| outbox::recover(tx, &account)).await
    }

    async fn expire_deliveries(&self, before: i64, now: i64) -> Result<Vec<String>, StoreError> {
        self.0.write(move |tx| outbox::expire(tx, before, now)).await
    }

    async fn counts(&self, account: AccountKey) -> Result<Counts, StoreError> {
        self.0
            .read(move |connection| outbox::counts(connection, &account))
            .await
    }

    async fn ask(&self, request: PairingRow, now: i64) -> Result<Asked, StoreError> {
        self.0.write(move |tx| pairing::ask(tx, &request, now)).await
    }

    async fn pairing_requests(&self) -> Result<Vec<PairingRow>, StoreError> {
        self.0.read(pairing::all).await
    }

    async fn approve(
        &self,
        account: AccountKey,
        named: String,
        now: i64,
    ) -> Result<Option<(String, Option<PairingRow>)>, StoreError> {
        self.0
            .write(move |tx| pairing::approve(tx, &account, &named, now))
            .await
    }

    async fn dismiss(&self, account: AccountKey, id: String) -> Result<bool, StoreError> {
        self.0.write(move |tx| pairing::dismiss(tx, &account, &id)).await
    }

    async fn approved(&self, account: AccountKey, ids: Vec<String>) -> Result<bool, StoreError> {
        self.0
            .read(move |connection| pairing::approved(connection, &account, &ids))
            .await
    }

    async fn prune(&self, before: i64, texts_before: i64) -> Result<(), StoreError> {
        self.0
            .write(move |tx| {
                inbox::forget_texts(tx, texts_before)?;
                tx.execute(
                    "DELETE FROM inbox WHERE state <> 'new' AND received_at < ?1",
                    [before],
                )?;
                tx.execute("DELETE FROM outbox WHERE settled_at < ?1", [before])?;
                Ok(())
            })
            .await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        Ok(self.0.probe().await?)
    }
}

#[cfg(test)]
mod tests;
