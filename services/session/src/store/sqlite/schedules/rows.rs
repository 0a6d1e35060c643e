//! Rows as types.

use rusqlite::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::key::SessionKey;
use crate::schedules::{DeliveryStatus, Job, JobId, Slot, SlotKind, SlotRow, SlotState, Status};

/// No claim waits for longer than this, in milliseconds: the longest window of a job, and what makes up for a night before it. One that
/// says so was made before the clock was set back, and is due.
pub(super) const WAIT_MS_MAX: i64 = 48 * 3_600_000;

pub(super) fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|_| Error::Unreadable("job"))
}

fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|_| Error::Unreadable("job"))
}

pub(super) fn read_job(row: &Row<'_>) -> Result<Job, Error> {
    let (spec, state): (String, String) = (row.get("spec")?, row.get("state")?);
    Ok(Job {
        id: JobId::new(row.get::<_, String>("id")?),
        spec: parsed(&spec)?,
        enabled: row.get("enabled")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        version: row.get("version")?,
        next_slot: row.get("next_slot")?,
        last_slot: row.get("last_slot")?,
        state: parsed(&state)?,
        running_at: row.get("running_at")?,
    })
}

pub(super) fn read_slot(row: &Row<'_>) -> Result<SlotRow, Error> {
    let unreadable = || Error::Unreadable("slot");
    let (kind, state): (String, String) = (row.get("kind")?, row.get("state")?);
    let target: Option<String> = row.get("target")?;
    let status: Option<String> = row.get("status")?;
    let delivered: Option<String> = row.get("delivered")?;
    Ok(SlotRow {
        slot: Slot {
            job: JobId::new(row.get::<_, String>("job")?),
            kind: SlotKind::parse(&kind).ok_or_else(unreadable)?,
            at: row.get("slot")?,
        },
        state: SlotState::parse(&state).ok_or_else(unreadable)?,
        fire_at: row.get("fire_at")?,
        reason: row.get("reason")?,
        claimed_at: row.get("claimed_at")?,
        fired_at: row.get("fired_at")?,
        ended_at: row.get("ended_at")?,
        status: status.as_deref().and_then(Status::parse),
        error: row.get("error")?,
        summary: row.get("summary")?,
        key: row
            .get::<_, Option<String>>("session_key")?
            .map(SessionKey::stored),
        session_id: row.get("session_id")?,
        target: target.as_deref().map(parsed).transpose()?,
        delivered: delivered.as_deref().and_then(DeliveryStatus::parse),
        delivery_error: row.get("delivery_error")?,
        provider: row.get("provider")?,
        model: row.get("model")?,
        attempt: row.get("attempt")?,
        job_name: row.get("job_name")?,
        agent: row.get("agent")?,
    })
}
