//! What of what a program brings no model would read. It is refused with its place before a turn is begun: a program that is answered
//! believes that all of it was read.

use std::collections::HashSet;

use gatehouse_core::Content;
use gatehouse_core::content::{Block, Media, MediaKind};

use super::run::media::{BYTES_MAX, COUNT_MAX, TEXT_BYTES_MAX, is_text};
use crate::agents::ModelName;
use crate::error::Error;
use crate::key::SessionKey;
use crate::policy::Policy;

/// What the models that may answer take in of media, and how much more of it one question may hold.
#[derive(Debug)]
pub(super) struct Readable {
    sees: bool,
    /// The longest recording that is transcribed.
    hears: Option<u64>,
    /// The model that is asked first.
    model: String,
    known: HashSet<String>,
    left: u64,
}

impl Readable {
    /// By those that may answer in a session: `chosen` before what its agent names.
    pub(super) fn by(policy: &Policy, key: &SessionKey, chosen: Option<&ModelName>) -> Result<Self, Error> {
        let configured = &policy.agents.of(key)?.models;
        let others = configured.iter().skip(usize::from(chosen.is_some()));
        let models: Vec<&str> = chosen.into_iter().chain(others).map(ModelName::as_str).collect();
        let sees = |model: &&str| policy.book.facts(model).is_some_and(|facts| facts.sees);
        Ok(Self {
            sees: models.iter().any(sees),
            hears: policy.hears,
            model: models.first().map_or("echo/echo", |model| *model).to_owned(),
            known: HashSet::new(),
            left: BYTES_MAX,
        })
    }

    /// Looks at the media of one message, which stand there in the order of its attachments below `path`.
    ///
    /// # Errors
    /// At the first that no model takes.
    pub(super) fn check(&mut self, content: &Content, path: &str) -> Result<(), Error> {
        let media = content.blocks().iter().filter_map(|block| match block {
            Block::Media(media) => Some(media),
            _ => None,
        });
        for (index, media) in media.enumerate() {
            self.take(media).map_err(|problem| Error::MediaNotTaken {
                path: format!("{path}/{index}"),
                problem,
            })?;
        }
        Ok(())
    }

    fn take(&mut self, media: &Media) -> Result<(), String> {
        let bytes = media
            .size_bytes
            .and_then(|bytes| u64::try_from(bytes).ok())
            .unwrap_or(0);
        match (media.kind(), self.hears) {
            (MediaKind::Image, _) if !self.sees => {
                return Err(format!(
                    "{} is not listed as a model that takes pictures: choose one with `input: [\"text\", \"image\"]` under \
                     models.providers, or add that to this one",
                    self.model
                ));
            }
            (MediaKind::Audio, None) => {
                let problem = "no model is given sound, and nobody is named who transcribes it: set tools.media.audio.models";
                return Err(problem.to_owned());
            }
            (MediaKind::Audio, Some(max)) if bytes > max => {
                return Err(format!(
                    "the recording is larger than tools.media.audio.maxBytes, {max} bytes"
                ));
            }
            (MediaKind::File, _) if !is_text(media) => {
                return Err("of files, only texts are read to a model".to_owned());
            }
            (MediaKind::File, _) if bytes > TEXT_BYTES_MAX => {
                return Err(format!(
                    "a text that is read to a model has at most {TEXT_BYTES_MAX} bytes"
                ));
            }
            (MediaKind::Video, _) => return Err("no model is shown videos".to_owned()),
            (MediaKind::Image | MediaKind::Audio | MediaKind::File, _) => {}
        }
        let id = media.source.id().unwrap_or_default();
        if !self.known.insert(id.to_owned()) {
            return Ok(());
        }
        if self.known.len() > COUNT_MAX {
            return Err(format!(
                "a model is shown at most {COUNT_MAX} pictures and files of one conversation"
            ));
        }
        self.left = self.left.checked_sub(bytes).ok_or_else(|| {
            format!("a model is shown at most {BYTES_MAX} bytes of pictures and files of one conversation")
        })?;
        Ok(())
    }
}
