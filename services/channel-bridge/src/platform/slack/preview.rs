//! Answers that are still being written. Below a thread they are streamed in Slack's own way, where Slack knows to whom; elsewhere, and
//! where Slack streams nothing of this app, a message is posted and changed.
//!
//! What was streamed stays as it is, so a stream goes on only as long as the text grows at its end. Otherwise the stream ends and the
//! message is changed from then on, as it is by whoever comes after a restart, and by the answer.

use std::sync::atomic::Ordering;

use gatehouse_core::content::Choice;
use serde_json::{Value, json};

use super::{
    api::ApiError,
    asked::Asker,
    buttons::blocks,
    chats::Place,
    mrkdwn::shown,
    refusal::{is_gone, is_of_streams, is_of_the_app, is_passing},
    say::{Mouth, receipt},
    streams::{Posted, Standing, Stream, standing},
};
use crate::{
    adapter::{Preview, PreviewError, Receipt, SendError, SendPart, Shown},
    platform::web::letters::GAP,
};

impl Mouth {
    pub(super) async fn preview(&self, preview: &Preview) -> Result<Shown, PreviewError> {
        let place = Place::read(preview.to.as_str(), preview.thread_id.as_deref());
        let place = place.map_err(PreviewError::Never)?;
        self.quiet(&place.channel)?;
        if !preview.may_last {
            return Err(PreviewError::MustLast);
        }
        let standing = match &preview.shown {
            None => self.show_first(preview, &place).await?,
            Some(shown) => {
                let standing = standing(shown).map_err(PreviewError::Never)?;
                self.show_more(preview, &place, &standing).await?;
                standing
            }
        };
        Ok(Shown {
            id: Some(standing.to_string()),
        })
    }

    async fn show_first(&self, preview: &Preview, place: &Place) -> Result<Standing, PreviewError> {
        let thread = self.thread(preview.reply_to_id.as_ref(), 0, place);
        if let Some(thread) = &thread
            && let Some(standing) = self.stream(preview, place, thread).await?
        {
            return Ok(standing);
        }
        let posted = self.post(place, thread, &preview.text, &[]).await;
        let posted = posted.map_err(|error| self.failed(&place.channel, error))?;
        Ok(Standing::new(posted, false))
    }

    /// Begins a stream. Nothing: Slack does not stream here.
    async fn stream(
        &self,
        preview: &Preview,
        place: &Place,
        thread: &str,
    ) -> Result<Option<Standing>, PreviewError> {
        let asked = preview.reply_to_id.as_ref();
        let asker = asked.and_then(|message| self.asked.by(message.as_str()));
        let is_direct = place.channel.starts_with('D');
        if self.streams.none.load(Ordering::Relaxed) || asker.is_none() && !is_direct {
            return Ok(None);
        }
        let text = streamed(&preview.text);
        let mut stream = json!({"channel": place.channel, "thread_ts": thread});
        if let Some(fields) = stream.as_object_mut() {
            if !text.is_empty() {
                fields.insert("markdown_text".to_owned(), json!(text));
            }
            if let Some(Asker { user, team }) = asker {
                fields.insert("recipient_user_id".to_owned(), json!(user));
                fields.insert("recipient_team_id".to_owned(), json!(team));
            }
        }
        match self.api.call::<Posted>("chat.startStream", &stream).await {
            Ok(posted) => {
                let standing = Standing::new(posted, true);
                self.streams.keep(&standing.ts, Stream::Open(text));
                Ok(Some(standing))
            }
            Err(ApiError::Refused(refused)) if is_of_streams(&refused) => {
                tracing::info!(reason = %refused, "Slack streams nothing here: answers that are being written are messages that change");
                if is_of_the_app(&refused) {
                    self.streams.none.store(true, Ordering::Relaxed);
                }
                Ok(None)
            }
            Err(error) => Err(self.failed(&place.channel, error).into()),
        }
    }

    async fn show_more(
        &self,
        preview: &Preview,
        place: &Place,
        standing: &Standing,
    ) -> Result<(), PreviewError> {
        if let Some(Stream::Open(said)) = self.streams.of(&standing.ts) {
            let text = streamed(&preview.text);
            match text.strip_prefix(&said) {
                Some("") => return Ok(()),
                Some(more) if self.append(standing, more).await? => {
                    self.streams.keep(&standing.ts, Stream::Open(text));
                    return Ok(());
                }
                Some(_) | None => {}
            }
        }
        self.end_stream(standing).await?;
        let changed = self.change(standing, &preview.text, &[]).await;
        changed.map_err(|error| self.failed(&place.channel, error).into())
    }

    /// Says more in a stream. False: it is over.
    async fn append(&self, standing: &Standing, more: &str) -> Result<bool, SendError> {
        let more = json!({"channel": standing.channel, "ts": standing.ts, "markdown_text": more});
        match self.api.call::<Value>("chat.appendStream", &more).await {
            Ok(_) => Ok(true),
            Err(ApiError::Refused(refused)) if refused.word == "message_not_in_streaming_state" => {
                self.streams.keep(&standing.ts, Stream::Ended);
                Ok(false)
            }
            Err(error) => Err(self.failed(&standing.channel, error)),
        }
    }

