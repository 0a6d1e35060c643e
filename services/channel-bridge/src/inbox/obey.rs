//! What becomes of words to the gateway itself: stop, and more.

use std::time::Duration;

use gatehouse_core::{Failure, Kind, Timestamp};
use gatehouse_proto::session::v1::{DeliverMessageRequest, StopChatRequest};
use tokio::time;

use super::{Inbox, final_refusal, request, store::InboxRow, word::Word};
use crate::{
    adapter::ChatKind,
    id::DeliveryKey,
    metrics::{Direction, Fate},
    notice,
    outbox::store::{Chosen, More},
    policy::Standing,
    store::StoreError,
};

/// How long the session service may take to stop what it runs: it waits some seconds for an answer to end.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// What came of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obeyed {
    /// It was one, and is settled or waits for the session service.
    Yes,
    /// It is something to be said to the agent, or to nobody.
    No,
}

impl Inbox {
    /// Does what somebody who may talk here wants of the gateway. `quietly`: without a word in the chat.
    pub(super) async fn obey(&self, row: &InboxRow, word: Word, quietly: bool) -> Result<Obeyed, StoreError> {
        match word {
            Word::Stop => self.stop(row, quietly).await,
            Word::More if quietly => Ok(Obeyed::No),
            Word::More => self.more(row).await,
        }
    }

    async fn stop(&self, row: &InboxRow, quietly: bool) -> Result<Obeyed, StoreError> {
        let message = &row.message;
        let chosen = Chosen {
            to: Some(message.reply_to.clone()),
            thread_id: message.thread_id.clone(),
            ..Chosen::of_account(&row.account)
        };
        let addressed = message.mentioned || message.chat_kind == ChatKind::Direct;
        // People who say it to each other do not mean us, unless they see us talk.
        if !addressed && self.outbox.waiting(chosen.clone(), 0, 1).await?.total == 0 {
            return Ok(Obeyed::No);
        }
        let by = "somebody in the chat said stop";
        let mut dropped = self.outbox.drop_waiting(chosen.clone(), by).await?.total;
        let unheard = self
            .store
            .refuse_before(row.account.clone(), message.chat_id.clone(), row.seq, by)
            .await?;
        dropped += unheard;
        for _ in 0..unheard {
            self.metrics
                .count(&row.account.channel, Direction::In, Fate::Dropped);
        }
        let asked = time::timeout(
            STOP_WITHIN,
            self.session.stop(stopping(request(row, Standing::Anybody))),
        )
        .await
        .unwrap_or_else(|_| {
            Err(Failure::new(
                Kind::Timeout,
                "the session service did not answer in time",
            ))
        });
        let stopped = match asked {
            Ok(answer) => i64::try_from(answer.run_ids.len()).unwrap_or(i64::MAX) + answer.dropped_count,
            // Of an older version, or nobody answers this chat: then nothing runs for it.
            Err(failure) if final_refusal(failure.kind) => 0,
            Err(failure) => {
                self.wait_for_session(row, &failure).await?;
                return Ok(Obeyed::Yes);
            }
        };
        // What was handed over while the session service was being asked.
        dropped += self.outbox.drop_waiting(chosen, by).await?.total;
        if !quietly {
            let something = dropped + stopped > 0 || row.attempts > 0;
            let words = if something {
                notice::STOPPED
            } else {
                notice::NOTHING_TO_STOP
            };
            self.tell(row, words).await?;
        }
        self.refuse(row, "stop: done", Fate::Handled).await?;
        Ok(Obeyed::Yes)
    }

    async fn more(&self, row: &InboxRow) -> Result<Obeyed, StoreError> {
        let message = &row.message;
        let more = More {
            key: DeliveryKey::stored(format!("more/{}/{}", row.account, message.message_id)),
            account: row.account.clone(),
            to: message.reply_to.clone(),
            thread_id: message.thread_id.clone(),
            reply_to_id: Some(message.message_id.clone()),
            since: Timestamp::EPOCH,
        };
        if !self.outbox.more(more).await? {
            return Ok(Obeyed::No);
        }
        self.refuse(row, "more: said", Fate::Handled).await?;
        Ok(Obeyed::Yes)
    }
}

/// Where a message was said, for the session service to stop what it does there.
fn stopping(request: DeliverMessageRequest) -> StopChatRequest {
    StopChatRequest {
        channel: request.channel,
        account_id: request.account_id,
        peer: request.peer,
        parent_peer: request.parent_peer,
        guild_id: request.guild_id,
        team_id: request.team_id,
        roles: request.roles,
        thread_id: request.thread_id,
        reply_target: request.reply_target,
    }
}
