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
/// How often it is asked before a channel is taken for one that hangs nowhere.
const TRIES: u32 = 3;
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Channels(Mutex<HashMap<String, Channel>>);

impl Channels {
    /// A channel. One that nobody may look at hangs nowhere: then only a rule of its own lets people talk in it.
    pub(super) async fn get(&self, api: &Api, id: &str) -> Channel {
        if let Some(known) = self.lock().get(id) {
            return known.clone();
        }
        for again in 1..=TRIES {
            match api.get::<Channel>(&["channels", id]).await {
                Ok(channel) => {
                    self.learn(channel.clone());
                    return channel;
                }
                Err(ApiError::Refused(refused)) if matches!(refused.status, 403 | 404) => {
                    let unknown = Channel {
                        id: id.to_owned(),
                        ..Channel::default()
                    };
                    self.learn(unknown);
                    break;
                }
                Err(error) => {
                    tracing::warn!(%error, "Discord does not say what a channel hangs under");
                    time::sleep(RETRY * again).await;
                }
            }
        }
        Channel {
            id: id.to_owned(),
            ..Channel::default()
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
