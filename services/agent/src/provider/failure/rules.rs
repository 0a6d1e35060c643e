//! What follows from a kind of failure: one table. A kind says what somebody would do about it, and so it says what a turn does.
//!
//! The next model of the turn is asked after a failure of any kind, as long as no word of an answer was shown.

use gatehouse_proto::agent::v1::FailureKind;

/// What follows from a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// The next caller would see it too, and a later one perhaps not: the same model may be asked again, and a provider that keeps
    /// failing so is left alone.
    pub(crate) outage: bool,
    /// It lies with the provider or its entry, and not with one conversation: the health report names it until the provider answers.
    pub(crate) reported: bool,
    /// The model ended in order and said nothing: what it thought before that is nothing that a person would miss.
    pub(crate) silence: bool,
}

/// The rules of a kind.
pub(crate) const fn rules(kind: FailureKind) -> Rules {
    let (outage, reported, silence) = match kind {
        FailureKind::RateLimit | FailureKind::Timeout | FailureKind::Unavailable => (true, true, false),
        FailureKind::Auth | FailureKind::Config | FailureKind::ModelMissing | FailureKind::Rejected => {
            (false, true, false)
        }
        FailureKind::Context | FailureKind::Unspecified => (false, false, false),
        FailureKind::Moderation | FailureKind::Empty => (false, false, true),
    };
    Rules {
        outage,
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
            //                          outage reported silence
            (FailureKind::Unspecified,  false, false, false),
            (FailureKind::Auth,         false, true,  false),
            (FailureKind::RateLimit,    true,  true,  false),
            (FailureKind::Context,      false, false, false),
            (FailureKind::Timeout,      true,  true,  false),
            (FailureKind::Unavailable,  true,  true,  false),
            (FailureKind::Rejected,     false, true,  false),
            (FailureKind::Config,       false, true,  false),
            (FailureKind::Moderation,   false, false, true),
            (FailureKind::ModelMissing, false, true,  false),
            (FailureKind::Empty,        false, false, true),
        ];
        for (kind, outage, reported, silence) in table {
            let expected = Rules {
                outage,
                reported,
                silence,
            };
            assert_eq!(rules(kind), expected, "{kind:?}");
        }
        let kinds = (0..).map_while(|number| FailureKind::try_from(number).ok());
        assert_eq!(kinds.count(), table.len(), "every kind stands in the table");
    }
}
