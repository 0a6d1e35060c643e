//! What platforms said later of parts that they took. It stands with the part; what is said before the receipt is stored waits for it.

use gatehouse_core::Timestamp;
use rusqlite::{Connection, Transaction, params};

use crate::{
    adapter::{AccountKey, Report},
    outbox::store::EARLY_REPORTS_MAX,
    store::StoreError,
};

/// Keeps a word, with its part or until that is there.
pub(super) fn keep(
    tx: &Transaction<'_>,
    account: &AccountKey,
    receipt: &str,
    report: Report,
    now: Timestamp,
) -> Result<(), StoreError> {
    let known = tx
        .prepare_cached(
            "UPDATE outbox_part INDEXED BY outbox_part_receipt SET report = max(report, ?4)
             WHERE receipt = ?3 AND EXISTS (SELECT 1 FROM outbox
                 WHERE seq = outbox_part.delivery AND channel = ?1 AND account = ?2)",
        )?
        .execute(params![account.channel, account.account, receipt, report.rank()])?;
    if known > 0 {
        return Ok(());
    }
    tx.prepare_cached(
        "INSERT INTO early_report (channel, account, receipt, report, at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (channel, account, receipt) DO UPDATE SET report = max(report, excluded.report)",
    )?
    .execute(params![
        account.channel,
        account.account,
        receipt,
        report.rank(),
        now
    ])?;
    tx.prepare_cached(
        "DELETE FROM early_report WHERE at <= (SELECT at FROM early_report ORDER BY at DESC LIMIT 1 OFFSET ?1)
         -- scans: it holds as many as may be, and one more",
    )?
    .execute([EARLY_REPORTS_MAX])?;
    Ok(())
}

/// A receipt is stored: what was said of it before holds.
pub(super) fn catch_up(
    tx: &Transaction<'_>,
    seq: i64,
    position: u32,
    receipt: &str,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE outbox_part SET report = max(report, coalesce(
             (SELECT early_report.report FROM outbox CROSS JOIN early_report USING (channel, account)
              WHERE outbox.seq = ?1 AND early_report.receipt = ?3), 0))
         WHERE delivery = ?1 AND position = ?2",
    )?
    .execute(params![seq, position, receipt])?;
    Ok(())
}

/// Forgets what never found its part.
pub(super) fn prune(tx: &Transaction<'_>, before: Timestamp) -> Result<(), StoreError> {
    tx.execute("DELETE FROM early_report WHERE at < ?1", [before])?;
    Ok(())
}

/// Parts of an account that reached nobody, somebody, and were seen.
pub(super) fn counts(connection: &Connection, account: &AccountKey) -> Result<[i64; 3], StoreError> {
    let counts = connection
        .prepare_cached(
            "SELECT coalesce(sum(report = 1), 0), coalesce(sum(report >= 2), 0), coalesce(sum(report = 3), 0)
             FROM outbox_part INDEXED BY outbox_part_reported JOIN outbox ON outbox.seq = outbox_part.delivery
             WHERE report <> 0 AND channel = ?1 AND account = ?2
             -- scans: the index holds what was reported of seven days, and a status asks for it",
        )?
        .query_row(params![account.channel, account.account], |row| {
            Ok([row.get(0)?, row.get(1)?, row.get(2)?])
        })?;
    Ok(counts)
}
