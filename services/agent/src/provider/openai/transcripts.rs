//! What was said in a recording: `POST /audio/transcriptions`.

use gatehouse_proto::agent::v1::FailureKind;
use reqwest::multipart::{Form, Part};
use serde::Deserialize;
use tokio::time::timeout;

use super::{
    Endpoint, reading,
    whole::{self, Unread},
};
use crate::{
    config::Hearing,
    provider::{Unanswered, failure},
    request::Medium,
};

/// The longest answer that is read: an hour of speech has some sixty kilobytes.
const ANSWER_BYTES_MAX: usize = 512 * 1024;

#[derive(Deserialize)]
struct Told {
    text: String,
}

impl Endpoint {
    /// The words of a recording.
    pub(crate) async fn transcribe(
        &self,
        hearing: &Hearing,
        recording: &Medium,
    ) -> Result<String, Unanswered> {
        let limit = self.timeout.min(hearing.timeout);
        match timeout(limit, self.read_transcript(hearing, recording)).await {
            Ok(answered) => answered,
            Err(_) => {
                let what = format!("did not answer within {} s", limit.as_secs());
                Err(self.no_words(FailureKind::Timeout, &what))
            }
        }
    }

    async fn read_transcript(&self, hearing: &Hearing, recording: &Medium) -> Result<String, Unanswered> {
        let callee = self.callee();
        let Medium { mime_type, data } = recording;
        let file = Part::stream(data.clone())
            .file_name(format!("recording.{}", ending(mime_type)))
            .mime_str(mime_type)
            .map_err(|_| self.no_words(FailureKind::Rejected, "cannot be given a recording of this type"))?;
        let mut form = Form::new()
            .text("model", self.name.model.clone())
            .text("response_format", "json")
            .part("file", file);
        if let Some(language) = &hearing.language {
            form = form.text("language", language.clone());
        }
        let sent = self
            .http
            .post(self.base.transcripts())
            .headers(self.headers.clone())
            .multipart(form)
            .send();
        let response = sent
            .await
            .map_err(|error| failure::from_transport(&callee, &error))?;
        if !response.status().is_success() {
            return Err(reading::refusal(&callee, response).await);
        }
        let told = match whole::read(&callee, response, ANSWER_BYTES_MAX).await {
            Ok(told) => told,
            Err(Unread::TooLong) => {
                return Err(self.no_words(FailureKind::Rejected, "sent a transcript that is too long"));
            }
            Err(Unread::Failed(why)) => return Err(why),
        };
        match serde_json::from_str(&told.text) {
            Ok(Told { text }) => Ok(text),
            Err(_) => Err(told.refused(&callee, "did not send a transcript")),
        }
    }

    fn no_words(&self, kind: FailureKind, what: &str) -> Unanswered {
        let callee = self.callee();
        let message = format!("provider {} at {} {what}", callee.provider, callee.origin());
        callee.failed(kind, message)
    }
}

/// What the name of a recording ends with: servers look at it and not at the type.
fn ending(mime_type: &str) -> &'static str {
    match mime_type.split(';').next().unwrap_or_default() {
        "audio/mpeg" => "mp3",
        "audio/mp4" | "audio/m4a" | "audio/x-m4a" | "audio/aac" => "m4a",
        "audio/wav" | "audio/x-wav" => "wav",
        "audio/webm" => "webm",
        "audio/flac" => "flac",
        _ => "ogg",
    }
}
