//! One run, shown from its first words until its answer is sent.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use gatehouse_core::{Failure, Kind, backoff::Backoff};
use gatehouse_document::channels::Streaming;
use gatehouse_proto::session::v1::FollowRunResponse;
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use super::{Place, Previews, Run, store::Posted, view::view};
use crate::{
    adapter::{Adapter, Capabilities, Preview, PreviewError, Previews as Pace, Shown},
    outbox::store::Chosen,
};

/// How long a platform may take to show something. The answer waits for as long at most, so it is short.
const SHOW_WITHIN: Duration = Duration::from_secs(12);
/// The most text that is read along with. What is longer is shown no further.
const TEXT_BYTES_MAX: usize = 512 * 1024;
/// The waits while the session service is away, or a platform does not take something back.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(15);
/// The longest pause that a platform is granted between two previews: after that the answer is there, as a rule.
const PAUSE_MAX: Duration = Duration::from_secs(120);
/// How long an answer may take from the end of its run to its chat before its preview is taken back.
const CLAIM_WITHIN: Duration = Duration::from_secs(600);
/// How often it is tried to take one back.
const WITHDRAWALS_MAX: u32 = 8;

pub(super) struct Showing {
    previews: Previews,
    run: Run,
    adapter: Arc<dyn Adapter>,
    capabilities: Capabilities,
    pace: Pace,
    streaming: Streaming,
    place: Place,
    /// The message that stands in the chat.
    posted: Option<Posted>,
    /// What the run wrote.
    text: String,
    /// What is shown of it.
    shown: String,
    /// Whether what is shown stays in the chat.
    lasting: bool,
    /// Nothing more is shown: the platform does not want it, or nobody knows what it did.
    is_over: bool,
    /// When something is shown next. Unset: there is nothing new.
    due: Option<Instant>,
    /// Nothing is shown earlier.
    not_before: Option<Instant>,
}

/// Why it is not read along with any more.
enum Over {
    /// The answer takes over.
    Claimed,
    /// The run ended.
    Ended { replies: bool },
    /// Another way of reading along is needed.
    Again,
    /// The session service is away.
    Away,
    /// There is nothing to show and nothing to take back.
    Useless,
}

