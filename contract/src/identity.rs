//! The processes that call services. Which of them may call what is declared beside each method.

use std::fmt;

use gatehouse_proto::options::v1 as options;

/// A process that calls services with a secret of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Identity {
    /// The edge.
    Edge,
    /// The session service.
    Session,
    /// The agent service.
    Agent,
    /// The channel bridge.
    ChannelBridge,
    /// The config service.
    Config,
    /// The broadcast service.
    Broadcast,
    /// An operator's gRPC tool on the machine itself.
    Operator,
}

impl Identity {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Edge,
        Self::Session,
        Self::Agent,
        Self::ChannelBridge,
        Self::Config,
        Self::Broadcast,
        Self::Operator,
    ];

    /// The name in files, logs and refusals.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Session => "session",
            Self::Agent => "agent",
            Self::ChannelBridge => "channel-bridge",
            Self::Config => "config",
            Self::Broadcast => "broadcast",
            Self::Operator => "operator",
        }
    }

    /// The identity of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|identity| identity.name() == name)
    }

    /// Whether it may say that a client stands behind its call. Whoever may, can claim any grants: the contract's comment
    /// on `IDENTITY_EDGE` promises that nobody else may.
    #[must_use]
    pub const fn forwards_clients(self) -> bool {
        match self {
            Self::Edge => true,
            Self::Session
            | Self::Agent
            | Self::ChannelBridge
            | Self::Config
            | Self::Broadcast
            | Self::Operator => false,
        }
    }

    /// The identity that an option declares, if this version knows it.
    pub(crate) fn declared(number: i32) -> Option<Self> {
        Some(match options::Identity::try_from(number).ok()? {
            options::Identity::Unspecified => return None,
            options::Identity::Edge => Self::Edge,
            options::Identity::Session => Self::Session,
            options::Identity::Agent => Self::Agent,
            options::Identity::ChannelBridge => Self::ChannelBridge,
            options::Identity::Config => Self::Config,
            options::Identity::Broadcast => Self::Broadcast,
            options::Identity::Operator => Self::Operator,
        })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Reads a list of identities.
pub(crate) fn declared(numbers: &[i32]) -> Result<Vec<Identity>, String> {
    let unknown = |number: &i32| format!("lists identity {number}, which does not exist");
    numbers
        .iter()
        .map(|number| Identity::declared(*number).ok_or_else(|| unknown(number)))
        .collect()
}
