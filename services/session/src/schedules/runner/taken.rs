//! What came by hooks: taken, and waited for.

use std::time::Duration;

use tokio::time::timeout;

use super::super::{NewHook, RunFilter, SlotRow, TakenHook};
use super::Runner;
use crate::error::Error;
use crate::id::RunId;

impl Runner {
    /// Takes what came by a hook. When this answers, it is stored.
    pub(crate) async fn take_hook(&self, new: NewHook) -> Result<TakenHook, Error> {
        let taken = self.store.take_hook(new).await?;
        self.changed.notify_one();
        Ok(taken)
    }

    /// How a run ended. `None`: it goes on, or the process ends before it.
    pub(crate) async fn ended(&self, run: &RunId, within: Duration) -> Result<Option<SlotRow>, Error> {
        let mut ends = self.ends.subscribe();
        let ended = async {
            loop {
                let filter = RunFilter {
                    run: Some(run.to_string()),
                    limit: 1,
                    ..RunFilter::default()
                };
                if let Some(row) = self.store.runs(filter).await?.0.pop() {
                    return Ok(Some(row));
                }
                if ends.changed().await.is_err() {
                    return Ok(None);
                }
            }
        };
        tokio::select! {
            () = self.drain.requested() => Ok(None),
            ended = timeout(within, ended) => ended.unwrap_or(Ok(None)),
        }
    }
}
