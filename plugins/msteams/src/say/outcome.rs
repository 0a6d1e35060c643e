//! What a failure of the connector means to the bridge.

use std::time::Duration;

use gatehouse_plugin_sdk::{PartOutcome as Part, PreviewOutcome as Preview, retry, words};

use super::LATER;
use crate::connector::ConnectorError;

/// Of a part. `repeatable`: doing it twice is no harm, so it is never in doubt.
pub(super) fn part(error: ConnectorError, repeatable: bool) -> Part {
    match error {
        ConnectorError::Busy { after, reason } => Part::ChatBusy(retry(&reason, Some(after))),
        ConnectorError::Unreached(reason) => Part::Retry(retry(&reason, None)),
        ConnectorError::Unknown(reason) if repeatable => Part::Retry(retry(&reason, None)),
        ConnectorError::Unknown(reason) => Part::Unknown(words(&reason)),
        // Somebody has to change the settings first.
        ConnectorError::Credential(reason) => Part::Retry(retry(&reason, Some(LATER))),
        error @ ConnectorError::Refused { .. } => Part::Failed(words(&error.to_string())),
    }
}

/// Of a preview.
pub(super) fn preview(error: &ConnectorError) -> Preview {
    match error {
        ConnectorError::Busy { after, reason } => Preview::Busy(retry(reason, Some(*after))),
        ConnectorError::Unreached(reason) | ConnectorError::Credential(reason) => {
            Preview::Busy(retry(reason, Some(Duration::from_secs(5))))
        }
        ConnectorError::Unknown(reason) => Preview::Unknown(words(reason)),
        error @ ConnectorError::Refused { .. } => Preview::Never(words(&error.to_string())),
    }
}
