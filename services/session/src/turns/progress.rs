//! What a run writes, for somebody outside who reads along while it does: a chat that shows an answer before it is whole.
//!
//! Nothing waits for whoever reads: they are given what is new when they ask, so a slow chat holds up neither the run nor its screens,
//! and nothing piles up but the text itself. What stays where it is shown makes the run one that is not begun anew.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time;

use super::Record;
use super::live::{Live, Mark, Written};
use super::runs::Runs;
use super::shared::Shared;
use crate::error::Error;
use crate::id::RunId;
use crate::store::Hold;

/// The most text of one answer: the contract's figure.
const TEXT_BYTES_MAX: usize = 256 * 1024;
/// How often it is looked whether a run ended that is under way nowhere near: another process may have it.
const LOOK: Duration = Duration::from_secs(15);

/// Something that happened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Text {
        text: String,
        replace: bool,
    },
    /// `replies`: there is a reply on its way.
    End {
        replies: bool,
    },
}

/// Somebody who reads along.
#[derive(Debug)]
pub(crate) struct Reader {
    shared: Shared,
    runs: Arc<Runs>,
    changes: watch::Receiver<u64>,
    run: RunId,
    /// Whether what is read stays.
    lasting: bool,
    marked: bool,
    at: Mark,
    /// The attempt that the place in its text belongs to.
    live: Option<Arc<Live>>,
    /// Whether the next text takes the place of what was read: it is of another attempt.
    anew: bool,
    is_over: bool,
}

impl Reader {
    pub(super) fn new(shared: Shared, runs: Arc<Runs>, run: RunId, lasting: bool) -> Self {
        Self {
            changes: runs.changes(),
            shared,
            runs,
            run,
            lasting,
            marked: false,
            at: Mark::default(),
            live: None,
            anew: false,
            is_over: false,
        }
    }

    /// The next thing that happens; `None` behind the end.
    ///
    /// # Errors
    /// When there is no such run, or the store fails.
    pub(crate) async fn next(&mut self) -> Result<Option<Progress>, Error> {
        loop {
            if self.is_over {
                return Ok(None);
            }
            self.changes.borrow_and_update();
            let Some(live) = self.runs.find(&self.run) else {
                if let Some(end) = self.end().await? {
                    self.is_over = true;
                    return Ok(Some(end));
                }
                let _ = time::timeout(LOOK, self.changes.changed()).await;
                continue;
            };
            if let Some(text) = self.read(&live).await? {
                return Ok(Some(text));
            }
        }
    }

    async fn end(&self) -> Result<Option<Progress>, Error> {
        let stores = &self.shared.stores;
        let turn = stores.turns.find(&self.run).await?;
        let turn = turn.ok_or_else(|| Error::NoRun(self.run.to_string()))?;
        if !turn.state.is_terminal() {
            return Ok(None);
        }
        let replies = stores.deliveries.is_made(&self.run).await?;
        Ok(Some(Progress::End { replies }))
    }

    /// The next text of a run that is under way. `None`: look again.
    async fn read(&mut self, live: &Arc<Live>) -> Result<Option<Progress>, Error> {
        let written = live.written();
        tokio::pin!(written);
        written.as_mut().enable(); // before the look, so that no word falls between
        if !self.live.as_ref().is_some_and(|known| Arc::ptr_eq(known, live)) {
            self.anew = self.live.is_some();
            self.at = Mark::default();
            self.live = Some(Arc::clone(live));
        }
        let Some(Written { text, replace }) = live.written_since(&mut self.at, TEXT_BYTES_MAX) else {
            tokio::select! {
                () = written => {}
                _ = self.changes.changed() => {}
            }
            return Ok(None);
        };
        if self.lasting && !self.marked && !self.mark().await? {
            return Ok(None); // it belongs to another process by now
        }
        let replace = std::mem::take(&mut self.anew) || replace;
        Ok(Some(Progress::Text { text, replace }))
    }

    /// Writes down that the run is seen where it stays. False: the lease is lost.
    async fn mark(&mut self) -> Result<bool, Error> {
        let record = Record {
            run: self.run.clone(),
            owner: self.shared.owner.clone(),
            first: 0,
            entries: Vec::new(),
            effects: true,
        };
        let recorded = self.shared.stores.turns.record(record).await?;
        self.marked = recorded.hold != Hold::Lost;
        Ok(self.marked)
    }
}
