//! A way in that keeps what came in memory.

use std::sync::Mutex;

use async_trait::async_trait;

use crate::adapter::{AccountKey, InboundMessage, Receive, ReceiveError, Received, Report};

#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// What came in, each id once.
    pub(crate) messages: Mutex<Vec<InboundMessage>>,
    /// What was said of messages that went out, by their ids.
    pub(crate) reports: Mutex<Vec<(String, Report)>>,
    /// How often it fails before it commits anything.
    pub(crate) failures: Mutex<u32>,
}

impl Heard {
    pub(crate) fn texts(&self) -> Vec<String> {
        self.messages
            .lock()
            .unwrap()
            .iter()
            .map(|message| message.content.words())
            .collect()
    }

    fn fail(&self) -> Result<(), ReceiveError> {
        let mut failures = self.failures.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            return Err(ReceiveError::Full);
        }
        Ok(())
    }
}

#[async_trait]
impl Receive for Heard {
    async fn receive(&self, _: &AccountKey, message: InboundMessage) -> Result<Received, ReceiveError> {
        self.fail()?;
        let mut heard = self.messages.lock().unwrap();
        if heard.iter().any(|known| known.message_id == message.message_id) {
            return Ok(Received::Duplicate);
        }
        heard.push(message);
        Ok(Received::Stored)
    }

    async fn report(&self, _: &AccountKey, receipt: String, report: Report) -> Result<(), ReceiveError> {
        self.fail()?;
        self.reports.lock().unwrap().push((receipt, report));
        Ok(())
    }
}
