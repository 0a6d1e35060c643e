//! How a platform tells names apart. Who may talk is decided by it too: two spellings of one room are one room there, and meet
//! one rule and one binding here.

use serde::{Deserialize, Serialize};

/// A case mapping. Its serialised form stands in rows of the inbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// Letters of ASCII only: also for platforms whose ids have one spelling, because people type them.
    #[default]
    Ascii,
    /// `{}|^` are the lower case of `[]\~` (RFC 1459, section 2.2).
    Rfc1459,
    /// As before, without `~`.
    Rfc1459Strict,
    /// Every letter that has a lower case.
    Unicode,
}

impl Case {
    /// The lower case of a name.
    #[must_use]
    pub fn fold(self, text: &str) -> String {
        if self == Self::Unicode {
            return text.to_lowercase();
        }
        text.chars()
            .map(|c| match (c, self) {
                ('[', Self::Rfc1459 | Self::Rfc1459Strict) => '{',
                (']', Self::Rfc1459 | Self::Rfc1459Strict) => '}',
                ('\\', Self::Rfc1459 | Self::Rfc1459Strict) => '|',
                ('~', Self::Rfc1459) => '^',
                (c, _) => c.to_ascii_lowercase(),
            })
            .collect()
    }

    /// Whether two names are the same.
    #[must_use]
    pub fn same(self, one: &str, other: &str) -> bool {
        one == other || self.fold(one) == self.fold(other)
    }
}

#[cfg(test)]
mod tests {
    use super::Case;

    #[test]
    fn names_are_equal_under_the_mapping_of_the_server() {
        assert!(Case::Rfc1459.same("Anna[away]", "anna{AWAY}"));
        assert!(Case::Rfc1459.same("a\\b~", "A|B^"));
        assert!(!Case::Rfc1459Strict.same("b~", "B^"));
        assert!(
            !Case::Ascii.same("#a[", "#a{"),
            "two rooms of an ASCII server must not become one"
        );
        assert!(Case::Unicode.same("#KÜCHE", "#küche") && !Case::Ascii.same("#KÜCHE", "#küche"));
    }
}
