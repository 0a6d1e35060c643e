//! What WhatsApp says of messages that it took: somebody's device has one, somebody has read it, it reached nobody.
//!
//! WhatsApp is told that it was heard once the bridge has it. The client answers a receipt as soon as its handler returns, which cannot wait; so
//! what waits is whatever would leave for WhatsApp behind it (`durable`), the client's answer with it. A connection that ends
//! meanwhile, or a process that dies, has not answered, and is told again on the next one.
//!
//! A group is one chat to the bridge: one person whose device has the message is enough for *delivered*, one who has read it for *read*. That
//! is what the bridge counts (nobody, somebody, seen), and it needs no list of who is in a group, which changes.

mod waiting;

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    time::Duration,
};

use futures::future::join_all;
use gatehouse_plugin_sdk::{Heard, Link};
use gatehouse_proto::channel::v1::{
    Notice, NoticeTopic, ReportState, Reported, run_account_response::Message,
};
use tokio::{
    sync::{Notify, watch},
    time,
};
use whatsapp_rust::{
    Server,
    prelude::Client,
    wacore::types::{events::Receipt, presence::ReceiptType},
};

use self::waiting::{Report, Waiting};
use crate::{
    hear::Me,
    ids::{self, is_group},
};

/// How long the bridge may take for what it is told at once. What it has not taken by then comes again.
const WITHIN: Duration = Duration::from_secs(20);
/// What it is told at once: what the contract lets wait for its word.
const AT_ONCE: usize = 64;

/// What WhatsApp said of messages, until the bridge has it.
pub(crate) struct Reports {
    client: OnceLock<Weak<Client>>,
    waiting: Mutex<Waiting>,
    more: Notify,
    /// The bridge has everything up to this number.
    kept: watch::Sender<u64>,
    /// Why something was not taken: it comes again on the next connection alone.
    missed: watch::Sender<Option<String>>,
}

impl Reports {
    pub(crate) fn new(missed: watch::Sender<Option<String>>) -> Self {
        Self {
            client: OnceLock::new(),
            waiting: Mutex::default(),
            more: Notify::new(),
            kept: watch::Sender::new(0),
            missed,
        }
    }

    /// They are of messages that this client sent. Said before it connects.
    pub(crate) fn of(&self, client: &Arc<Client>) {
        let _ = self.client.set(Arc::downgrade(client)); // a session has one client
    }

    /// Hears a receipt.
    pub(crate) fn receipt(&self, receipt: &Receipt) {
        let Some(client) = self.client.get().and_then(Weak::upgrade) else {
            return; // the session is over, and so is its line: nobody has answered
        };
        let Some((state, why)) = read(receipt, &Me::of(&client)) else {
            return;
        };
        for id in receipt.message_ids.iter().filter(|id| ids::may_be_ours(id)) {
            self.add(id, state, why.map(str::to_owned));
        }
    }

    /// WhatsApp refuses a message that it had taken, or that nobody waits for any more.
    pub(crate) fn refused(&self, id: &str, code: &str) {
        let why = format!("it was refused later ({code})");
        self.add(id, ReportState::NotDelivered, Some(why));
    }

    fn add(&self, id: &str, state: ReportState, why: Option<String>) {
        match self.waiting().add(id, state, why) {
            Ok(()) => self.more.notify_one(),
            Err(reason) => {
                self.missed.send_replace(Some(reason.to_owned()));
            }
        }
    }

    /// Returns once the bridge has all that was heard until now.
    ///
    /// # Errors
    /// When it has not taken it: why.
    pub(crate) async fn kept(&self) -> Result<(), String> {
        let heard = self.waiting().heard();
        let (mut kept, mut missed) = (self.kept.subscribe(), self.missed.subscribe());
        tokio::select! {
            biased;
            _ = kept.wait_for(|kept| *kept >= heard) => Ok(()), // we hold both senders
            Ok(missed) = missed.wait_for(Option::is_some) => Err(missed.clone().unwrap_or_default()),
        }
    }

    /// Tells the bridge, as long as the session is there and the bridge takes it.
    pub(crate) async fn tell(&self, link: &Link) {
        loop {
            let reports = self.next().await;
            let told = time::timeout(WITHIN, hand_over(link, &reports)).await;
            let told = told.unwrap_or_else(|_| Err("the gateway did not take a report in time".to_owned()));
            if let Err(reason) = told {
                self.missed.send_replace(Some(reason));
                return;
            }
            let kept = self.waiting().kept(reports);
            self.kept.send_replace(kept);
        }
    }

    async fn next(&self) -> Vec<Report> {
        loop {
            let reports = self.waiting().next(AT_ONCE);
            if !reports.is_empty() {
                return reports;
            }
            self.more.notified().await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the bridge, and returns once it has it.
///
/// # Errors
/// When the bridge has not taken it: why.
async fn hand_over(link: &Link, reports: &[Report]) -> Result<(), String> {
    let told = reports.iter().map(async |report| {
        if let Some(why) = &report.why {
            tracing::warn!(
                message.id = report.id,
                reason = why,
                "a message was taken and not delivered"
            );
            let notice = Notice {
                topic: NoticeTopic::Delivery.into(),
                text: Some(format!("WhatsApp did not deliver a message: {why}")),
            };
            link.say(Message::Notice(notice)).await;
        }
        let reported = Reported {
            seq: 0,
            message_id: report.id.clone(),
            state: report.state.into(),
        };
        match link.report(reported).await {
            Heard::Kept => Ok(()),
            Heard::PassedOver(reason) => {
                tracing::info!(message.id = report.id, reason, "a report was passed over");
                Ok(())
            }
            Heard::Again(reason) => Err(reason),
        }
    });
    join_all(told).await.into_iter().collect()
}

/// How far a receipt says that messages of ours came, and why no further. `None`: it says nothing of that.
fn read(receipt: &Receipt, me: &Me) -> Option<(ReportState, Option<&'static str>)> {
    let source = &receipt.source;
    if me.is(&source.sender) || matches!(source.chat.server, Server::Broadcast | Server::Newsletter) {
        return None; // our own other devices, and what nobody is answered in
    }
    match &receipt.r#type {
        // `inactive`: the person's device has it while nobody looks at it.
        ReceiptType::Delivered | ReceiptType::Inactive => Some((ReportState::Delivered, None)),
        // A voice note that was heard.
        ReceiptType::Read | ReceiptType::Played => Some((ReportState::Read, None)),
        // What the client makes of a delivery that says that the device cannot take it. One member of a group is not all.
        ReceiptType::Sent if !is_group(&source.chat) => Some((
            ReportState::NotDelivered,
            Some("a device of whom it is for cannot take it; their WhatsApp has to be updated"),
        )),
        // Between devices of one account; a file that is asked for again; what a later version of the client knows. A device that cannot
        // decrypt a message asks for it again: the client answers that by itself, and a receipt follows once the device has it.
        _ => None,
    }
}

#[cfg(test)]
mod tests;
