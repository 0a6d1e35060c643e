//! Labels whose words come from outside. A label costs memory for as long as the process lives, here and in whatever scrapes it, so
//! there are so many words and no more.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

/// What stands for every word that found no place.
const OTHER: &str = "other";

/// The longest word. A name that a person gave is shorter.
const WORD_BYTES_MAX: usize = 100;

/// The words of one label, or of several that go together.
#[derive(Debug)]
pub struct Words<const N: usize> {
    known: Mutex<HashSet<[String; N]>>,
    max: usize,
}

impl<const N: usize> Words<N> {
    /// As many as that are told apart.
    #[must_use]
    pub fn at_most(max: usize) -> Self {
        Self {
            known: Mutex::default(),
            max,
        }
    }

    /// The labels for these words: themselves, or `other` for each when there are too many.
    #[must_use]
    pub fn labels(&self, words: [&str; N]) -> [String; N] {
        let words = words.map(|word| {
            let end = word.floor_char_boundary(WORD_BYTES_MAX);
            word.get(..end).unwrap_or_default().to_owned()
        });
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&words) {
            return words;
        }
        if known.len() >= self.max {
            return words.map(|_| OTHER.to_owned());
        }
        known.insert(words.clone());
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invented_words_do_not_grow_our_memory() {
        let words = Words::at_most(2);

        assert_eq!(words.labels(["ollama", "llama3.2"]), ["ollama", "llama3.2"]);
        let long = "ä".repeat(1_000);
        assert_eq!(words.labels(["x", &long])[1].len(), WORD_BYTES_MAX);
        assert_eq!(words.labels(["ollama", "invented"]), ["other", "other"]);
        assert_eq!(words.labels(["ollama", "llama3.2"]), ["ollama", "llama3.2"]);
    }
}
