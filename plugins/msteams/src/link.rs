//! The way to the bridge for one account: what was heard goes out, and whoever brought it waits until it is on the bridge's disk.

use std::{
    collections::HashMap,
    sync::{Mutex as Lock, PoisonError},
    time::Duration,
};

use gatehouse_proto::channel::v1::{Inbound, RunAccountResponse, run_account_response::Message};
use tokio::{
    sync::{Mutex, Semaphore, mpsc, oneshot},
    time,
};
use tonic::Status;

/// Messages that wait for the bridge's word: what the contract allows.
const WAITING_MAX: usize = 64;
/// Teams gives up on us after 15 seconds; before that it is told to come again.
const WITHIN: Duration = Duration::from_secs(10);
/// What waits to be read by the bridge.
pub(crate) const QUEUE_MAX: usize = 64;

/// What became of something that was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is on the disk, or was before.
    Kept,
    /// It never will be.
    PassedOver(String),
    /// Not now.
    Again(String),
}

/// Where a stream's answers are queued.
pub(crate) type Queue = mpsc::Sender<Result<RunAccountResponse, Status>>;

/// The way to the bridge, as long as its stream is open.
#[derive(Debug)]
pub struct Link {
    queue: Queue,
    places: Semaphore,
    /// The number of the last message. Held while one is queued, so that they leave in the order of their numbers.
    last: Mutex<u64>,
    /// `None`: the stream is over.
    waiting: Lock<Option<HashMap<u64, oneshot::Sender<Heard>>>>,
}

impl Link {
    pub(crate) fn new(queue: Queue) -> Self {
        Self {
            queue,
            places: Semaphore::new(WAITING_MAX),
            last: Mutex::new(0),
            waiting: Lock::new(Some(HashMap::new())),
        }
    }

    /// Says something to the bridge. Nobody hears it once the stream is over.
    pub async fn say(&self, message: Message) {
        let message = RunAccountResponse {
            message: Some(message),
        };
        let _ = self.queue.send(Ok(message)).await;
    }

    /// Hands over what was heard, and waits for the bridge's word.
    pub async fn hear(&self, inbound: Inbound) -> Heard {
        match time::timeout(WITHIN, self.heard(inbound)).await {
            Ok(heard) => heard,
            Err(_) => Heard::Again("the gateway did not take it in time".into()),
        }
    }

    async fn heard(&self, mut inbound: Inbound) -> Heard {
        let over = || Heard::Again("the gateway is not there".into());
        let Ok(_place) = self.places.acquire().await else {
            return over();
        };
        let (told, telling) = oneshot::channel();
        {
            let mut last = self.last.lock().await;
            *last += 1;
            inbound.seq = *last;
            if !self.wait(*last, told) {
                return over();
            }
            self.say(Message::Inbound(Box::new(inbound))).await;
        }
        telling.await.unwrap_or_else(|_| over())
    }

    /// From here on somebody waits for the word on this one. False: the stream is over.
    fn wait(&self, seq: u64, told: oneshot::Sender<Heard>) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = waiting.as_mut() else {
            return false;
        };
        open.insert(seq, told);
        true
    }

    /// The bridge's word on a message.
    pub(crate) fn told(&self, seq: u64, heard: Heard) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = waiting.as_mut().and_then(|open| open.remove(&seq)) {
            let _ = told.send(heard); // whoever waited has gone: Teams comes again
        }
    }

    /// The stream is over: whoever waits hears so, and so does whoever comes.
    pub(crate) fn end(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gatehouse_proto::channel::v1::{Inbound, run_account_response::Message};
    use tokio::sync::mpsc;

    use super::{Heard, Link, QUEUE_MAX};

    #[tokio::test(start_paused = true)]
    async fn whoever_brings_a_message_waits_until_it_is_kept() {
        let (queue, mut queued) = mpsc::channel(QUEUE_MAX);
        let link = Arc::new(Link::new(queue));
        let waiting = tokio::spawn({
            let link = Arc::clone(&link);
            async move { link.hear(Inbound::default()).await }
        });

        let said = queued.recv().await.expect("a message").expect("no error");
        let Some(Message::Inbound(inbound)) = said.message else {
            panic!("{said:?}");
        };
        assert!(!waiting.is_finished());
        link.told(inbound.seq, Heard::Kept);

        assert_eq!(waiting.await.expect("no panic"), Heard::Kept);
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_gateway_is_slow_or_gone_the_message_comes_again() {
        let (queue, _queued) = mpsc::channel(QUEUE_MAX);
        let link = Link::new(queue);

        assert!(
            matches!(link.hear(Inbound::default()).await, Heard::Again(_)),
            "slow"
        );
        link.end();
        assert!(
            matches!(link.hear(Inbound::default()).await, Heard::Again(_)),
            "gone"
        );
    }
}
