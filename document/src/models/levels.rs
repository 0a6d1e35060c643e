//! How hard a model is told to think: the words there are, and what a word means that somebody wrote.

/// In the words that providers know.
pub const LEVELS: [&str; 7] = ["off", "minimal", "low", "medium", "high", "xhigh", "max"];

/// The words there are, and with them those that models have of their own.
#[derive(Clone, Debug)]
pub struct Levels<'a>(Vec<&'a str>);

impl<'a> Levels<'a> {
    /// With words that models have of their own.
    pub fn with(own: impl IntoIterator<Item = &'a str>) -> Self {
        let mut levels = LEVELS.to_vec();
        for level in own {
            if !levels.contains(&level) {
                levels.push(level);
            }
        }
        Self(levels)
    }

    /// The level that somebody means, in its own spelling.
    pub fn read(&self, word: &str) -> Option<&'a str> {
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
    pub fn listed(&self) -> String {
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
