//! A part before it leaves: what stands in its chat makes room for it, and what the platform does not show is named.

use gatehouse_core::{
    Content,
    content::{Block, Choice, Media},
};

use tokio::time::{self, Instant};

use super::{Delivering, RESENT_LABEL, Worker};
use crate::{
    adapter::{Receipt, SendError, SendPart, SendRequest},
    outbox::{
        plan::LATE_LABEL,
        store::{Delivery, Part},
    },
    store::StoreError,
};

/// A part on its way out.
#[derive(Clone)]
pub(super) struct Leaving<'a> {
    pub(super) part: &'a Part,
    pub(super) media: Vec<Media>,
    /// What stands below it.
    pub(super) choices: &'a [Choice],
    /// Whether it says that it is late.
    pub(super) label: bool,
    /// Whether it may have been said before.
    pub(super) repeats: bool,
    /// The message that it takes the place of.
    pub(super) replaces: Option<String>,
}

impl Delivering {
    /// The message with a link to each medium that the platform does not show.
    pub(super) async fn linked(&self, message: Content) -> Content {
        let capabilities = &self.worker.capabilities;
        let is_hidden = |block: &Block| matches!(block, Block::Media(_)) && !capabilities.shows(block);
        if !message.blocks().iter().any(is_hidden) {
            return message;
        }
        let mut linked = Content::default();
        for block in message.into_blocks() {
            let link = match &block {
                Block::Media(media) if !capabilities.shows(&block) => {
                    let link = self.worker.media.link(media).await;
                    link.map(|link| capabilities.text.shape.link(&media.label(), &link))
                }
                _ => None,
            };
            linked.push(link.map_or(block, Block::text));
        }
        linked
    }

    /// The message that the answer takes the place of.
    pub(super) async fn preview_of(&self, delivery: &Delivery) -> Result<Option<String>, SendError> {
        let Worker {
            previews,
            account,
            adapter,
            ..
        } = &self.worker;
        let content = &delivery.content;
        previews
            .claim(account, adapter.as_ref(), &content.run_id, &content.to)
            .await
    }

    /// Sends a part in the place of a preview, and as a message of its own where that is not there any more.
    pub(super) async fn send_or_anew(
        &self,
        delivery: &Delivery,
        leaving: Leaving<'_>,
    ) -> Result<Result<Receipt, SendError>, StoreError> {
        let (previews, run) = (&self.worker.previews, &delivery.content.run_id);
        let replaced = leaving.replaces.is_some();
        match self.send(delivery, leaving.clone()).await? {
            Err(SendError::PreviewGone { reason }) => {
                tracing::debug!(
                    delivery.key = delivery.content.key.as_str(),
                    reason,
                    "a preview is gone"
                );
                previews.gone(&self.worker.account, run).await;
                let anew = Leaving {
                    replaces: None,
                    ..leaving
                };
                self.send(delivery, anew).await
            }
            Ok(receipt) => {
                if replaced {
                    previews.replaced(&self.worker.account, run);
                }
                Ok(Ok(receipt))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    /// Waits for its turn, says that the part leaves, and lets it leave.
    async fn send(
        &self,
        delivery: &Delivery,
        leaving: Leaving<'_>,
    ) -> Result<Result<Receipt, SendError>, StoreError> {
        let Leaving {
            part,
            media,
            choices,
            label,
            repeats,
            replaces,
        } = leaving;
        let is_preview = replaces.is_some();
        let content = &delivery.content;
        let mut drops = self.worker.drops.clone();
        let mut turn = self.buckets().take(content.to.as_str(), Instant::now());
        loop {
            tokio::select! {
                () = time::sleep_until(turn) => {}
                () = self.dropped(delivery, &mut drops) => return Err(StoreError::Over),
            }
            match self.buckets().paused(Instant::now()) {
                Some(until) => turn = until,
                None => break,
            }
        }
        let Some(line) = self.worker.line.borrow().clone() else {
            return Ok(Err(SendError::retry("not connected")));
        };
        let shape = self.worker.capabilities.text.shape;
        let late = shape.label(LATE_LABEL);
        let labelled = label.then(|| format!("{late}{}", part.text));
        let text = match &labelled {
            Some(labelled) => labelled.clone(),
            None if repeats => {
                let said = part.text.strip_prefix(&late).unwrap_or(&part.text);
                format!("{}{said}", shape.label(RESENT_LABEL))
            }
            None => part.text.clone(),
        };
        self.worker
            .store
            .part_leaves(self.worker.lease.clone(), delivery.seq, part.position, labelled)
            .await?;
        let (request, answer) = SendRequest::new(SendPart {
            key: format!("{}/{}", content.key, part.position),
            delivery: content.key.clone(),
            index: part.position,
            to: content.to.clone(),
            thread_id: content
                .thread_id
                .clone()
                .filter(|_| self.worker.capabilities.threads),
            reply_to_id: content.reply_to_id.clone(),
            text,
            replaces,
            media,
            choices: choices.to_vec(),
            created_at: content.created_at,
        });
        if line.send(request).await.is_err() {
            return Ok(Err(SendError::retry("not connected")));
        }
        // An adapter does not begin what nobody waits for any more.
        let answered = tokio::select! {
            answered = time::timeout(self.worker.limits.send_timeout, answer) => answered,
            () = self.dropped(delivery, &mut drops) => return Err(StoreError::Over),
        };
        let result = match answered {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(SendError::unknown("the connection ended")),
            Err(_) => Err(SendError::unknown("the platform did not answer in time")),
        };
        let result = match result {
            Err(SendError::Unknown { reason }) if is_preview => Err(SendError::retry(reason)),
            result => result,
        };
        let capabilities = &self.worker.capabilities;
        let waits = !capabilities.idempotent_sends && !capabilities.separate_sends;
        if matches!(result, Err(SendError::Unknown { .. })) && waits {
            self.doubts.add(delivery.seq, &line);
        }
        Ok(result)
    }
}
