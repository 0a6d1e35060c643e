//! How hard a model is told to think: the words there are, and what a caller's word means.

pub(crate) use gatehouse_document::models::Levels;

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
