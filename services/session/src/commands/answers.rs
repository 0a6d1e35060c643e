//! What is answered in fixed words.

/// One fixed answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    NewConversation,
    NothingToCompact,
    Stopped,
    NothingToStop,
    Process,
}

impl Said {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::NewConversation => "A new conversation begins here.",
            Self::NothingToCompact => "There is nothing to sum up yet.",
            Self::Stopped => "Stopped.",
            Self::NothingToStop => "Nothing is being written.",
            Self::Process => "You are a process on the gateway's own machine, and may do everything.",
        }
    }
}
