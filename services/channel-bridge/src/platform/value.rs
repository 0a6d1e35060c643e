//! What the configurations of several platforms have in common, from the document's types to this bridge's.

use gatehouse_core::{NamedFile, Secret};
use gatehouse_document::{PathInput, SecretInput, policies::SendRate};

use crate::adapter::Rate;

impl From<SendRate> for Rate {
    fn from(SendRate { burst, per_second }: SendRate) -> Self {
        Self { burst, per_second }
    }
}

/// A secret. The config service follows references before it sends them.
pub(super) fn secret(key: &str, input: &SecretInput) -> Result<Secret, String> {
    let text = input.text();
    text.map(Secret::new)
        .ok_or_else(|| format!("{key}: the reference was not followed"))
}

/// A file that the document names. What a method named stays within its folder.
pub(super) fn file(key: &str, input: PathInput) -> Result<NamedFile, String> {
    match input {
        PathInput::Written(path) => Ok(NamedFile::anywhere(path)),
        PathInput::Whole { path, within: None } => Ok(NamedFile::anywhere(path)),
        PathInput::Whole {
            path,
            within: Some(folder),
        } => NamedFile::within(&path, &folder)
            .ok_or_else(|| format!("{key}: is not within {}", folder.display())),
    }
}
