//! Whether a platform still knows an account, asked of the platform itself: that its connection is quiet, or that somebody calls us, says
//! nothing of a token that was taken back.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, watch},
    time::{self, Instant},
};

use crate::adapter::{Adapter, Ended};

/// How often an account that seems connected is asked about, where nobody wants to know.
pub(super) const ASK_EVERY: Duration = Duration::from_secs(300);
/// How long a platform may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// What was answered so lately is still true: asking again would only be noise.
const FRESH: Duration = Duration::from_secs(1);

/// What a platform said of an account, and when.
type Answer = (Instant, Result<(), Ended>);

/// What the platform said last, and that it knows the account no more. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    last: Arc<Mutex<Option<Answer>>>,
    refused: Arc<watch::Sender<Option<String>>>,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            last: Arc::default(),
            refused: Arc::new(watch::Sender::new(None)),
        }
    }
}

impl Asked {
    /// Asks, and lets the connection end where the platform knows the account no more. `None`: there is no way to ask.
    pub(crate) async fn ask(&self, adapter: &dyn Adapter) -> Option<Result<(), Ended>> {
        let mut last = self.last.lock().await;
        if let Some((at, answer)) = last.as_ref()
            && at.elapsed() < FRESH
        {
            return Some(answer.clone());
        }
        let answer = match time::timeout(ANSWER_WITHIN, adapter.ask()).await {
            Ok(answer) => answer?,
            Err(_) => Err(Ended::Retry("the platform did not answer in time".into())),
        };
        *last = Some((Instant::now(), answer.clone()));
        if let Err(Ended::Failed(reason)) = &answer {
            self.refused.send_replace(Some(reason.clone()));
        }
        Some(answer)
    }

    /// Another connection begins.
    pub(super) fn begin(&self) {
        self.refused.send_replace(None);
    }

    /// Returns when the platform said that it does not know the account any more, with what to do.
    pub(super) async fn refused(&self) -> String {
        let mut refused = self.refused.subscribe();
        loop {
            if let Some(reason) = refused.borrow_and_update().clone() {
                return reason;
            }
            if refused.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}
