//! What was said in recordings, in words: no model is given sound, so a recording is transcribed before one is asked.
//!
//! It is done here and not where messages come in: this service has the providers and their keys, only what is answered is paid for, and
//! what cannot be transcribed now is tried again with the next question. A transcript is remembered as long as the process lives, by the
//! id of its recording, which is the digest of its bytes.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use gatehouse_core::content::{Block, MediaKind};
use gatehouse_proto::agent::v1::FailureKind;

use super::Tools;
use crate::{
    config::{Config, ECHO, Hearing},
    provider::{Unanswered, openai::Endpoint},
    request::{Medium, Question, TRANSCRIPT},
};

/// What stands there when nobody said a word.
const SILENCE: &str = "(nothing was said)";
/// Bytes of all transcripts that are remembered: some hundreds of voice notes. Beyond it all are forgotten, and made anew when they are
/// needed.
const BYTES_MAX: usize = 1024 * 1024;

/// Transcripts by the ids of their recordings.
#[derive(Debug, Default)]
pub(crate) struct Transcripts(Mutex<HashMap<String, Bytes>>);

impl Transcripts {
    fn of(&self, recording: &str) -> Option<Bytes> {
        self.lock().get(recording).cloned()
    }

    fn keep(&self, recording: &str, transcript: Bytes) {
        let mut known = self.lock();
        let bytes: usize = known.iter().map(|(id, text)| id.len() + text.len()).sum();
        if bytes + recording.len() + transcript.len() > BYTES_MAX {
            known.clear();
        }
        known.insert(recording.to_owned(), transcript);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts transcripts in the place of the recordings of a question, the newest first. After one that fails no other is tried: whoever
/// asks is waiting.
pub(crate) async fn transcribe(config: &Config, tools: &Tools, question: &mut Question) {
    let recordings: Vec<String> = recordings(question);
    for id in recordings {
        let Some(medium) = question
            .shelf
            .get(&id)
            .filter(|medium| medium.mime_type != TRANSCRIPT)
        else {
            continue;
        };
        let known = tools.transcripts.of(&id);
        let transcript = match (known, &question.unheard) {
            (Some(known), _) => known,
            (None, Some(_)) => continue,
            (None, None) => match heard(config, tools, medium).await {
                Ok(transcript) => {
                    tools.transcripts.keep(&id, transcript.clone());
                    transcript
                }
                Err(why) => {
                    tracing::warn!(
                        media.id = id,
                        reason = why,
                        "a recording could not be transcribed"
                    );
                    question.unheard = Some(why);
                    continue;
                }
            },
        };
        let medium = Medium {
            mime_type: TRANSCRIPT.to_owned(),
            data: transcript,
        };
        question.shelf.insert(id, medium);
    }
}

/// The ids of the recordings whose bytes are there, the newest first.
fn recordings(question: &Question) -> Vec<String> {
    let messages = question.messages.iter().rev();
    let blocks = messages.flat_map(|message| message.content.blocks());
    let named = blocks.filter_map(|block| match block {
        Block::Media(media) if media.kind() == MediaKind::Audio => media.source.id(),
        _ => None,
    });
    named
        .filter(|id| question.shelf.contains_key(*id))
        .map(str::to_owned)
        .collect()
}

/// Why recordings of a question stayed without words, in one line.
pub(crate) fn why(config: &Config, question: &Question) -> String {
    match (&question.unheard, &config.hearing) {
        (Some(why), _) => why.clone(),
        (None, Some(_)) => "it is too large, or not kept any more".to_owned(),
        (None, None) => "nobody is named who transcribes: set tools.media.audio.models".to_owned(),
    }
}

async fn heard(config: &Config, tools: &Tools, medium: &Medium) -> Result<Bytes, String> {
    let Some(hearing) = &config.hearing else {
        return Err("nobody is named who transcribes: set tools.media.audio.models".to_owned());
    };
    if medium.data.len() as u64 > hearing.bytes_max {
        return Err(format!(
            "it is larger than {} bytes (tools.media.audio.maxBytes)",
            hearing.bytes_max
        ));
    }
    let mut failed = None;
    for model in &hearing.models {
        match asked(config, tools, hearing, model, medium).await {
            Ok(text) if text.trim().is_empty() => return Ok(Bytes::from_static(SILENCE.as_bytes())),
            Ok(text) => return Ok(Bytes::from(text.trim().to_owned())),
            Err(why) => {
                tracing::info!(model.id = model, kind = ?why.kind, reason = why.message, "a model did not transcribe");
                failed.get_or_insert(why.message);
            }
        }
    }
    Err(failed.unwrap_or_default())
}

async fn asked(
    config: &Config,
    tools: &Tools,
    hearing: &Hearing,
    model: &str,
    medium: &Medium,
) -> Result<String, Unanswered> {
    let name = config.resolve(model)?;
    let Some(entry) = config.providers.get(&name.provider) else {
        let told =
            format!("{ECHO} transcribes nothing: name a model of a provider in tools.media.audio.models");
        return Err(Unanswered::new(FailureKind::Config, told));
    };
    let endpoint = Endpoint::new(&name, entry, &tools.http)?;
    endpoint.transcribe(hearing, medium).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_has_a_bound() {
        let transcripts = Transcripts::default();
        transcripts.keep("a", Bytes::from(vec![b'x'; BYTES_MAX / 2]));
        assert!(transcripts.of("a").is_some());

        transcripts.keep("b", Bytes::from(vec![b'x'; BYTES_MAX / 2]));

        assert!(transcripts.of("a").is_none() && transcripts.of("b").is_some());
    }
}
