//! A session service that answers everything, and dies less often than the bridge.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures::{StreamExt, stream};
use gatehouse_core::{Clock, Content, Failure, Kind};
use gatehouse_proto::session::v1::{
    DeliverMessageRequest, DeliverMessageResponse, FollowRunResponse, KeepMediaResponse, MessageKey, RunEnd,
    StopChatRequest, StopChatResponse,
};
use tokio::time;

use crate::{
    adapter::AccountKey,
    id::{Address, DeliveryKey, MessageId},
    inbox::{Parts, Reading, SessionClient, Writing},
    outbox::{Outbox, store::NewDelivery},
};

#[derive(Default)]
struct Memory {
    /// The run of each message.
    runs: HashMap<(String, String, String), String>,
    /// Replies that the bridge does not have yet.
    replies: BTreeMap<String, NewDelivery>,
    asked_twice: usize,
}

#[derive(Default)]
pub(super) struct Echo(Mutex<Memory>);

impl Echo {
    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is a reply that no bridge has taken.
    pub(super) fn owes(&self) -> bool {
        !self.lock().replies.is_empty()
    }

    /// Messages that came under two ids.
    pub(super) fn asked_twice(&self) -> usize {
        self.lock().asked_twice
    }

    /// Hands replies over until the bridge dies.
    pub(super) async fn hand_over(&self, outbox: &Outbox) {
        loop {
            let replies: Vec<_> = self.lock().replies.clone().into_iter().collect();
            for (run, reply) in replies {
                if outbox.enqueue(reply).await.is_ok() {
                    self.lock().replies.remove(&run);
                }
            }
            time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[async_trait]
impl SessionClient for Echo {
    async fn deliver(&self, request: DeliverMessageRequest) -> Result<DeliverMessageResponse, Failure> {
        let target = request
            .reply_target
            .ok_or_else(|| Failure::new(Kind::Invalid, "no target"))?;
        let key = (request.channel, request.account_id, request.message_id);
        let mut memory = self.lock();
        if let Some(run_id) = memory.runs.get(&key).cloned() {
            return Ok(DeliverMessageResponse {
                run_id,
                duplicate: true,
                ..DeliverMessageResponse::default()
            });
        }
        let run_id = format!("run-{}", memory.runs.len());
        let text = request.text;
        memory.asked_twice += usize::from(key.2 != text);
        memory.runs.insert(key, run_id.clone());
        let reply = NewDelivery {
            key: DeliveryKey::stored(format!("{run_id}/0")),
            run_id: run_id.clone(),
            account: AccountKey::new(target.channel, target.account_id),
            to: Address::stored(target.to),
            thread_id: target.thread_id,
            reply_to_id: target.reply_to_id.map(MessageId::stored),
            message: Content::text(format!("answer to {text}")),
            created_at: Clock::system().now(),
            session_key: None,
            parts: 1,
        };
        memory.replies.insert(run_id.clone(), reply);
        Ok(DeliverMessageResponse {
            run_id,
            ..DeliverMessageResponse::default()
        })
    }

    async fn follow(&self, _: String, _: bool) -> Result<Writing, Failure> {
        let words = ["answer", " to", " you"].map(|text| FollowRunResponse {
            text: text.into(),
            ..FollowRunResponse::default()
        });
        let end = FollowRunResponse {
            end: Some(RunEnd { replies: true }),
            ..FollowRunResponse::default()
        };
        let words = stream::iter(words).then(async |word| {
            time::sleep(Duration::from_millis(15)).await;
            word
        });
        Ok(words.chain(stream::iter([end])).map(Ok).boxed())
    }

    async fn keep(&self, _: Parts) -> Result<KeepMediaResponse, Failure> {
        Err(Failure::new(Kind::NotFound, "no media"))
    }

    async fn read(&self, _: String) -> Result<Reading, Failure> {
        Err(Failure::new(Kind::NotFound, "no media"))
    }

    async fn stop(&self, _: StopChatRequest) -> Result<StopChatResponse, Failure> {
        Ok(StopChatResponse::default())
    }

    async fn unknown(&self, _: Vec<MessageKey>) -> Result<Vec<u32>, Failure> {
        Ok(Vec::new())
    }
}
