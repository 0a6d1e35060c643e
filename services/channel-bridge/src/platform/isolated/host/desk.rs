//! What is committed in the bridge and nowhere else: what people said, and what the account remembers. Each waits here for the bridge's
//! word, and the adapter acknowledges nothing before.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use gatehouse_proto::channel::v1::{RunAccountResponse, SaveState, run_account_response::Message as Said};
use tokio::sync::{Mutex as AsyncMutex, Semaphore, oneshot};

use super::{Line, news::News, said};
use crate::{
    account::{
        folded::{Values, fold, unfold},
        store::{ENTRIES_MAX, Remember},
    },
    adapter::{AccountKey, InboundMessage, Receive, ReceiveError, Received, Remark, Report},
    store::StoreError,
};

/// What waits for the bridge: as many as the contract lets wait.
const WAITING_MAX: usize = 64;

/// The bridge's word.
#[derive(Debug)]
pub(super) enum Word {
    Kept { duplicate: bool },
    Refused { reason: String, again: bool },
}

pub(super) struct Desk {
    /// Unset once the connection is over.
    line: Mutex<Option<Line>>,
    last: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Word>>>,
    places: Semaphore,
    /// Held while one of them is being kept: the whole is one value.
    values: AsyncMutex<Values>,
    pub(super) news: Arc<News>,
}

impl Desk {
    pub(super) fn new(line: Line) -> Self {
        Self {
            line: Mutex::new(Some(line)),
            last: AtomicU64::new(0),
            waiting: Mutex::default(),
            places: Semaphore::new(WAITING_MAX),
            values: AsyncMutex::default(),
            news: Arc::default(),
        }
    }

    /// What was saved last, before anybody asks.
    pub(super) fn remembers(&self, state: &[u8]) -> Result<(), StoreError> {
        let values = unfold(state)?;
        if let Ok(mut known) = self.values.try_lock() {
            *known = values;
        }
        Ok(())
    }

    /// The bridge has said what became of something.
    pub(super) fn told(&self, seq: u64, word: Word) {
        if let Some(waiting) = self.lock().remove(&seq) {
            let _ = waiting.send(word); // nobody waits for it any more
        }
    }

    /// The connection is over: nothing more is said.
    pub(super) fn close(&self) {
        self.places.close();
        self.line.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.lock().clear();
    }

    /// Says something, and waits for the word on it. `None`: the connection is over, and nobody knows.
    async fn ask(&self, say: impl FnOnce(u64) -> Said) -> Option<Word> {
        let _place = self.places.acquire().await.ok()?;
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let seq = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (word, answered) = oneshot::channel();
        self.lock().insert(seq, word);
        let message = RunAccountResponse {
            message: Some(say(seq)),
        };
        line.send(Ok(message)).await.ok()?;
        drop(line);
        answered.await.ok()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Word>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Receive for Desk {
    async fn receive(&self, _: &AccountKey, message: InboundMessage) -> Result<Received, ReceiveError> {
        let word = self
            .ask(|seq| Said::Inbound(Box::new(said::inbound(seq, message))))
            .await;
        match word {
            Some(Word::Kept { duplicate: false }) => Ok(Received::Stored),
            Some(Word::Kept { duplicate: true }) => Ok(Received::Duplicate),
            Some(Word::Refused { reason, again: false }) => {
                tracing::warn!(reason, "a message was refused");
                Err(ReceiveError::Invalid("the message is outside its bounds"))
            }
            Some(Word::Refused { again: true, .. }) | None => Err(ReceiveError::Full),
        }
    }

    async fn report(&self, _: &AccountKey, receipt: String, report: Report) -> Result<(), ReceiveError> {
        let word = self.ask(|seq| said::report(seq, receipt, report)).await;
        match word {
            Some(Word::Kept { .. }) => Ok(()),
            Some(Word::Refused { again: false, .. }) => {
                Err(ReceiveError::Invalid("the message's id is outside its bounds"))
            }
            Some(Word::Refused { again: true, .. }) | None => Err(ReceiveError::Full),
        }
    }

    fn remark(&self, chat: &str, by: &[&str], remark: Remark) -> Option<Remark> {
        self.news.remark(chat, by, remark);
        None
    }
}

impl Desk {
    /// Keeps the values as they are with a change.
    async fn change(&self, change: impl FnOnce(&mut Values) + Send) -> Result<(), StoreError> {
        let mut known = self.values.lock().await;
        let mut values = known.clone();
        change(&mut values);
        if values.len() > ENTRIES_MAX {
            return Err(StoreError::Full("an account remembers at most 64 values"));
        }
        let value = fold(&values)?.into();
        match self.ask(|seq| Said::Save(SaveState { seq, value })).await {
            Some(Word::Kept { .. }) => {
                *known = values;
                Ok(())
            }
            Some(Word::Refused { reason, .. }) => {
                tracing::warn!(reason, "what an account remembers was not kept");
                Err(StoreError::Full("the bridge did not keep it"))
            }
            None => Err(StoreError::Full("the bridge is gone")),
        }
    }
}

#[async_trait]
impl Remember for Desk {
    async fn state(&self, _: AccountKey, name: String) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.values.lock().await.get(&name).cloned())
    }

    async fn keep_state(&self, _: AccountKey, name: String, value: Vec<u8>) -> Result<(), StoreError> {
        self.change(|values| drop(values.insert(name, value))).await
    }

    async fn forget_state(&self, _: AccountKey, name: String) -> Result<(), StoreError> {
        self.change(|values| drop(values.remove(&name))).await
    }

    async fn states(&self, _: AccountKey) -> Result<Values, StoreError> {
        Ok(self.values.lock().await.clone())
    }
}
