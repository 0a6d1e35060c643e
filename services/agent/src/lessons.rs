//! What servers turned out to be like: which fields of a request they refuse, and how much they take at once. A lesson costs one
//! refused call and is remembered until the provider's entry changes or the process ends; what the configuration says needs none.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use gatehouse_document::models::MaxTokensField;

use crate::{config::Fingerprint, request::ModelName};

/// More models than anybody asks. Beyond it all is learned anew.
const MODELS_MAX: usize = 1_000;

/// What is known of one model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lesson {
    /// It refuses `stream_options`.
    pub(crate) refuses_usage: bool,
    /// It refuses to be told how hard to think.
    pub(crate) refuses_effort: bool,
    /// What it calls the bound of an answer.
    pub(crate) max_tokens_field: Option<MaxTokensField>,
    /// What it takes at once, in tokens as they are estimated.
    pub(crate) room: Option<u64>,
    /// The longest answer that it takes, in tokens.
    pub(crate) answer: Option<u64>,
}

/// What is known of all models.
#[derive(Debug, Default)]
pub(crate) struct Lessons(Mutex<HashMap<ModelName, (Fingerprint, Lesson)>>);

impl Lessons {
    fn known(&self) -> MutexGuard<'_, HashMap<ModelName, (Fingerprint, Lesson)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn of(&self, name: &ModelName, entry: Fingerprint) -> Lesson {
        let known = self.known();
        let lesson = known.get(name).filter(|(of, _)| *of == entry);
        lesson.map_or_else(Lesson::default, |(_, lesson)| *lesson)
    }

    pub(crate) fn keep(&self, name: &ModelName, entry: Fingerprint, lesson: Lesson) {
        let mut known = self.known();
        if known.len() >= MODELS_MAX && !known.contains_key(name) {
            known.clear();
        }
        known.insert(name.clone(), (entry, lesson));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lesson_is_kept_for_its_entry_and_all_of_them_within_a_bound() {
        let lessons = Lessons::default();
        let name = |number: usize| ModelName::new("p", &number.to_string());
        let (entry, changed) = (Fingerprint::of_test(1), Fingerprint::of_test(2));
        let learned = Lesson {
            refuses_usage: true,
            ..Lesson::default()
        };

        for number in 0..=MODELS_MAX {
            lessons.keep(&name(number), entry, learned);
        }

        assert_eq!(lessons.of(&name(MODELS_MAX), entry), learned);
        assert_eq!(lessons.of(&name(MODELS_MAX), changed), Lesson::default());
        assert_eq!(lessons.known().len(), 1);
    }
}
