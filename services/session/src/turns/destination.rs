//! Where a message goes: the same question for screens, programs and chats.

use super::queue::{self, QueueMode, QueueRule};
use crate::agents::ModelName;
use crate::error::Error;
use crate::key::SessionKey;
use crate::policy::Policy;
use crate::store::Stores;

/// A session, and how a message joins its queue.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    pub(crate) key: SessionKey,
    pub(crate) queue: QueueRule,
    /// The model that was chosen for it.
    pub(crate) model: Option<ModelName>,
    /// Whether its owner wants nothing to be sent.
    pub(crate) forbids_sending: bool,
}

impl Destination {
    /// Asks the session how messages join its queue. `channel` is the one that the message came through, when it came through
    /// one; `mode` what the message says itself.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn find(
        stores: &Stores,
        policy: &Policy,
        key: SessionKey,
        channel: Option<&str>,
        mode: Option<QueueMode>,
    ) -> Result<Self, Error> {
        let session = stores.sessions.find(&key).await?;
        let session = session.as_ref();
        let channel = channel.or_else(|| session.and_then(|session| session.channel.as_deref()));
        let chosen = session.and_then(|session| session.queue_mode);
        Ok(Self {
            forbids_sending: session.is_some_and(|session| session.settings.forbids_sending()),
            queue: queue::rule(&policy.queue, channel, chosen, mode),
            model: session.and_then(|session| session.model_override.clone()),
            key,
        })
    }
}
