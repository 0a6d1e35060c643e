//! What follows from a kind of failure: one table. A kind says what somebody would do about it, and so it says what a turn does.
//!
//! The next model of the turn is asked after a failure of any kind, as long as no word of an answer was shown. What was thought in vain
//! is none.

use gatehouse_proto::agent::v1::FailureKind;

/// What follows from a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// The next caller would see it too, and a later one perhaps not: a provider that keeps failing so is left alone. One that limits
    /// how often it is asked is there, and says itself when it may be asked again.
    pub(crate) outage: bool,
    /// A moment later may be better: the same model is asked once more. What took all of its time would take it again.
    pub(crate) again: bool,
    /// It lies with the provider or its entry, and not with one conversation: the health report names it until the provider answers.
    pub(crate) reported: bool,
}

/// The rules of a kind.
pub(crate) const fn rules(kind: FailureKind) -> Rules {
    let (outage, again, reported) = match kind {
        FailureKind::Unavailable => (true, true, true),
        FailureKind::Timeout => (true, false, true),
        FailureKind::RateLimit => (false, true, true),
        FailureKind::Auth | FailureKind::Config | FailureKind::ModelMissing | FailureKind::Rejected => {
            (false, false, true)
        }
        FailureKind::Context
        | FailureKind::Unspecified
        | FailureKind::Moderation
        | FailureKind::Empty
        | FailureKind::Silent => (false, false, false),
    };
    Rules {
        outage,
        again,
        reported,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_next_caller_would_meet_too_is_an_outage_and_only_what_an_operator_can_mend_is_reported()
    {
        #[rustfmt::skip]
        let table = [
            //                          outage again  reported
            (FailureKind::Unspecified,  false, false, false),
            (FailureKind::Auth,         false, false, true),
            (FailureKind::RateLimit,    false, true,  true),
            (FailureKind::Context,      false, false, false),
            (FailureKind::Timeout,      true,  false, true),
            (FailureKind::Unavailable,  true,  true,  true),
            (FailureKind::Rejected,     false, false, true),
            (FailureKind::Config,       false, false, true),
            (FailureKind::Moderation,   false, false, false),
            (FailureKind::ModelMissing, false, false, true),
            (FailureKind::Empty,        false, false, false),
            (FailureKind::Silent,       false, false, false),
        ];
        for (kind, outage, again, reported) in table {
            let expected = Rules {
                outage,
                again,
                reported,
            };
            assert_eq!(rules(kind), expected, "{kind:?}");
        }
        let kinds = (0..).map_while(|number| FailureKind::try_from(number).ok());
        assert_eq!(kinds.count(), table.len(), "every kind stands in the table");
    }
}
