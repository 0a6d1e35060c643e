//! How messages read when they were heard last. Platforms tell of changes that a reader does not see: a formatting, a pin, a preview. What
//! reads as before asks nothing anew. It is kept in memory: a change to what was said before a start counts as one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sha2::{Digest, Sha256};

/// Messages that are remembered: what is said in busy chats in more than ten minutes. Beyond it all are forgotten.
const MESSAGES_MAX: usize = 8192;

type Print = [u8; 8];

/// What a reader saw of a message, told from anything else and not to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::platform) struct Wording {
    words: Print,
    file: Print,
}

impl Wording {
    /// Of these words, and of this file beside them.
    pub(in crate::platform) fn of(words: &str, file: &str) -> Self {
        Self {
            words: print(words),
            file: print(file),
        }
    }

    /// Whether another file stands beside the words.
    pub(in crate::platform) fn has_other_file(&self, before: &Self) -> bool {
        self.file != before.file
    }

    /// The same for the same words and file, in any process.
    pub(in crate::platform) fn short(&self) -> String {
        let both = self.words.iter().take(4).chain(self.file.iter().take(4));
        both.map(|byte| format!("{byte:02x}")).collect()
    }
}

/// By the message. Clones share it.
#[derive(Clone, Debug, Default)]
pub(in crate::platform) struct Wordings(Arc<Mutex<HashMap<String, Wording>>>);

impl Wordings {
    /// What was heard is committed: this is how it reads.
    pub(in crate::platform) fn learn(&self, message: &str, wording: Wording) {
        let mut known = self.lock();
        if known.len() >= MESSAGES_MAX {
            known.clear();
        }
        known.insert(message.to_owned(), wording);
    }

    /// How it read last.
    pub(in crate::platform) fn of(&self, message: &str) -> Option<Wording> {
        self.lock().get(message).copied()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Wording>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn print(text: &str) -> Print {
    let mut print = Print::default();
    let digest = Sha256::digest(text.as_bytes());
    print.iter_mut().zip(digest).for_each(|(byte, of)| *byte = of);
    print
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_as_before_is_known_and_what_is_remembered_has_a_bound() {
        let wordings = Wordings::default();
        let one = Wording::of("one", "");
        wordings.learn("1", one);

        assert_eq!(wordings.of("1"), Some(Wording::of("one", "")));
        assert_ne!(wordings.of("1"), Some(Wording::of("two", "")));
        assert!(Wording::of("one", "f").has_other_file(&one) && !Wording::of("two", "").has_other_file(&one));
        assert_ne!(one.short(), Wording::of("one", "f").short());
        for message in 0..=MESSAGES_MAX {
            wordings.learn(&format!("m{message}"), one);
        }
        assert!(wordings.lock().len() <= MESSAGES_MAX && wordings.of("1").is_none());
    }
}
