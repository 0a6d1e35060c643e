//! What kinds of sessions there are, and how they stand.

use super::*;

/// Who takes part in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionKind {
    Direct,
    Group,
}

impl SessionKind {
    /// The word in rows and in the contract.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Group => "group",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Direct, Self::Group]
            .into_iter()
            .find(|kind| kind.word() == word)
    }
}

impl From<Option<PeerKind>> for SessionKind {
    fn from(chat: Option<PeerKind>) -> Self {
        match chat {
            Some(PeerKind::Group | PeerKind::Channel) => Self::Group,
            Some(PeerKind::Direct) | None => Self::Direct,
        }
    }
}

/// The kind of a session as clients see it: two names are kinds of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShownKind {
    Of(SessionKind),
    /// Everybody's.
    Global,
    /// What belongs to nobody.
    Unknown,
}

impl ShownKind {
    pub(crate) fn of(key: &SessionKey, kind: Option<SessionKind>) -> Self {
        match (key.rest(), kind) {
            ("global", _) => Self::Global,
            ("unknown", _) | (_, None) => Self::Unknown,
            (_, Some(kind)) => Self::Of(kind),
        }
    }

    /// The word in the contract.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Of(kind) => kind.word(),
            Self::Global => "global",
            Self::Unknown => "unknown",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word {
            "global" => Some(Self::Global),
            "unknown" => Some(Self::Unknown),
            _ => SessionKind::parse(word).map(Self::Of),
        }
    }
}

/// How the newest turn of a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionStatus {
    Queued,
    /// It is being answered.
    Running,
    Done,
    /// It could not be answered.
    Failed,
    Killed,
    Interrupted,
}

impl SessionStatus {
    const ALL: [Self; 6] = [
        Self::Queued,
        Self::Running,
        Self::Done,
        Self::Failed,
        Self::Killed,
        Self::Interrupted,
    ];

    /// The word in the contract: v4 has none for what a restart cut off.
    pub(crate) fn shown(self) -> &'static str {
        match self {
            Self::Interrupted => Self::Failed.word(),
            Self::Queued | Self::Running | Self::Done | Self::Failed | Self::Killed => self.word(),
        }
    }

    /// The word in rows.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Killed => "killed",
            Self::Interrupted => "interrupted",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }
}
