//! Answers that are shown while they are being written.
//!
//! A task for each run reads along with the session service and shows the text as fast as its platform bears, as a message that is
//! changed or as a draft that vanishes. It is no part of the answer: that comes through the outbox, which asks for the place of the
//! preview ([`Previews::claim`]) before it says anything. From then on nothing is shown any more, and what was on its way has been
//! answered, so that no late change writes over the answer. A message that stays is on the disk, so that whoever comes after a restart
//! finds it, goes on with it, and takes it back when no answer comes.

mod showing;
pub(crate) mod store;
#[cfg(test)]
mod tests;
mod view;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use gatehouse_core::{Chain, Clock, Drain};
pub(crate) use gatehouse_document::channels::Streaming;
use tokio_util::sync::CancellationToken;

use self::{
    showing::Showing,
    store::{Posted, PreviewStore},
};
use crate::{
    adapter::{AccountKey, Adapter, ChatKind, InboundMessage, PreviewError, SendError},
    id::{Address, MessageId},
    inbox::SessionClient,
    metrics::Metrics,
    outbox::Outbox,
    store::Stores,
};

/// Runs that are read along with at the same time, of all accounts: what a household asks at once, many times over. Whoever comes then
/// sees the whole answer only.
const SHOWN_MAX: usize = 128;
/// When a platform says nothing better.
const PAUSE: Duration = Duration::from_secs(2);

/// A run, and the account in whose chat it is shown.
type Run = (AccountKey, String);

/// The answers that are shown. Clones share them.
#[derive(Clone)]
pub(crate) struct Previews(Arc<Inner>);

struct Inner {
    store: Arc<dyn PreviewStore>,
    session: Arc<dyn SessionClient>,
    outbox: Outbox,
    clock: Clock,
    metrics: Metrics,
    drain: Drain,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tasks: HashMap<Run, Task>,
    /// Messages that stand in chats, as the store has them.
    posted: HashMap<Run, Posted>,
}

#[derive(Clone)]
struct Task {
    end: CancellationToken,
    /// Cancelled when nothing of it is left.
    gone: CancellationToken,
}

/// Where an answer is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) to: Address,
    pub(crate) thread_id: Option<String>,
    pub(crate) reply_to_id: Option<MessageId>,
    /// Whether several people are there.
    pub(crate) shared: bool,
}

impl Place {
    /// Where a message is answered.
    pub(crate) fn of(message: &InboundMessage) -> Self {
        Self {
            to: message.reply_to.clone(),
            thread_id: message.thread_id.clone(),
            reply_to_id: Some(message.message_id.clone()),
            shared: message.chat_kind != ChatKind::Direct,
        }
    }
}

impl fmt::Debug for Previews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Previews")
    }
}

impl Previews {
    pub(crate) fn new(
        stores: &Stores,
        session: Arc<dyn SessionClient>,
        outbox: Outbox,
        clock: Clock,
        metrics: Metrics,
        drain: Drain,
    ) -> Self {
        Self(Arc::new(Inner {
            store: Arc::clone(&stores.previews),
            session,
            outbox,
            clock,
            metrics,
            drain,
            state: Mutex::default(),
        }))
    }

    /// Shows what a run writes, if the platform can and somebody wants it.
    pub(crate) fn begin(
        &self,
        account: &AccountKey,
        adapter: &Arc<dyn Adapter>,
        streaming: Streaming,
        run: &str,
        place: Place,
    ) {
        if streaming == Streaming::Off {
            return;
        }
        self.show((account.clone(), run.to_owned()), adapter, streaming, place, None);
    }

    /// Goes on with what a process before this one left in the chats of an account.
    pub(crate) async fn resume(&self, account: &AccountKey, adapter: &Arc<dyn Adapter>) {
        let left = match self.0.store.previews(account.clone()).await {
            Ok(left) => left,
            Err(error) => {
                tracing::error!(account.id = %account, error = %Chain(&error), "previews of answers cannot be read: what stands in the chats stays there");
                return;
            }
        };
        for posted in left {
            let run = (account.clone(), posted.run.clone());
            self.state().posted.insert(run.clone(), posted.clone());
            let place = posted.place.clone();
            self.show(run, adapter, Streaming::Preview, place, Some(posted));
        }
    }

