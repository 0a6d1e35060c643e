//! What goes out over one connection: parts of answers, several chats at a time, and that somebody is being answered.

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::mpsc,
    time::{self, Instant, MissedTickBehavior},
};

use super::{
    CONCURRENCY,
    chats::Place,
    say::Speaker,
    typing::{AGAIN, Answering},
};
use crate::adapter::{Ended, Progress, SendRequest, Typing};

/// Hints at the same time, beside the messages. What is beyond is dropped: it would come too late to be true.
const HINTS_MAX: usize = 8;

pub(super) struct Outbound {
    speaker: Speaker,
    progress: Progress,
    requests: mpsc::Receiver<SendRequest>,
    hints: mpsc::Receiver<Typing>,
    answering: Answering,
    /// Each ends with where it was said.
    under_way: FuturesUnordered<BoxFuture<'static, Option<Place>>>,
    shown: FuturesUnordered<BoxFuture<'static, ()>>,
}

impl Outbound {
    pub(super) fn new(
        speaker: Speaker,
        progress: Progress,
        requests: mpsc::Receiver<SendRequest>,
        hints: mpsc::Receiver<Typing>,
    ) -> Self {
        Self {
            speaker,
            progress,
            requests,
            hints,
            answering: Answering::default(),
            under_way: FuturesUnordered::new(),
            shown: FuturesUnordered::new(),
        }
    }

    /// Sends until it is asked to end.
    pub(super) async fn run(&mut self) -> Ended {
        let mut again = time::interval(AGAIN);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut questions = self.progress.questions();
        loop {
            tokio::select! {
                request = self.requests.recv(), if self.under_way.len() < CONCURRENCY => {
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
                Ok(()) = questions.changed() => {
                    let (speaker, progress) = (self.speaker.clone(), self.progress.clone());
                    self.shown.push(
                        async move {
                            if speaker.is_there().await {
                                progress.heard();
                            }
                        }
                        .boxed(),
                    );
                }
            }
        }
    }

    /// Waits for what Telegram is being given.
    pub(super) async fn finish(&mut self) {
        while self.under_way.next().await.is_some() {}
    }

    fn begin(&mut self, mut request: SendRequest) {
        let speaker = self.speaker.clone();
        self.under_way.push(
            async move {
                if request.abandoned() {
                    return None;
                }
                request.begin();
                let part = request.part();
                let place = Place::read(part.to.as_str(), part.thread_id.as_deref()).ok();
                let result = speaker.say(part).await;
                // That it takes messages does not mean that we hear it: only the poll says so.
                let said = result.is_ok();
                request.answer(result);
                place.filter(|_| said)
            }
            .boxed(),
        );
    }

    fn hint(&mut self, hint: &Typing) {
        // One that leads nowhere is met by the answer, which says so.
        let Ok(place) = Place::read(hint.to.as_str(), hint.thread_id.as_deref()) else {
            return;
        };
        if self.answering.begin(&place, Instant::now()) {
            self.show(place);
        }
    }

    fn show(&mut self, place: Place) {
        if self.shown.len() >= HINTS_MAX {
            return;
        }
        let speaker = self.speaker.clone();
        self.shown
            .push(async move { speaker.typing(&place).await }.boxed());
    }
}
