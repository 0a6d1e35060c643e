//! The way to the bridge for one account: what was heard goes out, and whoever brought it waits until it is on the bridge's disk.

use std::{
    collections::HashMap,
    sync::{Mutex as Lock, PoisonError},
};

use bytes::Bytes;
use gatehouse_proto::channel::v1::{
    Inbound, Reported, RunAccountResponse, SaveState, run_account_response::Message,
};
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot};
use tonic::Status;

/// Messages that wait for the bridge's word: what the contract allows.
const WAITING_MAX: usize = 64;
/// What waits to be read by the bridge.
pub(crate) const QUEUE_MAX: usize = 64;

/// What became of something that was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is on the disk, or was before: now the platform may be told.
    Kept,
    /// It never will be.
    PassedOver(String),
    /// Not now: it is to be said again after a pause.
    Again(String),
}

/// Where a stream's answers are queued.
pub(crate) type Queue = mpsc::Sender<Result<RunAccountResponse, Status>>;

/// The way to the bridge, as long as its stream is open.
#[derive(Debug)]
pub struct Link {
    /// `None`: the stream is over, whoever still holds this.
    queue: Lock<Option<Queue>>,
    places: Semaphore,
    /// The number of the last message. Held while one is queued, so that they leave in the order of their numbers.
    last: Mutex<u64>,
    heard: Waiting<Heard>,
    saved: Waiting<Result<(), String>>,
}

impl Link {
    pub(crate) fn new(queue: Queue) -> Self {
        Self {
            queue: Lock::new(Some(queue)),
            places: Semaphore::new(WAITING_MAX),
            last: Mutex::new(0),
            heard: Waiting::new(),
            saved: Waiting::new(),
        }
    }

    /// Says something to the bridge. Nobody hears it once the stream is over.
    pub async fn say(&self, message: Message) {
        let message = RunAccountResponse {
            message: Some(message),
        };
        let queue = self.queue().clone();
        if let Some(queue) = queue {
            let _ = queue.send(Ok(message)).await;
        }
    }

    /// Hands over what was heard, and waits for the bridge's word. What is handed over at the same time leaves in the order in which it was
    /// begun; its number is given here. A platform that gives up after a while puts its own limit of time around this.
    pub async fn hear(&self, inbound: Inbound) -> Heard {
        let numbered = |seq| Message::Inbound(Box::new(Inbound { seq, ..inbound }));
        self.hand_over(numbered).await
    }

    /// Hands over how far a message of ours came, and waits for the bridge's word, as [`Link::hear`] does.
    pub async fn report(&self, reported: Reported) -> Heard {
        self.hand_over(|seq| Message::Reported(Reported { seq, ..reported }))
            .await
    }

    async fn hand_over(&self, numbered: impl FnOnce(u64) -> Message) -> Heard {
        let over = || Heard::Again("the gateway is not there".into());
        let Ok(_place) = self.places.acquire().await else {
            return over();
        };
        let told = {
            let mut last = self.last.lock().await;
            *last += 1;
            let Some(told) = self.heard.wait(*last) else {
                return over();
            };
            self.say(numbered(*last)).await;
            told
        };
        told.word().await.unwrap_or_else(over)
    }

    /// Remembers a value beyond the stream and the process, in the place of the one before. The next stream's `start` has it. Returns once it
    /// is on the bridge's disk.
    ///
    /// # Errors
    /// When it is not: why, for a person.
    pub async fn save(&self, value: impl Into<Bytes>) -> Result<(), String> {
        let over = || Err("the gateway is not there".into());
        let told = {
            let mut last = self.last.lock().await;
            *last += 1;
            let (seq, value) = (*last, value.into());
            let Some(told) = self.saved.wait(seq) else {
                return over();
            };
            self.say(Message::Save(SaveState { seq, value })).await;
            told
        };
        told.word().await.unwrap_or_else(over)
    }

    /// The bridge's word on a message.
    pub(crate) fn told(&self, seq: u64, heard: Heard) {
        self.heard.tell(seq, heard);
    }

    /// The bridge's word on a value.
    pub(crate) fn kept(&self, seq: u64, error: Option<String>) {
        self.saved.tell(seq, error.map_or(Ok(()), Err));
    }

    /// The stream is over: whoever waits hears so, and so does whoever comes. The bridge sees its end although a platform's client may hold
    /// this for a minute longer.
    pub(crate) fn end(&self) {
        self.queue().take();
        self.heard.end();
        self.saved.end();
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Option<Queue>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who waits for which word. `None`: the stream is over.
#[derive(Debug)]
struct Waiting<T>(Lock<Option<HashMap<u64, oneshot::Sender<T>>>>);

impl<T> Waiting<T> {
    fn new() -> Self {
        Self(Lock::new(Some(HashMap::new())))
    }

    /// From here on somebody waits for the word on this one. `None`: the stream is over.
    fn wait(&self, seq: u64) -> Option<Told<'_, T>> {
        let (tell, told) = oneshot::channel();
        self.open().as_mut()?.insert(seq, tell);
        Some(Told {
            waiting: self,
            seq,
            told,
        })
    }

    fn tell(&self, seq: u64, word: T) {
        let told = self.open().as_mut().and_then(|open| open.remove(&seq));
        if let Some(told) = told {
            let _ = told.send(word); // whoever waited has gone: the platform says it again
        }
    }

    fn end(&self) {
        self.open().take();
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Option<HashMap<u64, oneshot::Sender<T>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits, until they are told or go away.
struct Told<'a, T> {
    waiting: &'a Waiting<T>,
    seq: u64,
    told: oneshot::Receiver<T>,
}

impl<T> Told<'_, T> {
    async fn word(mut self) -> Option<T> {
        (&mut self.told).await.ok()
    }
}

impl<T> Drop for Told<'_, T> {
    fn drop(&mut self) {
        if let Some(open) = self.waiting.open().as_mut() {
            open.remove(&self.seq);
        }
    }
}

#[cfg(test)]
mod tests;
