//! Whether a second person writes into a main session, where everybody reads what the others said. The document alone does not tell:
//! who asks to be let in is let in by an operator.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::key::SessionKey;

/// Who wrote into the main sessions, as far as one has to know: one entry for each agent, for as long as a revision runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Company(Arc<Mutex<BTreeMap<SessionKey, Who>>>);

#[derive(Debug)]
enum Who {
    One(String),
    /// Said once.
    Several,
}

impl Company {
    /// Notes who wrote. True for the first who is not alone there.
    pub(super) fn is_second(&self, key: &SessionKey, person: &str) -> bool {
        // A map of small values: what a panic left of it is whole.
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let who = sessions
            .entry(key.clone())
            .or_insert_with(|| Who::One(person.to_owned()));
        match who {
            Who::One(first) if first != person => {
                *who = Who::Several;
                true
            }
            Who::One(_) | Who::Several => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_person_of_a_main_session_is_noticed_once() {
        let company = Company::default();
        let (main, work) = (
            SessionKey::parse("agent:main:main").unwrap(),
            SessionKey::parse("agent:work:main").unwrap(),
        );

        let seen: Vec<bool> = [
            (&main, "anna"),
            (&main, "anna"),
            (&work, "ben"),
            (&main, "ben"),
            (&main, "anna"),
            (&main, "carla"),
            (&work, "ben"),
        ]
        .into_iter()
        .map(|(key, person)| company.is_second(key, person))
        .collect();

        assert_eq!(seen, [false, false, false, true, false, false, false]);
    }
}