impl Showing {
    #[expect(
        clippy::too_many_arguments,
        reason = "it is made in one place, of all that it needs"
    )]
    pub(super) fn new(
        previews: Previews,
        run: Run,
        adapter: Arc<dyn Adapter>,
        capabilities: Capabilities,
        pace: Pace,
        streaming: Streaming,
        place: Place,
        posted: Option<Posted>,
    ) -> Self {
        Self {
            lasting: posted.is_some() || place.shared || !pace.vanish,
            is_over: posted.as_ref().is_some_and(|posted| posted.doubtful),
            previews,
            run,
            adapter,
            capabilities,
            pace,
            streaming,
            place,
            posted,
            text: String::new(),
            shown: String::new(),
            due: None,
            not_before: None,
        }
    }

    pub(super) async fn run(mut self, end: &CancellationToken) {
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
        loop {
            match self.read_along(end, &mut backoff).await {
                Over::Claimed | Over::Useless => return,
                Over::Ended { replies } => return self.conclude(replies, end).await,
                Over::Again => {}
                Over::Away => {
                    tokio::select! {
                        () = end.cancelled() => return,
                        () = time::sleep(backoff.next()) => {}
                    }
                }
            }
        }
    }

    async fn read_along(&mut self, end: &CancellationToken, backoff: &mut Backoff) -> Over {
        let session = Arc::clone(&self.previews.0.session);
        let opened = tokio::select! {
            () = end.cancelled() => return Over::Claimed,
            opened = session.follow(self.run.1.clone(), self.lasting) => opened,
        };
        let mut heard = match opened {
            Ok(heard) => heard,
            Err(failure) => return gone(&failure),
        };
        self.text.clear();
        self.due = None;
        loop {
            tokio::select! {
                biased;
                () = end.cancelled() => return Over::Claimed,
                // What is begun is waited for: nobody may say anything there before its outcome is known.
                () = until(self.due) => {
                    if let Some(over) = self.show().await {
                        return over;
                    }
                }
                next = heard.next() => match next {
                    Some(Ok(FollowRunResponse { end: Some(end), .. })) => return Over::Ended { replies: end.replies },
                    Some(Ok(FollowRunResponse { text, replace, end: None })) => {
                        backoff.reset();
                        self.write(&text, replace);
                    }
                    Some(Err(failure)) => return gone(&failure),
                    None => return Over::Away,
                },
            }
        }
    }

    fn write(&mut self, text: &str, replace: bool) {
        if replace {
            self.text.clear();
        }
        if self.is_over || self.text.len() + text.len() > TEXT_BYTES_MAX {
            return;
        }
        self.text.push_str(text);
        // The first words wait a moment as well: a short answer needs no preview.
        let at = self.not_before.unwrap_or_else(|| Instant::now() + self.every());
        self.due.get_or_insert(at);
    }

    fn every(&self) -> Duration {
        if self.place.shared {
            self.pace.every_shared
        } else {
            self.pace.every
        }
    }

    /// Shows what is new. An answer: there is no use in going on like this.
    async fn show(&mut self) -> Option<Over> {
        self.due = None;
        let to = self.place.to.as_str();
        let view = view(&self.text, self.streaming, &self.capabilities, to)?;
        if view == self.shown {
            return None;
        }
        let preview = Preview {
            run: self.run.1.clone(),
            to: self.place.to.clone(),
            thread_id: self.place.thread_id.clone().filter(|_| self.capabilities.threads),
            reply_to_id: self.place.reply_to_id.clone(),
            shown: self.posted.as_ref().map(|posted| posted.message.clone()),
            text: view.clone(),
            may_last: self.lasting,
        };
        let shown = time::timeout(SHOW_WITHIN, self.adapter.preview(&preview)).await;
        let shown = shown.unwrap_or_else(|_| Err(PreviewError::Unknown("it took too long".into())));
        self.not_before = Some(Instant::now() + self.every());
        match shown {
            Ok(Shown { id }) => {
                self.previews.0.metrics.preview(&self.run.0);
                self.shown = view;
                if let (Some(message), None) = (id, &self.posted) {
                    self.keep(message, false).await;
                }
                None
            }
            Err(PreviewError::Busy { after, reason }) => {
                tracing::debug!(run.id = self.run.1, reason, "a preview has to wait");
                let again = Instant::now() + after.clamp(self.every(), PAUSE_MAX);
                (self.not_before, self.due) = (Some(again), Some(again));
                None
            }
            Err(PreviewError::MustLast) if !self.lasting => {
                self.lasting = true;
                Some(Over::Again)
            }
            Err(error @ (PreviewError::MustLast | PreviewError::Never(_))) => {
                tracing::debug!(run.id = self.run.1, reason = %error, "no preview is shown");
                self.is_over = true;
                self.posted.is_none().then_some(Over::Useless)
            }
            Err(PreviewError::Unknown(reason)) => {
                tracing::debug!(
                    run.id = self.run.1,
                    reason,
                    "nobody knows whether a preview is shown"
                );
                self.is_over = true;
                let message = self.posted.as_ref().map(|posted| posted.message.clone());
                match message {
                    Some(message) => {
                        self.keep(message, true).await;
                        None
                    }
                    // It may stand there without us knowing its id. It says itself that it is not whole.
                    None => Some(Over::Useless),
                }
            }
        }
    }

    async fn keep(&mut self, message: String, doubtful: bool) {
        let posted = Posted {
            run: self.run.1.clone(),
            place: self.place.clone(),
            message,
            doubtful,
            at: self.previews.0.clock.now(),
        };
        self.posted = Some(posted.clone());
        if !self.previews.keep(&self.run, posted).await {
            self.is_over = true;
        }
    }

    /// The run has ended. Its answer takes the place of what stands there; without one it is taken back.
    async fn conclude(&mut self, replies: bool, end: &CancellationToken) {
        if self.posted.is_none() {
            return;
        }
        if replies && self.claimed(end).await {
            return;
        }
        self.withdraw(end).await;
    }

    /// Waits for the answer. False: none comes.
    async fn claimed(&self, end: &CancellationToken) -> bool {
        let outbox = &self.previews.0.outbox;
        let mut drops = outbox.drops();
        let chosen = Chosen {
            run_id: Some(self.run.1.clone()),
            ..Chosen::of_account(&self.run.0)
        };
        let late = time::sleep(CLAIM_WITHIN);
        tokio::pin!(late);
        loop {
            tokio::select! {
                () = end.cancelled() => return true,
                () = &mut late => return false,
                Ok(()) = drops.changed() => {
                    // Somebody wants no more of something: perhaps of this.
                    if matches!(outbox.waiting(chosen.clone(), 0, 1).await, Ok(page) if page.total == 0) {
                        return false;
                    }
                }
            }
        }
    }

    async fn withdraw(&mut self, end: &CancellationToken) {
        let Some(posted) = self.posted.take() else { return };
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
        for _ in 0..WITHDRAWALS_MAX {
            let (to, thread) = (&posted.place.to, posted.place.thread_id.as_deref());
            let taken_back = self.adapter.withdraw(to, thread, &posted.message);
            let wait = match time::timeout(SHOW_WITHIN, taken_back).await {
                Ok(Ok(()) | Err(PreviewError::Never(_) | PreviewError::MustLast)) => break,
                Ok(Err(PreviewError::Busy { after, .. })) => after.min(PAUSE_MAX).max(backoff.next()),
                Ok(Err(PreviewError::Unknown(_))) | Err(_) => backoff.next(),
            };
            tokio::select! {
                () = end.cancelled() => return, // whoever comes next finds it where it is
                () = time::sleep(wait) => {}
            }
        }
        self.previews.forget(&self.run).await;
    }
}

/// What a refusal means.
fn gone(failure: &Failure) -> Over {
    match failure.kind {
        // There is no such run, or the session service is of a version that nobody can read along with.
        Kind::Invalid | Kind::NotFound | Kind::Conflict | Kind::Precondition | Kind::Forbidden => {
            Over::Ended { replies: false }
        }
        Kind::Unauthenticated | Kind::Exhausted | Kind::Unavailable | Kind::Timeout | Kind::Internal => {
            Over::Away
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
