//! What makes two requests the same, as a digest.

use sha2::{Digest, Sha256};

/// A digest of everything that makes two requests the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(Vec<u8>);

impl Fingerprint {
    /// Each part is preceded by its length, so that no two lists of parts look alike.
    pub(crate) fn of(parts: &[&str]) -> Self {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            digest.update(part.as_bytes());
        }
        Self(digest.finalize().to_vec())
    }

    /// The same with how hard the model is to think, when the request says so: one that does not is known under the digest that
    /// earlier versions made.
    pub(crate) fn with_thinking(parts: &[&str], thinking: Option<&str>) -> Self {
        let thinking = thinking.map(|level| ["thinking", level]);
        let all: Vec<&str> = parts
            .iter()
            .copied()
            .chain(thinking.into_iter().flatten())
            .collect();
        Self::of(&all)
    }

    /// The same of parts that may be absent: what is absent is not what is empty.
    pub(crate) fn of_options(parts: &[Option<&str>]) -> Self {
        let marked: Vec<&str> = parts
            .iter()
            .flat_map(|part| {
                [
                    if part.is_some() { "set" } else { "unset" },
                    part.unwrap_or_default(),
                ]
            })
            .collect();
        Self::of(&marked)
    }

    /// As it is stored.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_lists_of_parts_look_alike() {
        assert_ne!(Fingerprint::of(&["ab", "c"]), Fingerprint::of(&["a", "bc"]));
        assert_ne!(Fingerprint::of(&["a", ""]), Fingerprint::of(&["a"]));
        assert_eq!(Fingerprint::of(&["a"]), Fingerprint::of(&["a"]));
    }
}
