//! Which part of the document each service gets.

/// Which services get a part of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    Edge,
    Session,
    Agent,
    ChannelBridge,
    Broadcast,
    /// `gatehouse up`, which runs the commands of plugins: it shows the operator's credential.
    Operator,
}

impl Reader {
    pub(crate) const ALL: [Self; 6] = [
        Self::Edge,
        Self::Session,
        Self::Agent,
        Self::ChannelBridge,
        Self::Broadcast,
        Self::Operator,
    ];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reader| reader.name() == name)
    }

    /// The service's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Session => "session",
            Self::Agent => "agent",
            Self::ChannelBridge => "channel-bridge",
            Self::Broadcast => "broadcast",
            Self::Operator => "operator",
        }
    }

    /// What this service gets: the way to a part, and whether its secrets go with it.
    pub(super) fn parts(self) -> &'static [(&'static [&'static str], bool)] {
        match self {
            // What shows that a hook is genuine is judged by the session service: the edge knows where they come in.
            Self::Edge => &[(&["gateway"], false), (&["hooks"], false), (&["plugins"], false)],
            Self::Session => &[
                (&["agents"], false),
                (&["bindings"], false),
                (&["session"], false),
                (&["messages"], false),
                (&["cron"], true),
                (&["hooks"], true),
                (&["commands", "ownerAllowFrom"], false),
                (&["models"], false),
                (&["tools", "media", "audio"], false),
                (&["gateway", "drainSeconds"], false),
                (&["gateway", "nodes", "commands"], false),
            ],
            Self::Agent => &[
                (&["models"], true),
                (&["agents", "defaults"], false),
                (&["tools", "media", "audio"], false),
            ],
            Self::ChannelBridge => &[
                (&["channels"], true),
                (&["commands"], false),
                (&["gateway", "publicOrigin"], false),
                // Which plugins bring channels. Their settings are the edge's to tell.
                (&["plugins"], false),
            ],
            Self::Broadcast => &[],
            Self::Operator => &[(&["plugins"], true)],
        }
    }
}
