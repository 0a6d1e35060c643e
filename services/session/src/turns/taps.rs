//! Programs that read an answer as it is written, each piece as its model wrote it and none paced. Known in this process alone, like
//! the text in flight: who comes after a restart reads what is kept, and then goes on.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gatehouse_proto::agent::v1::{FailureKind, ToolCallDelta};
use tokio::sync::Notify;

use crate::id::RunId;

/// Pieces that wait for a reader. One that is further behind gets its text in fewer and longer pieces: nothing of it is lost, and what
/// waits is bounded by the longest answer.
const WAITING_MAX: usize = 1024;

/// Something that a run did.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    /// A model is asked.
    Model {
        provider: String,
        model: String,
    },
    /// More of the answer; `seq` is the number of the event that said it to the screens.
    Text {
        seq: i64,
        text: String,
    },
    Thinking(String),
    /// All text of the message so far was thinking.
    WasThinking,
    /// What the model that is asked is not shown, in words; empty when it is shown everything.
    Notice(String),
    /// More of a call of one of the program's tools.
    Call(ToolCallDelta),
    /// Why the run is about to end without an answer.
    Failed(FailureKind),
    /// The answer is begun anew. Who can take back what was said gets all of it again, and everybody else what goes on with it.
    Anew,
    /// It was begun anew with other words than before: those cannot be taken back.
    Rewritten,
}

/// Who reads which run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taps(Arc<Mutex<HashMap<RunId, Vec<Arc<Waiting>>>>>);

#[derive(Debug, Default)]
struct Waiting {
    /// Whether its reader can forget what was said.
    takes_back: bool,
    pieces: Mutex<Pieces>,
    rang: Notify,
}

#[derive(Debug, Default)]
struct Pieces {
    queue: VecDeque<Piece>,
    /// The text of the message that is being written, as far as it was handed on.
    text: String,
}

/// One reader. Dropping it ends the reading.
#[derive(Debug)]
pub(crate) struct Tap {
    taps: Taps,
    run: RunId,
    waiting: Arc<Waiting>,
}

impl Taps {
    fn runs(&self) -> MutexGuard<'_, HashMap<RunId, Vec<Arc<Waiting>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a run from now on. `takes_back`: the reader can forget what was said.
    pub(crate) fn open(&self, run: &RunId, takes_back: bool) -> Tap {
        let waiting = Arc::new(Waiting {
            takes_back,
            ..Waiting::default()
        });
        self.runs()
            .entry(run.clone())
            .or_default()
            .push(Arc::clone(&waiting));
        Tap {
            taps: self.clone(),
            run: run.clone(),
            waiting,
        }
    }

    /// How many read a run.
    pub(crate) fn readers(&self, run: &RunId) -> usize {
        self.runs().get(run).map_or(0, Vec::len)
    }

    /// A run did something.
    pub(super) fn push(&self, run: &RunId, piece: &Piece) {
        for waiting in self.runs().get(run).into_iter().flatten() {
            waiting.push(piece.clone());
        }
    }

    /// Text that takes the place of what was there. What goes on with it is more of it.
    pub(super) fn replace(&self, run: &RunId, seq: i64, whole: &str) {
        for waiting in self.runs().get(run).into_iter().flatten() {
            waiting.replace(seq, whole);
        }
    }

    /// A run that said something is run again.
    pub(super) fn begin_anew(&self, run: &RunId) {
        for waiting in self.runs().get(run).into_iter().flatten() {
            if waiting.takes_back {
                waiting.pieces().text.clear();
            }
            waiting.push(Piece::Anew);
        }
    }

    /// What was written so far is a message of its own, and what follows is another one.
    pub(super) fn begin_message(&self, run: &RunId) {
        for waiting in self.runs().get(run).into_iter().flatten() {
            waiting.pieces().text.clear();
        }
    }
}

impl Waiting {
    fn pieces(&self) -> MutexGuard<'_, Pieces> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, piece: Piece) {
        let mut pieces = self.pieces();
        if let Piece::Text { text, .. } = &piece {
            pieces.text.push_str(text);
        }
        let is_behind = pieces.queue.len() >= WAITING_MAX;
        match (pieces.queue.back_mut(), piece) {
            (
                Some(Piece::Text { seq, text }),
                Piece::Text {
                    seq: newest,
                    text: more,
                },
            ) if is_behind => {
                *seq = newest;
                text.push_str(&more);
            }
            (Some(Piece::Thinking(text)), Piece::Thinking(more)) if is_behind => text.push_str(&more),
            (Some(Piece::Call(last)), Piece::Call(more)) if is_behind && last.index == more.index => {
                last.arguments.push_str(&more.arguments);
            }
            (_, piece) => pieces.queue.push_back(piece),
        }
        drop(pieces);
        self.rang.notify_one();
    }

    fn replace(&self, seq: i64, whole: &str) {
        let so_far = self.pieces().text.clone();
        match whole.strip_prefix(so_far.as_str()) {
            Some("") => {}
            Some(rest) => self.push(Piece::Text {
                seq,
                text: rest.to_owned(),
            }),
            None => self.push(Piece::Rewritten),
        }
    }
}

impl Tap {
    /// The next piece. It waits for one for ever.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(crate) async fn next(&mut self) -> Piece {
        loop {
            // Whoever pushes leaves a permit where nobody waits: none is missed between the look and the wait.
            let waiting = Arc::clone(&self.waiting);
            if let Some(piece) = self.take() {
                return piece;
            }
            waiting.rang.notified().await;
        }
    }

    /// The next piece, if there is one.
    pub(crate) fn take(&mut self) -> Option<Piece> {
        self.waiting.pieces().queue.pop_front()
    }

    /// The text so far of a run that was under way before this read it, up to the event of this number.
    pub(crate) fn begin_behind(&mut self, text: &str, seq: i64) {
        let mut pieces = self.waiting.pieces();
        let is_known = |piece: &Piece| matches!(piece, Piece::Text { seq: said, .. } if *said <= seq);
        pieces.queue.retain(|piece| !is_known(piece));
        let later: String = pieces
            .queue
            .iter()
            .filter_map(|piece| match piece {
                Piece::Text { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        pieces.text = format!("{text}{later}");
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let mut runs = self.taps.runs();
        if let Some(readers) = runs.get_mut(&self.run) {
            readers.retain(|reader| !Arc::ptr_eq(reader, &self.waiting));
            if readers.is_empty() {
                runs.remove(&self.run);
            }
        }
    }
}

#[cfg(test)]
mod tests;
