//! The bridge's end of an account's stream.

use std::sync::{Arc, Mutex, PoisonError};

use gatehouse_proto::channel::v1::{
    Inbound, InboundCommitted, PartAnswered, PreviewAnswered, RunAccountRequest, RunAccountResponse,
    SendPart, ShowPreview, StateSaved, part_answered::Outcome, preview_answered,
    run_account_request::Message as Asked, run_account_response::Message as Said,
};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tonic::Streaming;

use crate::synapse::DEADLINE;

/// The bridge's end of an account's stream.
pub(crate) struct Account {
    asking: mpsc::Sender<RunAccountRequest>,
    said: mpsc::Receiver<Said>,
    saved: Arc<Mutex<Vec<u8>>>,
    reading: JoinHandle<()>,
}

impl Drop for Account {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl Account {
    /// Reads the stream as the bridge does: at once, whatever becomes of what is read.
    pub(crate) fn reading(
        asking: mpsc::Sender<RunAccountRequest>,
        mut answers: Streaming<RunAccountResponse>,
        state: &[u8],
    ) -> Self {
        let (saying, said) = mpsc::channel(1_000);
        let saved = Arc::new(Mutex::new(state.to_vec()));
        let (answering, keeping) = (asking.clone(), Arc::clone(&saved));
        let reading = tokio::spawn(async move {
            while let Ok(Some(answer)) = answers.message().await {
                match answer.message.expect("a message") {
                    Said::Heard(_) => {}
                    Said::Save(save) => {
                        *keeping.lock().unwrap_or_else(PoisonError::into_inner) = save.value.to_vec();
                        let (seq, error) = (save.seq, None);
                        let saved = Some(Asked::Saved(StateSaved { seq, error }));
                        let _ = answering.send(RunAccountRequest { message: saved }).await;
                    }
                    other => saying.send(other).await.expect("the test reads"),
                }
            }
        });
        Self {
            asking,
            said,
            saved,
            reading,
        }
    }

    /// What it has saved.
    pub(crate) fn state(&self) -> Vec<u8> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) async fn ask(&self, message: Asked) {
        let message = Some(message);
        let asked = self.asking.send(RunAccountRequest { message }).await;
        asked.expect("the stream is open");
    }

    /// What the plugin says next, signs of life and what is to be remembered aside.
    pub(crate) async fn said(&mut self) -> Said {
        let said = timeout(DEADLINE, self.said.recv()).await.expect("in time");
        said.expect("the stream is open")
    }

    /// The message that comes next.
    pub(crate) async fn heard(&mut self) -> Inbound {
        match self.said().await {
            Said::Inbound(inbound) => *inbound,
            other => panic!("{other:?}"),
        }
    }

    /// The message that comes next, committed.
    pub(crate) async fn keep(&mut self) -> Inbound {
        let inbound = self.heard().await;
        let (seq, duplicate) = (inbound.seq, false);
        self.ask(Asked::Committed(InboundCommitted { seq, duplicate }))
            .await;
        inbound
    }

    pub(crate) async fn send(&mut self, part: SendPart) -> Outcome {
        self.ask(Asked::Send(part)).await;
        match self.said().await {
            Said::Part(PartAnswered { outcome, .. }) => outcome.expect("an outcome"),
            other => panic!("{other:?}"),
        }
    }

    /// Sends a part that is taken: its event.
    pub(crate) async fn sent(&mut self, part: SendPart) -> String {
        match self.send(part).await {
            Outcome::Sent(sent) => sent.platform_id,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn show(&mut self, preview: ShowPreview) -> preview_answered::Outcome {
        self.ask(Asked::Preview(preview)).await;
        match self.said().await {
            Said::Preview(PreviewAnswered { outcome, .. }) => outcome.expect("an outcome"),
            other => panic!("{other:?}"),
        }
    }
}
