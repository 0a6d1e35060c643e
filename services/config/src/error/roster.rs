//! Why a change of the agents is refused.

/// Why the agents stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
    /// No letter or digit is left of a name.
    #[error("no id can be made of this name: use letters or digits, at most 64")]
    Nameless,
    /// There is one.
    #[error("agent {0:?} already exists")]
    Exists(String),
    /// There is none.
    #[error("agent {0:?} not found")]
    Unknown(String),
    /// Nobody would answer.
    #[error("agent {0:?} is the only configured agent and cannot be deleted")]
    Only(String),
    /// Nobody would answer where nobody is chosen.
    #[error(
        "agent {0:?} is the default: set `default: true` on another agent first (agents.entries.<id>.default)"
    )]
    Default(String),
    /// A field cannot be what it was said to be.
    #[error("{problem}")]
    Field {
        /// The field.
        path: &'static str,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
}
