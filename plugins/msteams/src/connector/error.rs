//! What became of a call that did not work.

use std::time::Duration;

/// Why a call did not work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectorError {
    /// Teams takes it later.
    #[error("{reason}")]
    Busy {
        /// Not earlier than this.
        after: Duration,
        /// Why.
        reason: String,
    },
    /// It never reached Teams.
    #[error("{0}")]
    Unreached(String),
    /// Nobody knows whether Teams took it.
    #[error("{0}")]
    Unknown(String),
    /// Teams does not believe the bot: nothing works until somebody changes its settings.
    #[error("{0}")]
    Credential(String),
    /// Teams will not take it.
    #[error("Teams refuses it: {code}: {message}")]
    Refused {
        /// Teams' own word for it, for example `BotNotInConversationRoster`.
        code: String,
        /// What it says to people.
        message: String,
        /// The status.
        status: u16,
    },
}

impl ConnectorError {
    /// Whether the message or the conversation is not there.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Whether Teams takes no more of a stream.
    #[must_use]
    pub fn ends_a_stream(&self) -> bool {
        matches!(self, Self::Refused { code, status: 403, .. } if code == "ContentStreamNotAllowed")
    }

    /// Whether the stream was ended by its final message.
    #[must_use]
    pub fn has_ended_already(&self) -> bool {
        self.ends_a_stream()
            && matches!(self, Self::Refused { message, .. } if message.to_ascii_lowercase().contains("completed"))
    }

    /// Whether the person pressed Stop.
    #[must_use]
    pub fn stopped_by_person(&self) -> bool {
        // Teams has one code for all ends of a stream; this one it tells apart in words alone.
        self.ends_a_stream()
            && matches!(self, Self::Refused { message, .. } if message.to_ascii_lowercase().contains("cancel"))
    }
}
