//! Words about something that went wrong, for two readers who need different ones.
//!
//! A person in a chat can do nothing with the name of a configuration key, a path or a provider's reply, and need not learn
//! them. An operator can do nothing without. So the words for people are fixed when the program is compiled, where they are
//! checked to name nothing of the kind; what is put together while it runs can only become words for operators.

use std::fmt;

/// Words for anybody who reads along in a chat.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ForPeople(&'static str);

impl ForPeople {
    /// Plain words. Checked when the program is compiled, where this is used for a constant.
    ///
    /// # Panics
    /// When they look like a key, a path, a command or code: these are for operators.
    #[must_use]
    pub const fn new(words: &'static str) -> Self {
        assert!(
            is_plain(words.as_bytes()),
            "people in a chat are told no keys, paths or commands"
        );
        Self(words)
    }

    /// The words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        self.0
    }

    /// The words behind what was said before, which stays as it is.
    #[must_use]
    pub fn after(self, said: &str) -> String {
        if said.trim().is_empty() {
            self.0.to_owned()
        } else {
            format!("{}\n\n({})", said.trim_end(), self.0)
        }
    }
}

impl fmt::Debug for ForPeople {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

/// What went wrong, for both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    for_people: ForPeople,
    for_operators: String,
}

impl Notice {
    /// Fixed words for people; the cause and the next step for operators.
    pub fn new(for_people: ForPeople, for_operators: impl Into<String>) -> Self {
        let for_operators: String = for_operators.into();
        let for_operators = if for_operators.trim().is_empty() {
            for_people.0.to_owned()
        } else {
            for_operators
        };
        Self {
            for_people,
            for_operators,
        }
    }

    /// For a chat.
    #[must_use]
    pub const fn for_people(&self) -> ForPeople {
        self.for_people
    }

    /// For logs, transcripts and the screens of operators. Never holds a secret.
    #[must_use]
    pub fn for_operators(&self) -> &str {
        &self.for_operators
    }
}

/// The same words for both: where there is nothing that an operator could do.
impl From<ForPeople> for Notice {
    fn from(words: ForPeople) -> Self {
        Self::new(words, words.0)
    }
}

/// Sentences, and nothing that looks like `a.key`, `camelCase`, `snake_case`, `/a/path`, `--option`, `{json}` or HTTP 401.
const fn is_plain(words: &[u8]) -> bool {
    let mut before = b' ';
    let mut rest = words;
    while let [byte, tail @ ..] = rest {
        let fits = match *byte {
            b'a'..=b'z' => !matches!(before, b'.' | b':'),
            b'A'..=b'Z' => !before.is_ascii_lowercase() && !matches!(before, b'.' | b':'),
            b' ' | b',' | b'.' | b'?' | b'!' | b'\'' | b';' | b':' => true,
            b'-' => before.is_ascii_lowercase(),
            _ => false,
        };
        if !fits {
            return false;
        }
        before = *byte;
        rest = tail;
    }
    !words.is_empty()
}

#[cfg(test)]
mod tests {
    use super::{ForPeople, Notice, is_plain};

    #[test]
    fn words_for_people_name_no_keys_paths_commands_or_codes() {
        for words in [
            "raise timeoutSeconds",
            "check models.providers",
            "set GATEHOUSE_HOME",
            "see /var/log",
            "run `gatehouse status`",
            "use --home",
            "{\"a\": 1}",
            "HTTP 401",
            "http://127.0.0.1",
            "C:\\x",
            "sk-1",
            "",
        ] {
            assert!(!is_plain(words.as_bytes()), "{words}");
        }
        for words in [
            "Please try again in a minute.",
            "It broke off: the owner can see why.",
            "A well-known fault.",
        ] {
            assert!(is_plain(words.as_bytes()), "{words}");
        }
    }

    #[test]
    fn a_notice_stands_behind_what_was_said() {
        let words = ForPeople::new("It broke off.");

        assert_eq!(words.after("Half an ans\n"), "Half an ans\n\n(It broke off.)");
        assert_eq!(words.after(" \n"), "It broke off.");
    }

    #[test]
    fn without_words_for_operators_they_read_those_for_people() {
        let words = ForPeople::new("It broke off.");

        assert_eq!(Notice::new(words, " ").for_operators(), "It broke off.");
        assert_eq!(Notice::from(words).for_people(), words);
    }
}
