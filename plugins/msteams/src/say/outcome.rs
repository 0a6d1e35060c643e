//! What a failure of the connector means to the bridge.

use std::time::Duration;

use gatehouse_proto::channel::v1::{PartRetry, part_answered, preview_answered};

use super::LATER;
use crate::connector::ConnectorError;

/// Of a part. `repeatable`: doing it twice is no harm, so it is never in doubt.
pub(super) fn part(error: ConnectorError, repeatable: bool) -> part_answered::Outcome {
    use part_answered::Outcome;
    match error {
        ConnectorError::Busy { after, reason } => Outcome::ChatBusy(retry(reason, Some(after))),
        ConnectorError::Unreached(reason) => Outcome::Retry(retry(reason, None)),
        ConnectorError::Unknown(reason) if repeatable => Outcome::Retry(retry(reason, None)),
        ConnectorError::Unknown(reason) => Outcome::Unknown(words(&reason)),
        // Somebody has to change the settings first.
        ConnectorError::Credential(reason) => Outcome::Retry(retry(reason, Some(LATER))),
        error @ ConnectorError::Refused { .. } => Outcome::Failed(words(&error.to_string())),
    }
}

/// Of a preview.
pub(super) fn preview(error: &ConnectorError) -> preview_answered::Outcome {
    use preview_answered::Outcome;
    match error {
        ConnectorError::Busy { after, reason } => Outcome::Busy(retry(reason.clone(), Some(*after))),
        ConnectorError::Unreached(reason) | ConnectorError::Credential(reason) => {
            Outcome::Busy(retry(reason.clone(), Some(Duration::from_secs(5))))
        }
        ConnectorError::Unknown(reason) => Outcome::Unknown(words(reason)),
        error @ ConnectorError::Refused { .. } => Outcome::Never(words(&error.to_string())),
    }
}

fn retry(reason: String, after: Option<Duration>) -> PartRetry {
    let after = after.unwrap_or_default().as_millis();
    PartRetry {
        reason: words(&reason),
        after_ms: u32::try_from(after).unwrap_or(u32::MAX).min(86_400_000),
    }
}

/// What the contract has room for.
fn words(reason: &str) -> String {
    reason.chars().take(250).collect()
}
