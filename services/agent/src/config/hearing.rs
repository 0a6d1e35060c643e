//! How recordings are transcribed.

use std::time::Duration;

use gatehouse_document::tools::{AudioTools, LANGUAGE_BYTES_MAX, MODELS_MAX};

/// How recordings are transcribed.
#[derive(Clone, Debug)]
pub(crate) struct Hearing {
    /// `<provider>/<model>`, in the order in which they are asked.
    pub(crate) models: Vec<String>,
    pub(crate) bytes_max: u64,
    pub(crate) timeout: Duration,
    pub(crate) language: Option<String>,
}

impl Hearing {
    /// `None`: they are not.
    pub(crate) fn read(audio: &AudioTools) -> Option<Self> {
        let bytes_max = audio.bytes_max()?;
        let models = audio.models.iter().take(MODELS_MAX);
        let models = models.map(|named| format!("{}/{}", named.provider, named.model));
        let language = audio.language.as_deref().map(str::trim);
        let is_short = |language: &&str| !language.is_empty() && language.len() <= LANGUAGE_BYTES_MAX;
        Some(Self {
            models: models.collect(),
            bytes_max,
            timeout: Duration::from_secs(audio.seconds()),
            language: language.filter(is_short).map(str::to_owned),
        })
    }
}
