//! What this process knows of a run while it runs it: the text so far, the count of its events, and whether it must stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::outcome::Ended;
use crate::answer::PART;
use crate::id::RunId;
use crate::key::SessionKey;
use crate::store::Origin;
use gatehouse_core::Timestamp;

/// Events of one attempt at most, so that the next attempt's numbers are higher than all that were seen.
const EVENTS_PER_ATTEMPT: i64 = 1_000_000;

/// The number before the first event of an attempt, counted from 1; attempt 0 is a turn that never ran.
pub(super) fn seq_before(attempt: u32) -> i64 {
    i64::from(attempt) * EVENTS_PER_ATTEMPT
}

/// Why a run stops before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Somebody wants it to.
    Abort(Origin),
    /// It belongs to another process now, or to none: nothing more may be progress about it here.
    Lost,
    /// This process ends; the next one takes it over.
    Drain,
}

/// A run in this process.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) run: RunId,
    pub(super) key: SessionKey,
    pub(super) started_at: Timestamp,
    first_at: OnceLock<Timestamp>,
    pub(super) ended: Ended,
    cancel: CancellationToken,
    /// Whether something waits that steers it.
    steered: AtomicBool,
    progress: Mutex<Progress>,
    /// Told when the text that is shown changed.
    written: Notify,
    /// Held while the text in flight goes into the store, as text or as a row: it must not be in both.
    keeping: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Progress {
    /// What was said before somebody steered the run, as it stands on the screens before the text.
    said: String,
    text: String,
    /// How often the text began anew.
    texts: u64,
    /// How much of it is in the store.
    kept: usize,
    seq: i64,
    text_seq: i64,
    stop: Option<Stop>,
}

/// How much of a run's text somebody has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    texts: u64,
    bytes: usize,
}

/// Text that somebody does not have yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) text: String,
    /// Whether it takes the place of what they have.
    pub(super) replace: bool,
}

/// The text so far and the number of the event that completes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InFlight {
    pub(crate) run: RunId,
    /// Its text so far.
    pub(crate) text: String,
    pub(crate) started_at: Timestamp,
    /// The number of the newest event that the text contains.
    pub(crate) seq: i64,
}

impl Live {
    pub(super) fn new(run: RunId, key: SessionKey, attempt: u32, started_at: Timestamp) -> Self {
        let seq = seq_before(attempt.saturating_sub(1));
        let progress = Progress {
            said: String::new(),
            text: String::new(),
            texts: 0,
            kept: 0,
            seq,
            text_seq: seq,
            stop: None,
        };
        Self {
            run,
            key,
            started_at,
            first_at: OnceLock::new(),
            ended: Ended::default(),
            cancel: CancellationToken::new(),
            steered: AtomicBool::new(false),
            progress: Mutex::new(progress),
            written: Notify::new(),
            keeping: tokio::sync::Mutex::default(),
        }
    }

    /// The turn of whoever is about to put the text in flight into the store.
    pub(super) async fn keeping(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.keeping.lock().await
    }

    /// Something of it was shown; the first time counts.
    pub(super) fn shown(&self, now: Timestamp) {
        self.first_at.get_or_init(|| now);
    }

