//! What a platform says later of a message that it took.

/// How far a message came. A later word never takes an earlier one back that says more: platforms repeat them, and mix up their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Report {
    /// It reached nobody. Believed until something better is said.
    NotDelivered,
    /// It is with the person.
    Delivered,
    /// The person has seen it.
    Read,
}

impl Report {
    /// As it is kept. 0 is no word.
    pub(crate) const fn rank(self) -> i64 {
        match self {
            Self::NotDelivered => 1,
            Self::Delivered => 2,
            Self::Read => 3,
        }
    }
}
