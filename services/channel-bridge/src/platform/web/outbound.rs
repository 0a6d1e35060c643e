//! What goes out over one connection: parts of answers, several chats at a time, and that somebody is being answered.

use std::{hash::Hash, time::Duration};

use async_trait::async_trait;
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::{mpsc, watch},
    time::{self, Instant, MissedTickBehavior},
};

use super::answering::Answering;
use crate::adapter::{Ended, Progress, Receipt, SendError, SendPart, SendRequest, Typing};

/// Hints at the same time, beside the messages. What is beyond is dropped: it would come too late to be true.
const HINTS_MAX: usize = 8;
/// How long messages that the platform was being given may take once the connection is over otherwise.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// What ends the connection, found while something was said: a token that is good no more.
#[derive(Clone, Debug)]
pub(in crate::platform) struct Verdict(watch::Sender<Option<Ended>>);

impl Default for Verdict {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Verdict {
    /// Another connection begins.
    pub(in crate::platform) fn forget(&self) {
        self.0.send_replace(None);
    }

    pub(in crate::platform) fn give(&self, ended: Ended) {
        self.0.send_replace(Some(ended));
    }

    async fn given(&self) -> Ended {
        let mut given = self.0.subscribe();
        loop {
            if let Some(ended) = given.borrow_and_update().clone() {
                return ended;
            }
            if given.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}

/// Who speaks for one account. Clones share it.
#[async_trait]
pub(in crate::platform) trait Speaker: Clone + Send + Sync + 'static {
    /// Where something is said.
    type Place: Clone + Eq + Hash + Send + Sync + 'static;
    /// Chats that are spoken to at the same time.
    const CONCURRENCY: usize;
    /// How often it is said again that somebody is being answered.
    const TYPING_AGAIN: Duration;

    /// The place of an address, and the thread beside it if there is one. `None`: it leads nowhere.
    fn place(&self, to: &str, thread: Option<&str>) -> Option<Self::Place>;

    /// Sends a part.
    async fn say(&self, part: &SendPart) -> Result<Receipt, SendError>;

    /// Shows that somebody is being answered. Whether it was seen changes nothing.
    async fn typing(&self, place: &Self::Place);

    /// Asks whether the platform is there.
    async fn is_there(&self) -> bool;
}

pub(in crate::platform) struct Outbound<S: Speaker> {
    speaker: S,
    verdict: Verdict,
    progress: Progress,
    requests: mpsc::Receiver<SendRequest>,
    hints: mpsc::Receiver<Typing>,
    answering: Answering<S::Place>,
    /// Each ends with where it was said.
    under_way: FuturesUnordered<BoxFuture<'static, Option<S::Place>>>,
    shown: FuturesUnordered<BoxFuture<'static, ()>>,
}

impl<S: Speaker> Outbound<S> {
    pub(in crate::platform) fn new(
        speaker: S,
        verdict: Verdict,
        progress: Progress,
        requests: mpsc::Receiver<SendRequest>,
        hints: mpsc::Receiver<Typing>,
    ) -> Self {
        Self {
            speaker,
            verdict,
            progress,
            requests,
            hints,
            answering: Answering::default(),
            under_way: FuturesUnordered::new(),
            shown: FuturesUnordered::new(),
        }
    }

    /// Sends until what is heard ends, or until it is asked to end. What the platform was being given is waited for: cut off, nobody
    /// would know whether it was taken.
    pub(in crate::platform) async fn beside(mut self, heard: impl Future<Output = Ended>) -> Ended {
        let ended = tokio::select! {
            ended = heard => ended,
            ended = self.run() => ended,
        };
        let _ = time::timeout(LAST_WORDS, self.finish()).await;
        ended
    }

    async fn run(&mut self) -> Ended {
        let mut again = time::interval_at(Instant::now() + S::TYPING_AGAIN, S::TYPING_AGAIN);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut questions = self.progress.questions();
        let verdict = self.verdict.clone();
        let mut given = Box::pin(async move { verdict.given().await });
        loop {
            tokio::select! {
                ended = &mut given => return ended,
                request = self.requests.recv(), if self.under_way.len() < S::CONCURRENCY => {
                    let Some(request) = request else {
                        self.finish().await;
                        return Ended::Retry("asked to end".into());
                    };
                    self.begin(request);
                }
                Some(place) = self.under_way.next() => {
                    if let Some(place) = place {
                        self.answering.end(&place);
                    }
                }
                Some(hint) = self.hints.recv() => self.hint(&hint),
                Some(()) = self.shown.next() => {}
                _ = again.tick(), if !self.answering.is_empty() => {
                    for place in self.answering.due(Instant::now()) {
                        self.show(place);
                    }
                }
                Ok(()) = questions.changed() => self.ask(),
            }
        }
    }

    async fn finish(&mut self) {
        while self.under_way.next().await.is_some() {}
    }

    fn ask(&self) {
        let (speaker, progress) = (self.speaker.clone(), self.progress.clone());
        let asked = async move {
            if speaker.is_there().await {
                progress.heard();
            }
        };
        self.shown.push(asked.boxed());
    }

    fn begin(&self, mut request: SendRequest) {
        let speaker = self.speaker.clone();
        let sent = async move {
            if request.abandoned() {
                return None;
            }
            request.begin();
            let part = request.part();
            let place = speaker.place(part.to.as_str(), part.thread_id.as_deref());
            let result = speaker.say(part).await;
            let said = result.is_ok();
            request.answer(result);
            place.filter(|_| said)
        };
        self.under_way.push(sent.boxed());
    }

    fn hint(&mut self, hint: &Typing) {
        // One that leads nowhere is met by the answer, which says so.
        let Some(place) = self.speaker.place(hint.to.as_str(), hint.thread_id.as_deref()) else {
            return;
        };
        if self.answering.begin(&place, Instant::now()) {
            self.show(place);
        }
    }

    fn show(&self, place: S::Place) {
        if self.shown.len() >= HINTS_MAX {
            return;
        }
        let speaker = self.speaker.clone();
        self.shown
            .push(async move { speaker.typing(&place).await }.boxed());
    }
}
