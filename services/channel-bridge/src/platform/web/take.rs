//! What was said, on its way into the inbox, for platforms that say a thing again which was not acknowledged.

use std::time::Duration;

use gatehouse_core::Chain;
use tokio::time;

use crate::adapter::{InboundMessage, InboundSink, ReceiveError};

/// Before what could not be committed is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Returns when the message is committed, or never can be. Only then may the platform be told.
pub(in crate::platform) async fn commit(inbound: &InboundSink, message: InboundMessage) {
    loop {
        let problem = match inbound.receive(message.clone()).await {
            Ok(_) => return,
            Err(ReceiveError::Invalid(problem)) => {
                tracing::warn!(problem, "a message was left out");
                return;
            }
            Err(problem) => problem,
        };
        tracing::warn!(problem = %Chain(&problem), "a message cannot be taken yet; the platform is not told that it was");
        time::sleep(RETRY).await;
    }
}