    /// A message that is being streamed cannot be changed.
    async fn end_stream(&self, standing: &Standing) -> Result<(), SendError> {
        if !standing.is_stream || matches!(self.streams.of(&standing.ts), Some(Stream::Ended)) {
            return Ok(());
        }
        let end = json!({"channel": standing.channel, "ts": standing.ts});
        match self.api.call::<Value>("chat.stopStream", &end).await {
            Ok(_) => {}
            Err(ApiError::Refused(refused)) if refused.status < 400 && !is_passing(&refused) => {
                tracing::debug!(reason = %refused, "a stream is over already");
            }
            // To end it twice is no harm.
            Err(error) => {
                return Err(match self.failed(&standing.channel, error) {
                    SendError::Unknown { reason } => SendError::retry(reason),
                    other => other,
                });
            }
        }
        self.streams.keep(&standing.ts, Stream::Ended);
        Ok(())
    }

    async fn change(&self, standing: &Standing, text: &str, choices: &[Choice]) -> Result<(), ApiError> {
        let mut change = json!({"channel": standing.channel, "ts": standing.ts, "text": shown(text)});
        let offers = !choices.is_empty();
        if let Some(fields) = change.as_object_mut().filter(|_| standing.is_stream || offers) {
            // What was streamed is a block, which stays unless it is taken out.
            let blocks = if offers { blocks(text, choices) } else { json!([]) };
            fields.insert("blocks".to_owned(), blocks);
        }
        self.api.call::<Value>("chat.update", &change).await.map(drop)
    }

    /// The answer, in the place of what shows its beginning.
    pub(super) async fn replace(&self, replaced: &str, part: &SendPart) -> Result<Receipt, SendError> {
        let gone = |reason: String| SendError::PreviewGone { reason };
        let standing = standing(replaced).map_err(gone)?;
        self.end_stream(&standing).await?;
        let changed = match self.change(&standing, &part.text, &part.choices).await {
            Err(ApiError::Refused(refused)) => match self.without_buttons(part, &refused) {
                Some(words) => self.change(&standing, &words, &[]).await,
                None => Err(ApiError::Refused(refused)),
            },
            changed => changed,
        };
        match changed {
            Ok(()) => {
                self.streams.forget(&standing.ts);
                Ok(receipt(&standing.channel, &standing.ts))
            }
            Err(ApiError::Refused(refused)) if is_gone(&refused) => {
                // One that is there and cannot be changed would stand beside the answer.
                self.take_back(&standing).await?;
                Err(gone(format!("Slack refused: {refused}")))
            }
            Err(error) => Err(self.failed(&standing.channel, error)),
        }
    }

    pub(super) async fn withdraw(&self, replaced: &str) -> Result<(), PreviewError> {
        let standing = standing(replaced).map_err(PreviewError::Never)?;
        Ok(self.take_back(&standing).await?)
    }

    async fn take_back(&self, standing: &Standing) -> Result<(), SendError> {
        self.end_stream(standing).await?;
        let message = json!({"channel": standing.channel, "ts": standing.ts});
        match self.api.call::<Value>("chat.delete", &message).await {
            Ok(_) => {}
            Err(ApiError::Refused(refused)) if is_gone(&refused) => {
                tracing::debug!(reason = %refused, "a preview cannot be taken back");
            }
            Err(error) => return Err(self.failed(&standing.channel, error)),
        }
        self.streams.forget(&standing.ts);
        Ok(())
    }
}

/// What is said in a stream of a text that is not whole: without the sign that there is more to come, and without the end of a piece of
/// code, which may be written still.
fn streamed(preview: &str) -> String {
    let text = preview.trim_end_matches('…').trim_end();
    let last = text.lines().next_back().unwrap_or_default();
    let is_fence = matches!(last.trim(), "```" | "~~~");
    let text = if is_fence {
        text.strip_suffix(last).unwrap_or(text).trim_end()
    } else {
        text
    };
    uncalled(text)
}

/// Markdown that calls nobody: `<!channel>`, `<@U1>`.
fn uncalled(text: &str) -> String {
    let (mut safe, mut before) = (String::with_capacity(text.len()), ' ');
    for c in text.chars() {
        if before == '<' && matches!(c, '!' | '@' | '#') {
            safe.push(GAP);
        }
        safe.push(c);
        before = c;
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::{GAP, streamed};

    #[test]
    fn what_is_streamed_only_ever_grows_at_its_end_and_calls_nobody() {
        let mut said = String::new();
        for preview in [
            "see …",
            "see\n\n```rust\nlet a\n```\n\n…",
            "see\n\n```rust\nlet a = 1;\n```\n\n…",
            "see\n\n```rust\nlet a = 1;\n```\n\nso <!chan\n\n…",
            "see\n\n```rust\nlet a = 1;\n```\n\nso <!channel> it is\n\n…",
        ] {
            let more = streamed(preview);
            assert!(more.starts_with(&said), "{said:?} {more:?}");
            said = more;
        }
        assert!(said.ends_with(&format!("so <{GAP}!channel> it is")), "{said}");
    }
}
