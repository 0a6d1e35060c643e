//! How an account is, as it is shown.

use super::*;

/// How an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Connecting.
    Starting,
    /// Connected, and heard of late.
    Connected,
    /// Connected, but silent for too long.
    Degraded,
    /// Waiting to connect anew.
    Backoff,
    /// Not wanted.
    Stopped,
    /// Another bridge on the same store has it.
    Standby,
    /// Cannot work until somebody changes the configuration.
    Failed,
}

impl State {
    /// The word for `channels.status`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Connected => "connected",
            Self::Degraded => "degraded",
            Self::Backoff => "backoff",
            Self::Stopped => "stopped",
            Self::Standby => "standby",
            Self::Failed => "failed",
        }
    }

    /// Whether its task runs.
    pub(crate) const fn running(self) -> bool {
        !matches!(self, Self::Stopped | Self::Standby | Self::Failed)
    }

    /// Whether there is a connection, or one is being made.
    pub(crate) const fn has_connection(self) -> bool {
        matches!(self, Self::Starting | Self::Connected | Self::Degraded)
    }
}

/// What is known of an account.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// How it is.
    pub(crate) state: State,
    /// What is wrong now. Nothing of an account that is well.
    pub(crate) last_error: Option<String>,
    /// Why the last connection ended or could not be made.
    pub(crate) last_disconnect: Option<Disconnect>,
    /// When its task last started.
    pub(crate) last_start_at: Option<Timestamp>,
    /// When it last connected.
    pub(crate) last_connected_at: Option<Timestamp>,
    /// When a message last came in.
    pub(crate) last_inbound_at: Option<Timestamp>,
    /// When the platform was last heard at all.
    pub(crate) last_progress_at: Option<Timestamp>,
    /// When a message last went out.
    pub(crate) last_outbound_at: Option<Timestamp>,
    /// How often it connected anew.
    pub(crate) reconnect_count: i64,
    /// What works now and will not for ever.
    pub(crate) warning: Option<String>,
    /// What is not as configured on this connection, and what to do.
    pub(crate) notices: Vec<String>,
    /// The rooms that are wanted, and how each is.
    pub(crate) rooms: Vec<RoomStatus>,
    /// How somebody links it, which it waits for.
    pub(crate) login: Option<Login>,
}

/// The end of a connection, or a try that made none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Disconnect {
    pub(crate) reason: String,
    /// Milliseconds since 1970.
    pub(crate) at: Timestamp,
}
