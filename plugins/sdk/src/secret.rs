//! A secret: it cannot be printed.

use std::fmt;

/// A secret. Reading it takes an explicit [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret in. The line end of a file is not a part of it.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        Self(secret.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
