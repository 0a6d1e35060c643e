//! Which messages people said lately. Discord tells that a message was deleted and not whose it was, and ours are deleted as well, when
//! a preview is taken back.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

/// Messages that are remembered: what is said in a busy server in an hour. Beyond it all are forgotten, and their end is not told.
const HEARD_MAX: usize = 4096;

/// The numbers of messages that were taken for something that somebody said.
#[derive(Debug, Default)]
pub(super) struct Heard(Mutex<HashSet<String>>);

impl Heard {
    pub(super) fn learn(&self, message: &str) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.len() >= HEARD_MAX {
            heard.clear();
        }
        heard.insert(message.to_owned());
    }

    /// Whether it is one of them.
    pub(super) fn knows(&self, message: &str) -> bool {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.contains(message)
    }

    /// Whether somebody said it. The second time nobody did.
    pub(super) fn forget(&self, message: &str) -> bool {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.remove(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_has_a_bound_and_is_told_once() {
        let heard = Heard::default();
        for number in 0..=HEARD_MAX {
            heard.learn(&number.to_string());
        }
        assert!(heard.forget("4096") && !heard.forget("4096"));
        assert!(!heard.forget("1"));
    }
}
