//! What follows from a kind of failure: one table. A kind says what somebody would do about it, and so it says what a turn does.
//!
//! The next model of the turn is asked after a failure of any kind, as long as no word of an answer was shown.

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
    /// The model ended in order and said nothing: what it thought before that is nothing that a person would miss.
    pub(crate) silence: bool,
}

/// The rules of a kind.
pub(crate) const fn rules(kind: FailureKind) -> Rules {
    let (outage, again, reported, silence) = match kind {
        FailureKind::Unavailable => (true, true, true, false),
        FailureKind::Timeout => (true, false, true, false),
        FailureKind::RateLimit => (false, true, true, false),
        FailureKind::Auth | FailureKind::Config | FailureKind::ModelMissing | FailureKind::Rejected => {
            (false, false, true, false)
        }
        FailureKind::Context | FailureKind::Unspecified => (false, false, false, false),
        FailureKind::Moderation | FailureKind::Empty | FailureKind::Silent => (false, false, false, true),
    };
    Rules {
        outage,
        again,
        reported,
        silence,
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
            //                          outage again  reported silence
            (FailureKind::Unspecified,  false, false, false, false),
            (FailureKind::Auth,         false, false, true,  false),
            (FailureKind::RateLimit,    false, true,  true,  false),
            (FailureKind::Context,      false, false, false, false),
            (FailureKind::Timeout,      true,  false, true,  false),
            (FailureKind::Unavailable,  true,  true,  true,  false),
            (FailureKind::Rejected,     false, false, true,  false),
            (FailureKind::Config,       false, false, true,  false),
            (FailureKind::Moderation,   false, false, false, true),
            (FailureKind::ModelMissing, false, false, true,  false),
            (FailureKind::Empty,        false, false, false, true),
            (FailureKind::Silent,       false, false, false, true),
        ];
        for (kind, outage, again, reported, silence) in table {
            let expected = Rules {
                outage,
                again,
                reported,
                silence,
            };
            assert_eq!(rules(kind), expected, "{kind:?}");
        }
        let kinds = (0..).map_while(|number| FailureKind::try_from(number).ok());
        assert_eq!(kinds.count(), table.len(), "every kind stands in the table");
    }
}
