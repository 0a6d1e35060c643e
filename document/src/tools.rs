//! `tools`: what is done for models that they cannot do themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Models that are named for one thing: beyond a few nobody waits for the next one.
pub const MODELS_MAX: usize = 8;

/// The longest language, in bytes: `pt-BR`, `zh-Hant-TW`.
pub const LANGUAGE_BYTES_MAX: usize = 32;

/// The largest recording in bytes, unless the document says otherwise: OpenClaw's.
const AUDIO_BYTES: u32 = 20 * 1024 * 1024;

/// How long a transcript is waited for in seconds, unless the document says otherwise: OpenClaw's.
const AUDIO_SECONDS: u32 = 60;

/// What is done for models that they cannot do themselves.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Tools {
    /// What people send besides words.
    pub media: MediaTools,
}

/// What people send besides words.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct MediaTools {
    /// Voice notes and other recordings.
    pub audio: AudioTools,
}

/// Voice notes and other recordings are transcribed before a model is asked: none is given sound.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct AudioTools {
    /// False: recordings are only named. Unset: they are transcribed where `models` names somebody who does it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Who transcribes; the next one where one fails. At most 8.
    pub models: Vec<AudioModel>,
    /// The largest recording, in bytes. What is larger is only named. Unset: 20971520.
    #[schemars(range(min = 1_024, max = 20_971_520))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u32>,
    /// How long a transcript is waited for, in seconds. Unset: 60.
    #[schemars(range(min = 1, max = 600))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// The language that is spoken (`de`). Unset: the model finds out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// Who transcribes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AudioModel {
    /// An entry of `models.providers`, whose `/audio/transcriptions` is asked.
    pub provider: String,
    /// The model there, for example `whisper-1`.
    pub model: String,
}

impl AudioTools {
    /// The largest recording that is transcribed, in bytes. `None`: none is.
    pub fn bytes_max(&self) -> Option<u64> {
        let on = self.enabled.unwrap_or(true) && !self.models.is_empty();
        on.then(|| u64::from(self.max_bytes.unwrap_or(AUDIO_BYTES).min(AUDIO_BYTES)))
    }

    /// How long a transcript is waited for, in seconds.
    pub fn seconds(&self) -> u64 {
        u64::from(self.timeout_seconds.unwrap_or(AUDIO_SECONDS).clamp(1, 600))
    }
}
