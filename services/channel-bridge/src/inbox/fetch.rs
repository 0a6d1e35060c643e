//! What belongs to a message besides its words is fetched once its sender was let in, and kept by the session service; the message
//! names it by the id it has there.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::StreamExt;
use gatehouse_core::{
    Content, Failure,
    content::{Block, Media, MediaSource},
};
use gatehouse_proto::session::v1::{KeepMediaHead, KeepMediaRequest, KeepMediaResponse};
use tokio::{sync::mpsc, time};

use super::{Inbox, Parts, final_refusal, store::InboxRow};
use crate::{
    account::Entry,
    adapter::{Adapter, FetchError, InboundMessage, Remote},
    store::StoreError,
};

/// The whole of one medium.
const FETCH_WITHIN: Duration = Duration::from_secs(120);
/// Bytes of one part on their way: the contract's figure.
const PART_BYTES: usize = 64 * 1024;
/// Parts that wait for the session service.
const PARTS_MAX: usize = 4;
/// How often a platform is asked that stumbles. Then the message is answered without.
const TRIES_MAX: u32 = 4;
/// Media that are fetched at the same time, of all accounts: each takes a part of the line and of the disk.
pub(super) const FETCHES_MAX: usize = 4;
/// Media of one message.
const MEDIA_MAX: usize = 16;

/// What came of it.
#[derive(Debug)]
pub(super) enum Fetched {
    /// To be handed on like this.
    Ready(Box<InboundMessage>),
    /// Somebody is away; the message waits.
    Later(Failure),
}

/// Why a medium is not kept.
enum Missed {
    /// For now.
    Away(Failure),
    /// The platform stumbles.
    Stumbled(String),
    /// For good, with words for the model.
    Never(String),
}

impl From<FetchError> for Missed {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Retry(reason) => Self::Stumbled(reason),
            FetchError::Never(reason) => Self::Never(reason),
        }
    }
}

/// Whether the platform has something of a message that is not here yet.
pub(super) fn has_remote(content: &Content) -> bool {
    let is_remote = |media: &Media| matches!(media.source, MediaSource::Url(_));
    let mut blocks = content.blocks().iter();
    blocks.any(|block| matches!(block, Block::Media(media) if is_remote(media)))
}

impl Inbox {
    /// The message with everything that it names kept here. What cannot be had is said in words.
    pub(super) async fn fetch(&self, row: &InboxRow, entry: &Entry) -> Result<Fetched, StoreError> {
        let Ok(_turn) = self.fetches.acquire().await else {
            return Ok(Fetched::Ready(Box::new(row.message.clone()))); // never closed
        };
        let (mut content, mut count) = (Content::default(), 0);
        for block in row.message.content.clone().into_blocks() {
            let media = match block {
                Block::Media(media) => media,
                other => {
                    content.push(other);
                    continue;
                }
            };
            let MediaSource::Url(address) = &media.source else {
                content.push(Block::Media(media));
                continue;
            };
            count += 1;
            let kept = if count > MEDIA_MAX {
                Err(Missed::Never("there are too many".into()))
            } else {
                let one = self.fetch_one(entry.adapter.as_ref(), address);
                let timed = time::timeout(FETCH_WITHIN, one).await;
                timed.unwrap_or_else(|_| Err(Missed::Stumbled("it took too long".into())))
            };
            match kept {
                Ok(kept) => content.push(Block::Media(Media {
                    source: MediaSource::Id(kept.id),
                    mime_type: Some(kept.mime_type),
                    name: media.name,
                    size_bytes: Some(kept.size_bytes),
                })),
                Err(Missed::Away(failure)) => return Ok(Fetched::Later(failure)),
                Err(Missed::Stumbled(reason)) if row.attempts < TRIES_MAX => {
                    tracing::info!(account.id = %row.account, message.id = %row.message.message_id, reason, "a medium cannot be fetched yet");
                    let failure = Failure::new(gatehouse_core::Kind::Unavailable, reason);
                    return Ok(Fetched::Later(failure));
                }
                Err(Missed::Stumbled(reason) | Missed::Never(reason)) => {
                    tracing::warn!(account.id = %row.account, message.id = %row.message.message_id, reason, "a medium was not fetched");
                    content.push(Block::text(format!(
                        "{} (could not be read: {reason})",
                        media.label()
                    )));
                }
            }
        }
        let message = InboundMessage {
            content,
            ..row.message.clone()
        };
        // A repeat fetches nothing a second time.
        self.store.rewrite(row.seq, message.clone()).await?;
        Ok(Fetched::Ready(Box::new(message)))
    }

    async fn fetch_one(
        &self,
        adapter: Option<&Arc<dyn Adapter>>,
        address: &str,
    ) -> Result<KeepMediaResponse, Missed> {
        let adapter = adapter.ok_or_else(|| Missed::Never("its account is off".into()))?;
        let Remote {
            declared,
            bytes_max,
            bytes,
        } = adapter.fetch(address).await?;
        let (parts, waiting) = mpsc::channel(PARTS_MAX);
        let head = KeepMediaRequest {
            head: Some(KeepMediaHead {
                declared_mime_type: declared,
                max_bytes: i64::try_from(bytes_max).unwrap_or(i64::MAX),
                keep_seconds: None,
            }),
            data: Bytes::new(),
        };
        let mut keep = self.session.keep(Parts(waiting));
        let feed = async move {
            if parts.send(head).await.is_err() {
                return Ok(());
            }
            let mut bytes = std::pin::pin!(gatehouse_core::pieces::of_size(bytes, PART_BYTES));
            while let Some(part) = bytes.next().await {
                let data = part?;
                // The session service has seen enough: it says why.
                if parts.send(KeepMediaRequest { head: None, data }).await.is_err() {
                    return Ok(());
                }
            }
            Ok::<(), FetchError>(())
        };
        tokio::pin!(feed);
        let mut fed = false;
        let kept = loop {
            tokio::select! {
                kept = &mut keep => break kept,
                // What broke off is not whole: the call is dropped, and what was kept of it is named by nobody.
                end = &mut feed, if !fed => { end?; fed = true; }
            }
        };
        kept.map_err(|failure| {
            if final_refusal(failure.kind) {
                Missed::Never(failure.message)
            } else {
                Missed::Away(failure)
            }
        })
    }
}
