//! What waits in the outbox, as it is looked at, dropped and asked for: by whoever stops it, and by whoever wants more of it.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, named_params, params};

use super::enqueue::enqueue;
use crate::{
    adapter::AccountKey,
    id::{Address, DeliveryKey, MessageId},
    outbox::{
        plan::Rest,
        store::{Chosen, More, NewDelivery, Page, RESTS_MAX, Waiting},
    },
    store::StoreError,
};
use gatehouse_core::{Content, Timestamp, trace};

/// How much of a text is read for its preview, in characters.
const PREVIEW_CHARS: u32 = 200;

pub(super) fn waiting(
    connection: &Connection,
    chosen: &Chosen,
    after: i64,
    limit: u32,
) -> Result<Page, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, id, delivery_key, run_id, session_key, channel, account, chat, thread_id, reply_to_id, state, part_count,
             (SELECT count(*) FROM outbox_part WHERE delivery = outbox.seq AND outbox_part.state = 'sent') AS sent_count,
             attempts, queued_at, next_at, substr(text, 1, :preview) AS preview
         FROM outbox INDEXED BY outbox_waiting WHERE state IN ('queued', 'sending')
             AND (:channel IS NULL OR channel = :channel) AND (:account IS NULL OR account = :account)
             AND (:chat IS NULL OR chat = :chat COLLATE NOCASE) AND (:thread IS NULL OR thread_id = :thread)
             AND (:run IS NULL OR run_id = :run) AND (:session IS NULL OR session_key = :session)
             AND (:until IS NULL OR created_at <= :until)
         ORDER BY seq
         -- scans: the index holds what waits, and nothing of the past
         -- sorts: what waits, for somebody who looks at it or stops it",
    )?;
    let mut rows = statement.query(named_params! {
        ":preview": PREVIEW_CHARS, ":channel": chosen.channel, ":account": chosen.account,
        ":chat": chosen.to.as_ref().map(Address::as_str), ":thread": chosen.thread_id,
        ":run": chosen.run_id, ":session": chosen.session_key, ":until": chosen.created_until,
    })?;
    let (mut page, limit) = (Page::default(), usize::try_from(limit).unwrap_or(usize::MAX));
    while let Some(row) = rows.next()? {
        let id: String = row.get("id")?;
        if !chosen.ids.is_empty() && !chosen.ids.contains(&id) {
            continue;
        }
        let delivery = read(row)?;
        page.total += 1;
        page.parts += (delivery.parts - delivery.sent).max(0);
        *page.of_accounts.entry(delivery.account.clone()).or_default() += 1;
        if delivery.seq > after && page.deliveries.len() < limit {
            page.deliveries.push(delivery);
        }
    }
    Ok(page)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Waiting> {
    let state: String = row.get("state")?;
    Ok(Waiting {
        seq: row.get("seq")?,
        id: row.get("id")?,
        key: DeliveryKey::stored(row.get("delivery_key")?),
        run_id: row.get("run_id")?,
        session_key: row.get("session_key")?,
        account: AccountKey {
            channel: row.get("channel")?,
            account: row.get("account")?,
        },
        to: Address::stored(row.get("chat")?),
        thread_id: row.get("thread_id")?,
        reply_to_id: row
            .get::<_, Option<String>>("reply_to_id")?
            .map(MessageId::stored),
        sending: state == "sending",
        parts: row.get("part_count")?,
        sent: row.get("sent_count")?,
        attempts: row.get("attempts")?,
        queued_at: row.get("queued_at")?,
        next_at: row.get("next_at")?,
        preview: row.get("preview")?,
    })
}

