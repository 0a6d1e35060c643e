//! Why an answer ends where it does.

use serde::{Deserialize, Serialize};

/// The words are those that clients of v4 and stored rows know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(crate) enum StopReason {
    /// It is whole.
    Stop,
    /// It was cut off at its longest.
    Length,
    /// A filter of the provider withheld the rest.
    Filtered,
    /// It goes on when the tools that it calls have answered.
    Calls,
    /// Somebody stopped it: the row of what was written by then.
    Aborted,
    /// Its process ended.
    Interrupted,
    /// It failed.
    Error,
    /// Somebody asked for it to stop.
    Rpc,
    /// A newer message took its place.
    Interrupt,
    /// The gateway was stopped or started anew.
    Restart,
    /// A provider's own word.
    Other(String),
}

impl StopReason {
    const NAMED: [Self; 10] = [
        Self::Stop,
        Self::Length,
        Self::Filtered,
        Self::Calls,
        Self::Aborted,
        Self::Interrupted,
        Self::Error,
        Self::Rpc,
        Self::Interrupt,
        Self::Restart,
    ];

    pub(crate) fn word(&self) -> &str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::Filtered => "content_filter",
            Self::Calls => "toolUse",
            Self::Aborted => "aborted",
            Self::Interrupted => "interrupted",
            Self::Error => "error",
            Self::Rpc => "rpc",
            Self::Interrupt => "interrupt",
            Self::Restart => "restart",
            Self::Other(word) => word,
        }
    }
}

impl From<String> for StopReason {
    fn from(word: String) -> Self {
        let named = Self::NAMED.into_iter().find(|named| named.word() == word);
        named.unwrap_or(Self::Other(word))
    }
}

impl From<StopReason> for String {
    fn from(reason: StopReason) -> Self {
        match reason {
            StopReason::Other(word) => word,
            named => named.word().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_comes_back_as_it_went_also_one_that_only_a_provider_knows() {
        for reason in StopReason::NAMED {
            assert_eq!(StopReason::from(reason.word().to_owned()), reason);
        }
        for word in ["eos", "Stop", ""] {
            let read = StopReason::from(word.to_owned());

            assert_eq!(read, StopReason::Other(word.to_owned()));
            assert_eq!(serde_json::to_value(&read).unwrap(), word);
        }
    }
}
