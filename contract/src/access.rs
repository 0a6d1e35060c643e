//! Who may call a method or see an event. The decision itself is one function; everybody asks it.

use std::fmt;

/// What a method or an event asks of a caller. There is no "unspecified": a contract that leaves it open is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Anybody who passed the handshake.
    Connected,
    /// An operator with `operator.read`, `operator.write` or `operator.admin`.
    Read,
    /// An operator with `operator.write` or `operator.admin`.
    Write,
    /// An operator with `operator.admin`.
    Admin,
    /// An operator with `operator.pairing` or `operator.admin`.
    Pairing,
    /// An operator with `operator.approvals` or `operator.admin`.
    Approvals,
    /// An operator with `operator.questions` or `operator.admin`.
    Questions,
    /// A node.
    Node,
    /// The gateway's services, never a caller at the edge.
    Internal,
}

impl Access {
    /// Every access there is.
    pub const ALL: [Self; 9] = [
        Self::Connected,
        Self::Read,
        Self::Write,
        Self::Admin,
        Self::Pairing,
        Self::Approvals,
        Self::Questions,
        Self::Node,
        Self::Internal,
    ];

    /// Whether this caller may.
    #[must_use]
    pub fn allows(self, caller: &Grants) -> bool {
        let operator = |scopes: u8| caller.role == Role::Operator && caller.scopes & scopes != 0;
        match self {
            Self::Connected => true,
            Self::Read => operator(READ | WRITE | ADMIN),
            Self::Write => operator(WRITE | ADMIN),
            Self::Admin => operator(ADMIN),
            Self::Pairing => operator(PAIRING | ADMIN),
            Self::Approvals => operator(APPROVALS | ADMIN),
            Self::Questions => operator(QUESTIONS | ADMIN),
            Self::Node => caller.role == Role::Node,
            Self::Internal => false,
        }
    }

    /// The smallest scope that is enough, for the sentence that refuses a caller. `None` where no scope helps.
    #[must_use]
    pub fn required_scope(self) -> Option<&'static str> {
        match self {
            Self::Read => Some("operator.read"),
            Self::Write => Some("operator.write"),
            Self::Admin => Some("operator.admin"),
            Self::Pairing => Some("operator.pairing"),
            Self::Approvals => Some("operator.approvals"),
            Self::Questions => Some("operator.questions"),
            Self::Connected | Self::Node | Self::Internal => None,
        }
    }

    /// Whether some caller passes here who does not pass `other`.
    #[must_use]
    pub fn is_lower_than(self, other: Self) -> bool {
        let roles = [Role::Operator, Role::Node];
        let callers = roles
            .into_iter()
            .flat_map(|role| (0..1 << SCOPES.len()).map(move |scopes| Grants { role, scopes }));
        callers
            .into_iter()
            .any(|caller| self.allows(&caller) && !other.allows(&caller))
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connected => "connected",
            Self::Node => "node",
            Self::Internal => "internal",
            Self::Read | Self::Write | Self::Admin | Self::Pairing | Self::Approvals | Self::Questions => {
                self.required_scope().unwrap_or_default()
            }
        })
    }
}

/// What a caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A person's client.
    Operator,
    /// A device that the gateway may ask to do something.
    Node,
}

impl Role {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Node => "node",
        }
    }

    /// Reads the word on the wire.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Operator, Self::Node]
            .into_iter()
            .find(|role| role.as_str() == word)
    }
}

const READ: u8 = 1;
const WRITE: u8 = 2;
const ADMIN: u8 = 4;
const PAIRING: u8 = 8;
const APPROVALS: u8 = 16;
const QUESTIONS: u8 = 32;

/// Every scope there is, with its bit.
const SCOPES: [(&str, u8); 6] = [
    ("operator.read", READ),
    ("operator.write", WRITE),
    ("operator.admin", ADMIN),
    ("operator.pairing", PAIRING),
    ("operator.approvals", APPROVALS),
    ("operator.questions", QUESTIONS),
];

/// What a caller was granted: one role and a set of scopes. A scope that the gateway does not know grants nothing and is
/// forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Grants {
    role: Role,
    scopes: u8,
}

impl Grants {
    /// A role with these scopes.
    #[must_use]
    pub fn new<'a>(role: Role, scopes: impl IntoIterator<Item = &'a str>) -> Self {
        let bit = |scope: &str| {
            SCOPES
                .iter()
                .find(|(name, _)| *name == scope)
                .map_or(0, |(_, bit)| *bit)
        };
        Self {
            role,
            scopes: scopes.into_iter().fold(0, |all, scope| all | bit(scope)),
        }
    }

    /// A role with every scope there is.
    #[must_use]
    pub fn all(role: Role) -> Self {
        Self::new(role, SCOPES.iter().map(|(name, _)| *name))
    }

    /// The role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The scopes, in a fixed order.
    pub fn scopes(&self) -> impl Iterator<Item = &'static str> + use<> {
        let scopes = self.scopes;
        SCOPES
            .iter()
            .filter(move |(_, bit)| scopes & bit != 0)
            .map(|(name, _)| *name)
    }

    /// Whether this scope is among them.
    #[must_use]
    pub fn has(&self, scope: &str) -> bool {
        self.scopes().any(|name| name == scope)
    }

    /// Whether they allow all that others do. Scopes contain each other as they do when a method is called: `operator.admin` contains
    /// every other, and `operator.write` contains `operator.read`.
    #[must_use]
    pub fn covers(&self, others: &Self) -> bool {
        self.role == others.role && others.scopes & !self.contained() == 0
    }

    /// Those of these scopes that `bound` allows: what somebody gets who asks for them with a credential that is good for that. The role
    /// stays, whichever `bound` has.
    #[must_use]
    pub fn within(&self, bound: &Self) -> Self {
        Self {
            role: self.role,
            scopes: self.scopes & bound.contained(),
        }
    }

    /// The scopes, and those that they contain.
    fn contained(&self) -> u8 {
        match self.scopes {
            all if all & ADMIN != 0 => u8::MAX,
            some if some & WRITE != 0 => some | READ,
            some => some,
        }
    }
}

#[cfg(test)]
mod tests;
