//! What became of something that was to be said, in words that the contract has room for.

use std::time::Duration;

use gatehouse_proto::channel::v1::{PartRetry, PartSent, part_answered, preview_answered};

/// What became of a part.
pub type PartOutcome = part_answered::Outcome;
/// What became of a preview.
pub type PreviewOutcome = preview_answered::Outcome;

/// The longest reason, in characters: with four bytes each it is within the contract's 1,024.
const REASON_CHARS_MAX: usize = 250;
/// The longest pause, in milliseconds: the contract's.
const AFTER_MS_MAX: u32 = 86_400_000;

/// The platform took it, as the message with this id.
pub fn sent(platform_id: impl Into<String>) -> PartOutcome {
    PartOutcome::Sent(PartSent {
        platform_id: platform_id.into(),
        ..PartSent::default()
    })
}

/// Not now; after so long, where the platform says it.
#[must_use]
pub fn retry(reason: &str, after: Option<Duration>) -> PartRetry {
    let after = after.unwrap_or_default().as_millis();
    PartRetry {
        reason: words(reason),
        after_ms: u32::try_from(after).unwrap_or(u32::MAX).min(AFTER_MS_MAX),
    }
}

/// As much of a reason as the contract has room for.
#[must_use]
pub fn words(reason: &str) -> String {
    reason.chars().take(REASON_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{retry, words};

    #[test]
    fn whatever_a_platform_says_fits_into_the_contract() {
        let later = retry("slow down", Some(Duration::from_secs(1_000_000)));

        assert_eq!((&*later.reason, later.after_ms), ("slow down", 86_400_000));
        assert_eq!(retry("", None).after_ms, 0);
        assert!(words(&"\u{1f375}".repeat(2_000)).len() <= 1_024);
    }
}
