//! A delivery on its way into the outbox: once, however often it is handed over.

use gatehouse_core::{Timestamp, trace};
use rusqlite::{OptionalExtension, Transaction, params};
use sha2::{Digest, Sha256};

use crate::{
    id::MessageId,
    outbox::store::{NewDelivery, OUTBOX_WAITING_MAX},
    store::StoreError,
};

/// Puts a delivery behind those that wait, unless it is there: its id, and whether it was known.
pub(super) fn enqueue(
    tx: &Transaction<'_>,
    id: String,
    new: &NewDelivery,
    trace: trace::Context,
    now: Timestamp,
) -> Result<(String, bool), StoreError> {
    let fingerprint = fingerprint(new);
    let known: Option<(String, Option<Vec<u8>>)> = tx
        .prepare_cached("SELECT id, fingerprint FROM outbox WHERE delivery_key = ?1")?
        .query_row([new.key.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((id, stored)) = known {
        return match stored {
            Some(stored) if stored != fingerprint => Err(StoreError::Conflict { id }),
            Some(_) | None => Ok((id, true)),
        };
    }
    let full = tx
        .prepare_cached(
            "SELECT 1 FROM outbox INDEXED BY outbox_waiting
             WHERE state IN ('queued', 'sending') AND channel = ?1 AND account = ?2 LIMIT 1 OFFSET ?3",
        )?
        .query_row(
            params![new.account.channel, new.account.account, OUTBOX_WAITING_MAX - 1],
            |_| Ok(()),
        )
        .optional()?;
    if full.is_some() {
        return Err(StoreError::Full("too many deliveries wait"));
    }
    let (text, content) = new.message.clone().into_columns();
    tx.prepare_cached(
        "INSERT INTO outbox (id, delivery_key, run_id, channel, account, chat, thread_id, reply_to_id, text, content, next_at,
         created_at, queued_at, fingerprint, traceparent, session_key, part_count)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?13, ?10, ?11, ?10, ?12, ?14, ?15, ?16)",
    )?
    .execute(params![
        id,
        new.key.as_str(),
        new.run_id,
        new.account.channel,
        new.account.account,
        new.to.as_str(),
        new.thread_id,
        new.reply_to_id.as_ref().map(MessageId::as_str),
        text,
        now,
        new.created_at,
        fingerprint,
        content,
        trace.to_string(),
        new.session_key,
        new.parts
    ])?;
    Ok((id, false))
}

/// What makes two deliveries the same message: where it goes and what it says. Each part is preceded by its length, so that
/// no two lists of parts look alike.
fn fingerprint(new: &NewDelivery) -> Vec<u8> {
    let (text, content) = new.message.clone().into_columns();
    let said = content.unwrap_or(text);
    let parts = [
        Some(new.account.channel.as_str()),
        Some(new.account.account.as_str()),
        Some(new.to.as_str()),
        new.thread_id.as_deref(),
        new.reply_to_id.as_ref().map(MessageId::as_str),
        Some(said.as_str()),
    ];
    let mut digest = Sha256::new();
    for part in parts {
        let length = part.map_or(u64::MAX, |part| part.len() as u64); // an absent part is not an empty one
        digest.update(length.to_le_bytes());
        digest.update(part.unwrap_or_default().as_bytes());
    }
    digest.finalize().to_vec()
}
