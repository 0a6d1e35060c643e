//! One question, one answer, and the end: for scripts and pipes. The answer alone goes to the standard output.

use std::time::Duration;

use tokio::{signal::ctrl_c, time::timeout};

use super::{Conversation, screen::End};
use crate::exit::{Exit, Failed};

/// How long a script waits for a gateway that went away.
const RECONNECT_TIMEOUT: Duration = Duration::from_secs(60);

impl Conversation {
    /// Asks and prints the answer.
    pub(super) async fn once(mut self, session: &str, message: String) -> Result<(), Failed> {
        let ended = tokio::select! {
            ended = self.answer(session, &message) => ended,
            _ = ctrl_c() => Err(Failed::new(Exit::Interrupted, "stopped")),
        };
        match ended {
            Ok(()) => self.client.close().await,
            Err(failed) if failed.exit == Exit::Interrupted => {
                // Whether it was stopped comes as an event; whoever presses twice does not wait for it.
                tokio::select! {
                    _ = self.stop() => {}
                    _ = ctrl_c() => {}
                }
                return Err(failed);
            }
            Err(failed) => return Err(failed),
        }
        Ok(())
    }

    async fn answer(&mut self, session: &str, message: &str) -> Result<(), Failed> {
        if message.trim().is_empty() {
            return Err(Failed::new(
                Exit::Usage,
                "there is nothing to say: the message is empty",
            ));
        }
        self.enter(session, 0).await?;
        let run = match self.say(message.trim_end()).await {
            Ok(run) => run,
            Err(failed) if failed.exit == Exit::Unavailable && !self.unacknowledged.is_empty() => {
                let run = self
                    .unacknowledged
                    .first()
                    .map(|(run, _)| run.clone())
                    .unwrap_or_default();
                self.reconnect_in_time().await?;
                run
            }
            Err(failed) => return Err(failed),
        };
        loop {
            match self.screen.end_of(&run) {
                None => {}
                Some(End::Answered) => return Ok(()),
                Some(End::Stopped) => return Err(Failed::new(Exit::Failed, "the answer was stopped")),
                Some(End::Failed(why)) => return Err(Failed::new(Exit::Failed, why.clone())),
            }
            match self.client.next().await {
                Ok(incoming) => {
                    if self.show(&incoming)? {
                        self.catch_up().await?;
                    }
                }
                Err(_) => self.reconnect_in_time().await?,
            }
        }
    }

    async fn reconnect_in_time(&mut self) -> Result<(), Failed> {
        timeout(RECONNECT_TIMEOUT, self.reconnect()).await.map_err(|_| {
            Failed::new(
                Exit::Unavailable,
                "the gateway went away and did not come back within a minute",
            )
            .next("the message is kept if it was acknowledged: `gatehouse chat` shows the answer")
        })?
    }
}
