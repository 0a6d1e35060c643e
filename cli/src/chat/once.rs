//! One question, one answer, and the end: for scripts and pipes. The answer alone goes to the standard output.

use std::time::Duration;

use gatehouse_core::telemetry::escape;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    signal::ctrl_c,
    time::timeout,
};

use super::{
    Conversation, Drawn,
    command::{self, Line},
    print,
    screen::End,
    trouble::Trouble,
};
use crate::{
    client::Incoming,
    exit::{Exit, Failed},
    output::remark,
};

/// How long a script waits for a gateway that went away.
const RECONNECT_TIMEOUT: Duration = Duration::from_secs(60);

impl Conversation {
    /// Asks and prints the answer.
    pub(super) async fn once(mut self, session: &str, message: String) -> Result<(), Failed> {
        let ended = tokio::select! {
            ended = self.answer(session, &message, false) => ended,
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

    /// Answers line by line: for a terminal that cannot move its cursor, and for one whose output goes elsewhere.
    pub(super) async fn line_by_line(mut self, session: &str) -> Result<(), Failed> {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let said = match command::read(&line) {
                Line::Empty => continue,
                Line::Quit => break,
                Line::Say(text) => self.answer(session, text, true).await,
                Line::Unknown(_) => self.answer(session, line.trim(), false).await,
                _ => {
                    remark("commands need a terminal that can move its cursor: see TERM");
                    continue;
                }
            };
            match said {
                Err(failed) if failed.exit == Exit::OutputClosed => return Err(failed),
                Err(failed) => remark(&failed.to_string()),
                Ok(()) => {}
            }
        }
        self.client.close().await;
        Ok(())
    }

    async fn answer(&mut self, session: &str, message: &str, literal: bool) -> Result<(), Failed> {
        if message.trim().is_empty() {
            return Err(Failed::new(
                Exit::Usage,
                "there is nothing to say: the message is empty",
            ));
        }
        self.enter(session, 0).await.map_err(Trouble::into_failed)?;
        let run = self.say(message.trim_end(), literal);
        match self.send_unacknowledged(waits).await {
            Ok(()) => {}
            Err(Trouble::Lost(_)) => self.reconnect_in_time().await?,
            Err(trouble) => {
                let failed = trouble.into_failed();
                self.give_up(&failed.message);
                return Err(failed);
            }
        }
        loop {
            match self.screen.end_of(&run) {
                None => {}
                Some(end @ (End::Answered | End::Cut(_))) => {
                    if let End::Cut(why) = end {
                        remark(why);
                    }
                    // Beside the answer, which a script reads.
                    if let Some(cost) = self.screen.cost() {
                        remark(cost);
                    }
                    return Ok(());
                }
                Some(End::Stopped) => return Err(Failed::new(Exit::Failed, "the answer was stopped")),
                Some(End::Failed(why)) => return Err(Failed::new(Exit::Failed, why.clone())),
            }
            match self.client.next().await {
                Ok(incoming) => self.show(&incoming).await?,
                Err(_) => self.reconnect_in_time().await?,
            }
        }
    }

    async fn show(&mut self, incoming: &Incoming) -> Result<(), Failed> {
        match (self.draw(incoming), incoming) {
            (Drawn::Text(_, true), Incoming::Event { payload, .. }) if self.json => {
                print(&format!("{}\n", payload.get()))
            }
            (Drawn::Text(text, _), _) if !self.json => print(&text),
            (Drawn::Text(..) | Drawn::Nothing, _) => Ok(()),
            (Drawn::Gap, _) => match self.catch_up().await {
                Ok(missing) => self.print_missing(&missing),
                Err(Trouble::Lost(_)) => self.reconnect_in_time().await,
                Err(trouble) => Err(trouble.into_failed()),
            },
        }
    }

    fn print_missing(&self, text: &str) -> Result<(), Failed> {
        if self.json { Ok(()) } else { print(text) }
    }

    async fn reconnect_in_time(&mut self) -> Result<(), Failed> {
        let missing = timeout(RECONNECT_TIMEOUT, self.reconnect()).await.map_err(|_| {
            Failed::new(
                Exit::Unavailable,
                "the gateway went away and did not come back within a minute",
            )
            .next("the message is kept if it was acknowledged: `gatehouse chat` shows the answer")
        })?;
        let missing = missing.map_err(Trouble::into_failed)?;
        self.print_missing(&missing)
    }
}

/// Whoever waits is told for what: an answer that does not come looks like one that is slow.
fn waits(why: &str) {
    remark(&format!("waiting: {}", escape(why)));
}