pub(super) fn drop_waiting(
    tx: &Transaction<'_>,
    chosen: &Chosen,
    limit: u32,
    now: Timestamp,
) -> Result<Page, StoreError> {
    let mut page = waiting(tx, chosen, 0, u32::MAX)?;
    for delivery in &page.deliveries {
        // What it said is nobody's business any more: whoever wants it finds it in the transcript.
        tx.prepare_cached(
            "UPDATE outbox SET state = 'dead', dropped = 1, reason = 'dropped', settled_at = ?2, text = '', content = NULL
             WHERE seq = ?1",
        )?
        .execute([delivery.seq, now.as_ms()])?;
        tx.prepare_cached("UPDATE outbox_part SET text = '' WHERE delivery = ?1")?
            .execute([delivery.seq])?;
    }
    page.deliveries
        .truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    if chosen.ids.is_empty() {
        tx.prepare_cached(
            "DELETE FROM outbox_rest WHERE (:channel IS NULL OR channel = :channel)
                 AND (:account IS NULL OR account = :account) AND (:chat IS NULL OR chat = :chat COLLATE NOCASE)
                 AND (:thread IS NULL OR thread_id = :thread) AND (:run IS NULL OR run_id = :run)
                 AND (:session IS NULL OR session_key = :session) AND (:until IS NULL OR created_at <= :until)
             -- scans: the rests of an hour, for somebody who stops something",
        )?
        .execute(named_params! {
            ":channel": chosen.channel, ":account": chosen.account, ":chat": chosen.to.as_ref().map(Address::as_str),
            ":thread": chosen.thread_id, ":run": chosen.run_id, ":session": chosen.session_key,
            ":until": chosen.created_until,
        })?;
    }
    Ok(page)
}

/// Keeps the rest of the answer that is being cut, in the place of another one of the same chat.
pub(super) fn keep_rest(
    tx: &Transaction<'_>,
    seq: i64,
    rest: &Rest,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO outbox_rest (channel, account, chat, thread_id, run_id, session_key, text, part_count, created_at)
         SELECT channel, account, lower(chat), coalesce(thread_id, ''), run_id, session_key, ?2, ?3, ?4 FROM outbox WHERE seq = ?1",
    )?
    .execute(params![
        seq,
        rest.text,
        i64::try_from(rest.parts).unwrap_or(i64::MAX),
        now
    ])?;
    tx.prepare_cached(
        "DELETE FROM outbox_rest WHERE (channel, account, chat, thread_id) IN
             (SELECT old.channel, old.account, old.chat, old.thread_id FROM outbox_rest AS old
              JOIN outbox ON outbox.channel = old.channel AND outbox.account = old.account
              WHERE outbox.seq = ?1 ORDER BY old.created_at DESC LIMIT -1 OFFSET ?2)
         -- scans: the rests that one account keeps have a bound
         -- sorts: the same",
    )?
    .execute(params![seq, RESTS_MAX])?;
    Ok(())
}

pub(super) fn more(tx: &Transaction<'_>, id: String, more: More, now: Timestamp) -> Result<bool, StoreError> {
    let More {
        key,
        account,
        to,
        thread_id,
        reply_to_id,
        since,
    } = more;
    let said = tx
        .prepare_cached("SELECT 1 FROM outbox WHERE delivery_key = ?1")?
        .exists([key.as_str()])?;
    if said {
        return Ok(true);
    }
    let place = params![
        account.channel,
        account.account,
        to.as_str().to_ascii_lowercase(),
        thread_id.as_deref().unwrap_or_default()
    ];
    let kept = tx
        .prepare_cached(
            "SELECT run_id, session_key, text, part_count, created_at FROM outbox_rest
             WHERE channel = ?1 AND account = ?2 AND chat = ?3 AND thread_id = ?4",
        )?
        .query_row(place, |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, Option<String>>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, u32>(3)?,
                row.get::<_, i64>(4)?,
            ))
        })
        .optional()?;
    let Some((run_id, session_key, text, parts, _)) = kept.filter(|(.., at)| *at >= since.as_ms()) else {
        return Ok(false);
    };
    tx.prepare_cached(
        "DELETE FROM outbox_rest WHERE channel = ?1 AND account = ?2 AND chat = ?3 AND thread_id = ?4",
    )?
    .execute(place)?;
    let delivery = NewDelivery {
        key,
        run_id,
        account,
        to,
        thread_id,
        reply_to_id,
        message: Content::text(text),
        created_at: now,
        session_key,
        parts,
    };
    enqueue(tx, id, &delivery, trace::current().unwrap_or_default(), now)?;
    Ok(true)
}
