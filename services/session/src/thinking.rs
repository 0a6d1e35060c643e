//! How hard a model is told to think: the words there are, and what a caller's word means.

/// In the words that providers know.
pub(crate) const LEVELS: [&str; 7] = ["off", "minimal", "low", "medium", "high", "xhigh", "max"];

/// How hard a model is told to think: one of the words, or one that models have of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Level(String);

impl Level {
    /// Not at all.
    pub(crate) const OFF: &str = "off";

    /// One that the configuration or a row holds, or that somebody wrote and [`crate::book::Book::level`] has yet to read.
    pub(crate) fn known(word: impl Into<String>) -> Self {
        Self(word.into())
    }

    /// The word.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Level> for String {
    fn from(level: Level) -> Self {
        level.0
    }
}

/// The words there are, and with them those that models have of their own.
#[derive(Clone, Debug)]
pub(crate) struct Levels<'a>(Vec<&'a str>);

impl<'a> Levels<'a> {
    pub(crate) fn with(own: impl IntoIterator<Item = &'a str>) -> Self {
        let mut levels = LEVELS.to_vec();
        for level in own {
            if !levels.contains(&level) {
                levels.push(level);
            }
        }
        Self(levels)
    }

    /// The level that somebody means, in its own spelling.
    pub(crate) fn read(&self, word: &str) -> Option<&'a str> {
        let word = match word.trim() {
            on if on.eq_ignore_ascii_case("on") => "low",
            none if none.eq_ignore_ascii_case("none") => "off",
            word => word,
        };
        self.0
            .iter()
            .find(|level| level.eq_ignore_ascii_case(word))
            .copied()
    }

    /// All of them, for people.
    pub(crate) fn listed(&self) -> String {
        self.0.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_meant_in_any_case_and_by_what_people_say_for_it() {
        let levels = Levels::with(["high", "Ultra"]);

        for (word, level) in [
            ("HIGH ", "high"),
            ("on", "low"),
            ("none", "off"),
            ("ultra", "Ultra"),
        ] {
            assert_eq!(levels.read(word), Some(level), "{word}");
        }
        for none in ["bogus", "", "default"] {
            assert_eq!(levels.read(none), None, "{none}");
        }
        assert!(levels.listed().ends_with("xhigh, max, Ultra"));
    }
}
