//! Updates, for whoever asks for them.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time;

use super::{Refusal, Shared};

pub(super) async fn updates(shared: &Shared, body: &Value) -> Result<Value, Refusal> {
    let seconds = body["timeout"].as_u64().unwrap_or(0);
    let limit = body["limit"].as_u64().unwrap_or(100);
    let deadline = time::Instant::now() + Duration::from_secs(seconds);
    let mine = {
        let mut told = shared.lock();
        if told.webhook.is_some() {
            let words = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
            return Err((409, words.to_owned(), Value::Null));
        }
        if let Some(offset) = body["offset"].as_i64() {
            told.updates.retain(|(number, _)| *number >= offset);
            told.acknowledged = told.acknowledged.max(offset - 1);
        }
        told.polls += 1;
        (told.polls, told.disturbed)
    };
    shared.changed.notify_waiters();
    loop {
        let changed = shared.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        {
            let told = shared.lock();
            if told.polls != mine.0 {
                let words = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
                return Err((409, words.to_owned(), Value::Null));
            }
            // It asks again, and meets what disturbed it.
            if told.disturbed != mine.1 {
                return Ok(json!([]));
            }
            if !told.updates.is_empty() {
                let some = told.updates.iter().take(usize::try_from(limit).unwrap_or(100));
                return Ok(some.map(|(_, update)| update.clone()).collect());
            }
        }
        if time::timeout_at(deadline, changed).await.is_err() {
            return Ok(json!([]));
        }
    }
}