    fn show(
        &self,
        run: Run,
        adapter: &Arc<dyn Adapter>,
        streaming: Streaming,
        place: Place,
        posted: Option<Posted>,
    ) {
        let capabilities = adapter.capabilities();
        let Some(pace) = capabilities.previews else { return };
        let task = Task {
            end: CancellationToken::new(),
            gone: CancellationToken::new(),
        };
        {
            let mut state = self.state();
            if state.tasks.len() >= SHOWN_MAX || state.tasks.contains_key(&run) {
                return;
            }
            state.tasks.insert(run.clone(), task.clone());
        }
        let showing = Showing::new(
            self.clone(),
            run.clone(),
            Arc::clone(adapter),
            capabilities,
            pace,
            streaming,
            place,
            posted,
        );
        let (previews, drain) = (self.clone(), self.0.drain.clone());
        self.0.drain.spawn_work("preview", async move {
            let gone = task.gone.drop_guard();
            tokio::select! {
                () = showing.run(&task.end) => {}
                () = drain.requested() => {}
            }
            previews.state().tasks.remove(&run);
            drop(gone);
        });
    }

    /// An account ends: nothing more is shown of it. What stands in its chats is found again when it is started.
    pub(crate) fn end(&self, account: &AccountKey) {
        let mut state = self.state();
        for (_, task) in state.tasks.iter().filter(|((of, _), _)| of == account) {
            task.end.cancel();
        }
        state.posted.retain(|(of, _), _| of != account);
    }

    /// The answer of a run is about to be sent: from here on nothing is shown of it. Answers the message that the answer is to take the
    /// place of.
    ///
    /// # Errors
    /// When a preview stands in the chat that cannot be dealt with yet.
    pub(crate) async fn claim(
        &self,
        account: &AccountKey,
        adapter: &dyn Adapter,
        run: &str,
        to: &Address,
    ) -> Result<Option<String>, SendError> {
        let run = (account.clone(), run.to_owned());
        let task = self.state().tasks.get(&run).cloned();
        if let Some(task) = task {
            task.end.cancel();
            task.gone.cancelled().await;
        }
        let posted = self.state().posted.get(&run).cloned();
        let Some(posted) = posted.filter(|posted| posted.place.to == *to) else {
            return Ok(None);
        };
        if !posted.doubtful {
            return Ok(Some(posted.message));
        }
        // A change of it may still come, and would write over whatever stands there.
        match adapter
            .withdraw(
                &posted.place.to,
                posted.place.thread_id.as_deref(),
                &posted.message,
            )
            .await
        {
            Ok(()) | Err(PreviewError::Never(_) | PreviewError::MustLast) => {}
            Err(PreviewError::Busy { after, reason }) => return Err(SendError::ChatBusy { after, reason }),
            Err(PreviewError::Unknown(reason)) => {
                let after = PAUSE;
                return Err(SendError::ChatBusy { after, reason });
            }
        }
        self.forget(&run).await;
        Ok(None)
    }

    /// The answer stands where the preview was. The store forgot it together with the receipt.
    pub(crate) fn replaced(&self, account: &AccountKey, run: &str) {
        self.state().posted.remove(&(account.clone(), run.to_owned()));
    }

    /// The message of a preview is not there any more.
    pub(crate) async fn gone(&self, account: &AccountKey, run: &str) {
        self.forget(&(account.clone(), run.to_owned())).await;
    }

    async fn forget(&self, run: &Run) {
        self.state().posted.remove(run);
        let (account, id) = run.clone();
        if let Err(error) = self.0.store.forget_preview(account, id).await {
            // Found again after a restart, it is taken back, which changes nothing.
            tracing::error!(run.id = run.1, error = %Chain(&error), "a preview could not be forgotten");
        }
    }

    /// Remembers a message that stands in a chat.
    async fn keep(&self, run: &Run, posted: Posted) -> bool {
        let kept = self.0.store.keep_preview(run.0.clone(), posted.clone()).await;
        if let Err(error) = &kept {
            tracing::error!(run.id = run.1, error = %Chain(error), "a preview cannot be kept");
        }
        self.state().posted.insert(run.clone(), posted);
        kept.is_ok()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
