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
mod tests {
    use std::{sync::Arc, time::Duration};

    use gatehouse_proto::channel::v1::{
        Connected, Inbound, Reported, RunAccountResponse, run_account_response::Message,
    };
    use tokio::{sync::mpsc, time::timeout};
    use tonic::Status;

    use super::{Heard, Link, QUEUE_MAX};

    async fn said(queued: &mut mpsc::Receiver<Result<RunAccountResponse, Status>>) -> Message {
        let said = queued.recv().await.expect("a message").expect("no error");
        said.message.expect("it says something")
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_brings_a_message_waits_until_it_is_kept() {
        let (queue, mut queued) = mpsc::channel(QUEUE_MAX);
        let link = Arc::new(Link::new(queue));
        let waiting = tokio::spawn({
            let link = Arc::clone(&link);
            async move { link.hear(Inbound::default()).await }
        });

        let Message::Inbound(inbound) = said(&mut queued).await else {
            panic!("it is no message");
        };
        assert!(!waiting.is_finished());
        link.told(inbound.seq, Heard::Kept);

        assert_eq!(waiting.await.expect("no panic"), Heard::Kept);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_brings_a_report_waits_for_the_word_on_it_and_on_nothing_else() {
        let (queue, mut queued) = mpsc::channel(QUEUE_MAX);
        let link = Arc::new(Link::new(queue));
        let mut seqs = Vec::new();
        for (word, outcome) in [
            (Heard::Kept, Heard::Kept),
            (Heard::Again("full".into()), Heard::Again("full".into())),
        ] {
            let waiting = tokio::spawn({
                let link = Arc::clone(&link);
                async move { link.report(Reported::default()).await }
            });
            let Message::Reported(reported) = said(&mut queued).await else {
                panic!("it is no report");
            };
            seqs.push(reported.seq);
            link.told(reported.seq, word);
            assert_eq!(waiting.await.expect("no panic"), outcome);
        }
        assert_eq!(seqs, [1, 2], "numbered with what is heard");
    }

    #[tokio::test(start_paused = true)]
    async fn the_stream_ends_although_somebody_still_holds_the_way_to_the_bridge() {
        let (queue, mut queued) = mpsc::channel(QUEUE_MAX);
        let link = Link::new(queue);
        link.say(Message::Connected(Connected {})).await;

        link.end();
        link.say(Message::Connected(Connected {})).await;

        said(&mut queued).await;
        let end = timeout(Duration::from_secs(10), queued.recv()).await;
        assert!(matches!(end, Ok(None)), "{end:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_is_remembered_once_the_bridge_says_so() {
        let (queue, mut queued) = mpsc::channel(QUEUE_MAX);
        let link = Arc::new(Link::new(queue));
        for (error, outcome) in [(None, Ok(())), (Some("full".to_owned()), Err("full".to_owned()))] {
            let waiting = tokio::spawn({
                let link = Arc::clone(&link);
                async move { link.save(&b"where we are"[..]).await }
            });
            let Message::Save(save) = said(&mut queued).await else {
                panic!("it is no value");
            };
            assert_eq!(&*save.value, b"where we are");
            link.kept(save.seq, error);

            assert_eq!(waiting.await.expect("no panic"), outcome);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_gateway_is_slow_nobody_is_remembered_and_when_it_is_gone_everybody_hears_so() {
        let (queue, mut queued) = mpsc::channel(QUEUE_MAX);
        let link = Arc::new(Link::new(queue));

        let slow = timeout(Duration::from_secs(10), link.hear(Inbound::default())).await;
        assert!(slow.is_err(), "{slow:?}");
        assert_eq!(link.heard.open().as_ref().map(|open| open.len()), Some(0));

        let waiting = tokio::spawn({
            let link = Arc::clone(&link);
            async move { link.hear(Inbound::default()).await }
        });
        said(&mut queued).await;
        said(&mut queued).await;
        link.end();
        let gone = waiting.await.expect("no panic");
        assert!(matches!(gone, Heard::Again(_)), "{gone:?}");
        let late = link.hear(Inbound::default()).await;
        assert!(matches!(late, Heard::Again(_)), "{late:?}");
        assert!(link.save(&b""[..]).await.is_err());
    }
}
