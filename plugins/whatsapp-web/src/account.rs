//! One account that is linked and connected.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::stream::BoxStream;
use gatehouse_plugin_sdk::{Account, Fetched, PartOutcome, for_now};
use gatehouse_proto::channel::v1::{AddReaction, Ended, MediaHead, SendPart, ShowTyping};
use tokio::{
    sync::{Semaphore, watch},
    time,
};
use tonic::Status;

use crate::{
    hear::Memory,
    ids::{self, MessageId},
    media,
    place::Place,
    say,
    session::Session,
    stage::{self, Over},
};

/// How long a connection that broke may take to be there again: the client makes another one by itself, and WhatsApp ends each some times a
/// day.
const BACK_WITHIN: Duration = Duration::from_secs(30);

/// The account.
#[derive(Debug)]
pub struct Login {
    pub(crate) session: Session,
    pub(crate) place: Arc<Place>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) missed: watch::Receiver<Option<String>>,
    /// Files that are uploaded at the same time: each is on the disk twice.
    pub(crate) uploads: Semaphore,
}

/// What the end of a session means for its account.
pub(crate) fn over(place: &Place, over: &Over) -> Ended {
    match over {
        Over::Account { ended, login } => {
            if *login && let Err(error) = place.end_login() {
                tracing::error!(error = %error, "a login that is over could not be put aside");
            }
            ended.clone()
        }
        Over::Codes => for_now("nobody has linked the account"),
    }
}

impl Account for Login {
    async fn run(&self) -> Ended {
        let (mut stages, mut missed) = (self.session.stage(), self.missed.clone());
        loop {
            let stage = stages.borrow_and_update().clone();
            if let Some(end) = &stage.over {
                return over(&self.place, end);
            }
            if stage.stopped {
                return stage::stopped();
            }
            if let Some(reason) = missed.borrow_and_update().clone() {
                // WhatsApp says it again on another connection alone.
                return for_now(reason);
            }
            let given_up = async {
                match &stage.lost {
                    Some((_, since)) => time::sleep_until(*since + BACK_WITHIN).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = stages.changed() => if changed.is_err() {
                    return stage::stopped();
                },
                Ok(()) = missed.changed() => {}
                () = given_up => {
                    let why = stage.lost.as_ref().map_or("", |(why, _)| why);
                    return for_now(format!("WhatsApp was lost: {why}"));
                }
            }
        }
    }

    async fn send(&self, part: SendPart) -> PartOutcome {
        say::send(&self.session, &self.memory, part).await
    }

    async fn typing(&self, typing: ShowTyping) {
        if let Some(to) = ids::address(&typing.to)
            && let Err(error) = self.session.client.chatstate().send_composing(&to).await
        {
            tracing::debug!(error = %error, "typing was not shown");
        }
    }

    async fn react(&self, reaction: AddReaction) -> Result<(), String> {
        let to = MessageId::read(&reaction.message_id).ok_or("that is no message of WhatsApp")?;
        let key = to.key();
        let reacted = self
            .session
            .client
            .send_reaction(&to.chat, key, &reaction.emoji)
            .await;
        reacted.map(drop).map_err(|error| error.to_string())
    }

    async fn probe(&self) -> bool {
        self.session.client.is_logged_in()
    }

    async fn fetch(&self, address: String) -> Result<Fetched, Status> {
        media::fetch(&self.session.client, &address).await
    }

    async fn take(
        &self,
        head: MediaHead,
        data: BoxStream<'static, Result<Bytes, Status>>,
    ) -> Result<String, Status> {
        let _place = self
            .uploads
            .acquire()
            .await
            .map_err(|_| Status::unavailable("the account ends"))?;
        let stored = media::upload(&self.session.client, &head.mime_type, data).await?;
        stored
            .address()
            .filter(|handle| handle.len() <= 4_096)
            .ok_or_else(|| Status::unavailable("WhatsApp named the file in too many words"))
    }

    async fn close(&self) {
        self.session.end().await;
    }
}
