//! Jobs and slots as clients see them.

use gatehouse_core::Timestamp;
use gatehouse_proto::session::v1 as proto;
use serde::Serialize;

use super::{DeliveryStatus, Job, JobState, SlotRow, SlotState, Spec, Status};
use crate::error::Error;

fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|_| Error::Unreadable("job"))
}

fn word<T>(of: impl Fn(T) -> &'static str, value: Option<T>) -> Option<String> {
    value.map(|value| of(value).to_owned())
}

/// The revision of a job, as clients name it.
pub(super) fn revision(job: &Job) -> String {
    format!("v{}", job.version)
}

/// A job. Lists also say who would do it now, the default agent where it names none.
pub(super) fn job(job: &Job, default_agent: Option<&str>) -> Result<proto::CronJob, Error> {
    let next = job.next_run().map(Timestamp::as_ms);
    let revision = revision(job);
    let Job {
        id,
        spec,
        enabled,
        created_at,
        updated_at,
        version: _,   // in the revision
        next_slot: _, // in the next run
        last_slot: _,
        state,
        running_at,
    } = job.clone();
    let Spec {
        name,
        declaration_key,
        display_name,
        agent_id,
        session_key,
        description,
        delete_after_run,
        schedule,
        session_target,
        wake_mode,
        payload,
        delivery,
        failure_alert,
        missed,
    } = spec;
    let JobState {
        last_run_at,
        last_status,
        last_error,
        last_duration_ms,
        consecutive_errors,
        consecutive_skipped,
        last_delivery,
        last_delivery_error,
        last_alert_at,
        back_off_until: _,
        traceparent: _,
    } = state;
    let last_run_at = last_run_at.map(Timestamp::as_ms);
    let delivered = last_delivery.map(|delivery| delivery == DeliveryStatus::Delivered);
    let effective = default_agent.map(|default| agent_id.clone().unwrap_or_else(|| default.to_owned()));
    Ok(proto::CronJob {
        id: id.to_string(),
        declaration_key,
        display_name,
        agent_id,
        session_key,
        name,
        description,
        enabled,
        delete_after_run,
        created_at_ms: created_at.as_ms(),
        updated_at_ms: updated_at.as_ms(),
        config_revision: revision,
        schedule: json(&schedule)?,
        session_target: session_target.into(),
        wake_mode: wake_mode.word().to_owned(),
        payload: json(&payload)?,
        delivery: delivery.as_ref().map(json).transpose()?,
        failure_alert: failure_alert.as_ref().map(json).transpose()?,
        missed: missed.as_ref().map(json).transpose()?,
        state: Some(proto::CronJobState {
            next_run_at_ms: next,
            running_at_ms: running_at.map(Timestamp::as_ms),
            last_run_at_ms: last_run_at,
            last_run_status: word(Status::word, last_status),
            last_status: word(Status::word, last_status),
            last_error: last_error.clone(),
            last_duration_ms,
            consecutive_errors,
            consecutive_skipped,
            last_delivered: delivered,
            last_delivery_status: word(DeliveryStatus::word, last_delivery),
            last_delivery_error: last_delivery_error.clone(),
            last_failure_alert_at_ms: last_alert_at.map(Timestamp::as_ms),
        }),
        next_run_at_ms: next,
        last_run_at_ms: last_run_at,
        last_run_status: word(Status::word, last_status),
        last_run_error: last_error,
        last_delivered: delivered,
        last_delivery_status: word(DeliveryStatus::word, last_delivery),
        last_delivery_error,
        effective_agent_id: effective,
    })
}

pub(super) fn run(row: SlotRow) -> proto::CronRun {
    let run_id = row.run().map(|run| run.to_string());
    let duration_ms = row.duration_ms();
    let SlotRow {
        slot,
        state,
        fire_at: _,
        reason,
        claimed_at,
        fired_at: _, // in the duration
        ended_at,
        status,
        error,
        summary,
        key,
        session_id,
        target: _, // whose chat it is concerns nobody
        delivered,
        delivery_error,
        provider,
        model,
        attempt: _,
        job_name,
        agent: _,
    } = row;
    let completion = match (state, status) {
        (SlotState::Fired, Some(Status::Ok)) => "succeeded",
        (_, Some(Status::Error)) => "failed",
        (SlotState::Claimed | SlotState::Fired | SlotState::Skipped | SlotState::Missed, _) => "unknown",
    };
    proto::CronRun {
        ts: ended_at.unwrap_or(claimed_at).as_ms(),
        job_id: slot.job.to_string(),
        action: "finished".to_owned(),
        status: status.unwrap_or(Status::Skipped).word().to_owned(),
        completion_status: completion.to_owned(),
        error: error.or(reason),
        summary,
        run_id,
        run_at_ms: slot.at.as_ms(),
        duration_ms,
        slot_state: state.word().to_owned(),
        slot_kind: slot.kind.word().to_owned(),
        delivered: delivered.map(|delivered| delivered == DeliveryStatus::Delivered),
        delivery_status: word(DeliveryStatus::word, delivered),
        delivery_error,
        session_key: key.map(|key| key.to_string()),
        session_id,
        model,
        provider,
        job_name,
    }
}

/// How a heartbeat came out.
pub(crate) fn heartbeat(row: &SlotRow) -> proto::HeartbeatEvent {
    let (status, reason) = match (row.status, row.delivered) {
        (Some(Status::Ok), Some(DeliveryStatus::Delivered)) => ("sent", None),
        (Some(Status::Ok), _) if row.summary.is_none() => ("ok-empty", None),
        (Some(Status::Ok), _) => ("ok-token", None),
        (Some(Status::Error), _) => ("failed", row.error.clone()),
        (Some(Status::Skipped) | None, _) => ("skipped", row.reason.clone()),
    };
    // A word for programs stands before the reason for people.
    let reason = reason.map(|reason| match reason.split_once(": ") {
        Some((word, _)) if !word.contains(' ') => word.to_owned(),
        _ => reason,
    });
    proto::HeartbeatEvent {
        ts: row.ended_at.unwrap_or(row.claimed_at).as_ms(),
        status: status.to_owned(),
        reason,
        duration_ms: row.duration_ms().unwrap_or(0),
        agent_id: row.agent.clone(),
        preview: row.summary.clone().filter(|_| status == "sent"),
    }
}
