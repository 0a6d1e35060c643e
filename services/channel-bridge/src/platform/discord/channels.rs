//! Which channel hangs under which. A message names its channel only, so each is asked for once.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time;

use super::{
    api::{Api, ApiError},
    event::Channel,
};

/// Channels that are remembered. Beyond it all are asked for anew.
const CHANNELS_MAX: usize = 4096;
/// How often it is asked before the connection is made anew, over which Discord says again what was not taken.
const TRIES: u32 = 3;
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Channels(Mutex<HashMap<String, Channel>>);

impl Channels {
    /// A channel. One that nobody may look at hangs nowhere: then only a rule of its own lets people talk in it.
    ///
    /// # Errors
    /// Discord does not say it now. Taken for one that hangs nowhere, a thread would lose what is said in it, or tell it to
    /// another agent.
    pub(super) async fn get(&self, api: &Api, id: &str) -> Result<Channel, ApiError> {
        if let Some(known) = self.lock().get(id) {
            return Ok(known.clone());
        }
        let mut again = 1;
        loop {
            match api.get::<Channel>(&["channels", id]).await {
                Ok(channel) => {
                    self.learn(channel.clone());
                    return Ok(channel);
                }
                Err(ApiError::Refused(refused))
                    if matches!(refused.status, 403 | 404) && !refused.is_foreign =>
                {
                    let unknown = Channel {
                        id: id.to_owned(),
                        ..Channel::default()
                    };
                    self.learn(unknown.clone());
                    return Ok(unknown);
                }
                Err(error) => {
                    tracing::warn!(%error, "Discord does not say what a channel hangs under");
                    if again == TRIES {
                        return Err(error);
                    }
                    time::sleep(RETRY * again).await;
                    again += 1;
                }
            }
        }
    }

    pub(super) fn learn(&self, channel: Channel) {
        let mut known = self.lock();
        if known.len() >= CHANNELS_MAX {
            known.clear();
        }
        known.insert(channel.id.clone(), channel);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Channel>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
