//! What a program is told.

use super::super::{Job, NewPost, RunEnd, SlotRow};
use crate::key::SessionKey;

/// Bytes of an answer that a program is told of: what a message may have.
const POSTED_BYTES_MAX: usize = 256 * 1024;

/// What a program is told of the end of a run, if one is. `words`: what the answer says.
pub(in crate::schedules) fn posted(
    row: &SlotRow,
    job: &Job,
    end: &RunEnd,
    words: Option<String>,
) -> Option<NewPost> {
    let url = job.spec.delivery.as_ref()?.url()?.to_owned();
    let mut text = words.unwrap_or_default();
    text.truncate(text.floor_char_boundary(POSTED_BYTES_MAX));
    let (provider, model) = end.answered_by.clone().unzip();
    let body = serde_json::json!({
        "action": "finished",
        "jobId": row.slot.job.as_str(),
        "jobName": job.spec.name,
        "runId": row.slot.run().as_str(),
        "status": end.status.word(),
        "error": end.error,
        "summary": end.summary,
        "text": text,
        "runAtMs": row.slot.at,
        "durationMs": row.fired_at.map(|fired| end.now.ms_since(fired).max(0)),
        "sessionKey": row.key.as_ref().map(SessionKey::as_str),
        "sessionId": end.session_id,
        "provider": provider,
        "model": model,
    });
    Some(NewPost {
        url,
        body: body.to_string(),
    })
}
