//! What the service manager is told (systemd's protocol, sd_notify(3)): that the gateway is ready, that it lives, that it ends. Without
//! `$NOTIFY_SOCKET` nobody is told anything.

use std::{io, time::Duration};

use sd_notify::NotifyState;
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

/// What an end may take beyond its own bound until the manager loses patience.
const EXTRA: Duration = Duration::from_secs(5);

/// The service manager that started us, if one did.
#[derive(Debug)]
pub(super) struct Manager {
    alive: Option<JoinHandle<()>>,
}

impl Manager {
    /// Begins to say that we live, twice as often as the manager wants to hear it. While the
    /// supervisor is stuck, nothing is said; of services that are, it takes care itself.
    pub(super) fn watch() -> Self {
        let alive = sd_notify::watchdog_enabled().map(|within| {
            tokio::spawn(async move {
                let mut beat = interval(within / 2);
                beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
                loop {
                    beat.tick().await;
                    let _ = sd_notify::notify(&[NotifyState::Watchdog]); // the next beat tries again
                }
            })
        });
        Self { alive }
    }

    /// Messages are taken, at this address.
    pub(super) fn ready(&self, url: &str) -> io::Result<()> {
        let status = format!("serving at {url}");
        sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&status)])
    }

    /// What a start waits for.
    pub(super) fn waits(&self, missing: &str) {
        let _ = sd_notify::notify(&[NotifyState::Status(&format!("not ready yet: {missing}"))]);
    }

    /// It ends, within so long. `again`: the same process starts anew, so that the manager sees no end.
    pub(super) fn ends(&self, within: Duration, again: bool) {
        let limit = u32::try_from((within + EXTRA).as_micros()).unwrap_or(u32::MAX);
        let told = if again {
            NotifyState::monotonic_usec_now()
                .and_then(|now| sd_notify::notify(&[NotifyState::Reloading, now]))
        } else {
            sd_notify::notify(&[
                NotifyState::Stopping,
                NotifyState::Status("stopping: answers under way may end first"),
                NotifyState::ExtendTimeoutUsec(limit),
            ])
        };
        let _ = told; // it sees the end all the same
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        if let Some(alive) = &self.alive {
            alive.abort();
        }
    }
}