    /// When its first piece was shown.
    pub(super) fn first_at(&self) -> Option<Timestamp> {
        self.first_at.get().copied()
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the next event.
    pub(super) fn next_seq(&self) -> i64 {
        let mut progress = self.progress();
        progress.seq += 1;
        progress.seq
    }

    /// Adds text; the number is that of the event which carries it.
    pub(super) fn append(&self, delta: &str) -> i64 {
        let mut progress = self.progress();
        progress.text.push_str(delta);
        progress.seq += 1;
        progress.text_seq = progress.seq;
        let seq = progress.seq;
        drop(progress);
        self.written.notify_waiters();
        seq
    }

    /// The same with text that is in the store already.
    pub(super) fn append_kept(&self, delta: &str) -> i64 {
        let mut progress = self.progress();
        progress.text.push_str(delta);
        progress.kept = progress.text.len();
        progress.seq += 1;
        progress.text_seq = progress.seq;
        let seq = progress.seq;
        drop(progress);
        self.written.notify_waiters();
        seq
    }

    /// The text that is not in the store yet, if there is any, and what is to be told [`Live::mark_kept`] when it is.
    pub(super) fn not_kept(&self) -> Option<(String, usize)> {
        let progress = self.progress();
        let text = progress.text.get(progress.kept..).unwrap_or_default();
        (!text.is_empty()).then(|| (text.to_owned(), progress.text.len()))
    }

    /// The text up to this length is in the store.
    pub(super) fn mark_kept(&self, bytes: usize) {
        self.progress().kept = bytes;
    }

    /// What was progress so far is a row now, and what follows is another message. Called while [`Live::keeping`] is held.
    pub(super) fn begin_message(&self) {
        let mut progress = self.progress();
        progress.said.clear();
        progress.text.clear();
        progress.texts += 1;
        progress.kept = 0;
    }

    /// Something waits that steers it.
    pub(super) fn steer(&self) {
        self.steered.store(true, Ordering::Release);
    }

    /// Whether something waits that steers it; asked once for each time.
    pub(super) fn take_steering(&self) -> bool {
        self.steered.swap(false, Ordering::AcqRel)
    }

    /// What was progress so far is a row now, and stays before what follows on the screens. Answers what parts the two, and the
    /// number of the event that says it. Called while [`Live::keeping`] is held.
    pub(super) fn go_on(&self) -> Option<(&'static str, i64)> {
        let mut progress = self.progress();
        let text = std::mem::take(&mut progress.text);
        progress.kept = 0;
        if text.trim().is_empty() {
            return None;
        }
        progress.said.push_str(&text);
        progress.said.push_str(PART);
        progress.seq += 1;
        progress.text_seq = progress.seq;
        Some((PART, progress.seq))
    }

    /// What an earlier attempt said before somebody steered the run: it stays before what this one says.
    pub(super) fn said_earlier(&self, said: String) {
        self.progress().said = said;
        self.written.notify_waiters();
    }

    /// What was said before somebody steered the run, as it stands on the screens.
    pub(super) fn said(&self) -> String {
        self.progress().said.clone()
    }

    /// What stands on the screens.
    pub(super) fn shown_text(&self) -> String {
        let progress = self.progress();
        format!("{}{}", progress.said, progress.text)
    }

    /// Its length in bytes.
    pub(super) fn shown_bytes(&self) -> usize {
        let progress = self.progress();
        progress.said.len() + progress.text.len()
    }

    /// What is shown beyond a mark, at most so many bytes of it. The mark then stands behind it.
    pub(super) fn written_since(&self, mark: &mut Mark, bytes_max: usize) -> Option<Written> {
        let progress = self.progress();
        // Nothing is taken back while there is nothing to put in its place.
        let replace = mark.texts != progress.texts;
        let from = if replace { 0 } else { mark.bytes };
        let said = progress.said.get(from..).unwrap_or_default();
        let text = from.saturating_sub(progress.said.len());
        let text = progress.text.get(text..).unwrap_or_default();
        let mut written = format!("{said}{text}");
        if written.is_empty() {
            return None;
        }
        written.truncate(written.floor_char_boundary(bytes_max));
        *mark = Mark {
            texts: progress.texts,
            bytes: from + written.len(),
        };
        Some(Written {
            text: written,
            replace,
        })
    }

    /// Waits until the text that is shown changes after this is called.
    pub(super) fn written(&self) -> tokio::sync::futures::Notified<'_> {
        self.written.notified()
    }

    /// The text so far, without what was said before somebody steered the run.
    pub(super) fn text(&self) -> String {
        self.progress().text.clone()
    }

    /// What somebody sees who comes late.
    pub(super) fn in_flight(&self) -> InFlight {
        let progress = self.progress();
        InFlight {
            run: self.run.clone(),
            text: format!("{}{}", progress.said, progress.text),
            started_at: self.started_at,
            seq: progress.text_seq,
        }
    }

    /// Makes it stop. The first reason holds.
    pub(super) fn stop(&self, reason: Stop) {
        self.progress().stop.get_or_insert(reason);
        self.cancel.cancel();
    }

    /// Waits until it must stop.
    pub(super) async fn stopped(&self) -> Stop {
        self.cancel.cancelled().await;
        self.progress().stop.unwrap_or(Stop::Lost)
    }
}

#[cfg(test)]
mod tests;
