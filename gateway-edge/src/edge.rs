//! What every part of the edge shares.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
};

use gatehouse_contract::{Grants, Map};
use gatehouse_core::{Clock, Drain, Secret, net::Gateways};
use tokio::{
    sync::{Semaphore, watch},
    time::Instant,
};
use tokio_util::task::TaskTracker;

use crate::{
    admission::Counter,
    auth::{self, Denied, Identity},
    backend::Backend,
    backend::offer::Offer,
    budget::Budgets,
    close::Close,
    connection::{Connection, pace::Shares},
    hub::Hub,
    metrics::Metrics,
    plugin_board::Board,
    policy::Policy,
    profile::Profile,
    revoke::ConfigCalls,
    settings::Limits,
    throttle::{Lockout, Login, Throttle},
    tls::Terminator,
};

/// The parts, put together by the app.
#[derive(Debug)]
pub(crate) struct Edge {
    /// This process: chosen anew at each start.
    pub(crate) id: String,
    pub(crate) offers: watch::Receiver<Arc<Offer>>,
    pub(crate) limits: Limits,
    /// The folder of a Control UI that was named at the start.
    pub(crate) control_ui: Option<PathBuf>,
    pub(crate) backend: Backend,
    pub(crate) hub: Hub,
    /// How the plugins are.
    pub(crate) plugins: Board,
    /// `None` until the config service has spoken for the first time.
    pub(crate) policy: watch::Receiver<Option<Arc<Policy>>>,
    pub(crate) throttle: Throttle,
    pub(crate) counter: Arc<Counter>,
    pub(crate) budgets: Budgets,
    pub(crate) shares: Arc<Shares>,
    /// Places for large messages that are parsed: see [`crate::call::PARSERS_MAX`].
    pub(crate) parsers: Semaphore,
    /// Places for devices that the config service decides about: see [`crate::handshake::DECISIONS_MAX`].
    pub(crate) decisions: Semaphore,
    pub(crate) gateways: Gateways,
    pub(crate) tls: Arc<Terminator>,
    /// Whether only this machine reaches the listener.
    pub(crate) is_alone: bool,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Clock,
    pub(crate) drain: Drain,
    pub(crate) started: Instant,
    pub(crate) config_calls: Arc<ConfigCalls>,
    /// Requests on their way; the drain gives them a short grace.
    pub(crate) requests: TaskTracker,
}

impl Edge {
    /// The methods and events as they are now.
    pub(crate) fn map(&self) -> Arc<Map> {
        Arc::clone(self.offers.borrow().map())
    }

    /// The newest revision, if there is one yet.
    pub(crate) fn policy(&self) -> Option<Arc<Policy>> {
        self.policy.borrow().clone()
    }

    /// Ends a connection that the newest revision would not let in as it is.
    pub(crate) fn recheck(&self, connection: &Connection) {
        if self.revoke(connection) {
            connection.close(&Close::AUTH_CHANGED);
        }
    }

    /// Decides who somebody is by what a trusted proxy says (`user`), and by what it shows, and by the device whose key it holds. What is
    /// shown is looked at first, whatever else would be enough: who shows a wrong one is told so, and is counted as a guesser.
    pub(crate) fn authenticate(
        &self,
        policy: &Policy,
        login: Login,
        user: Option<&str>,
        shown: &[Option<&Secret>],
        held: Option<&str>,
    ) -> Result<Arc<Identity>, Denied> {
        let named = policy.mode.admit(user, login.client, self.is_alone);
        match named {
            Some(named) if shown.iter().flatten().next().is_none() => Ok(named),
            Some(named) => self.decide(policy, login, shown, held).map(|_| named),
            None => self.decide(policy, login, shown, held),
        }
    }

    /// Decides who somebody is by what it shows alone.
    pub(crate) fn decide(
        &self,
        policy: &Policy,
        login: Login,
        shown: &[Option<&Secret>],
        held: Option<&str>,
    ) -> Result<Arc<Identity>, Denied> {
        let now = self.clock.now();
        auth::decide(
            &policy.credentials,
            &self.throttle,
            &policy.limits,
            login,
            shown,
            held,
            now,
        )
    }

    /// Whether the newest revision still gives somebody what it was granted.
    pub(crate) fn still_allows(&self, identity: &Identity, granted: &Grants) -> bool {
        let now = self.clock.now();
        self.policy()
            .is_none_or(|policy| match policy.mode.still_allows(identity, granted) {
                Some(allowed) => allowed,
                None => policy.credentials.still_allow(identity, granted, now),
            })
    }

    /// Remembers that something wrong was shown that is in no table. The answer is a lock-out that there was before.
    pub(crate) fn failed_login(&self, policy: &Policy, login: Login) -> Option<Lockout> {
        let locked = self.throttle.lockout(login, &policy.limits);
        self.throttle.failed(login, &policy.limits);
        locked
    }

    /// Whether the device behind a connection is still paired as it was.
    fn is_still_paired(&self, profile: &Profile) -> bool {
        let (Some(device), Some(generation)) = (&profile.device, profile.pairing) else {
            return true;
        };
        let now = self.clock.now();
        self.policy().is_none_or(|policy| {
            policy
                .devices
                .still_allow(&device.id, &profile.grants, generation, now)
        })
    }

    /// Takes from a connection what the newest revision would not give it. True: it can do nothing any more.
    pub(crate) fn revoke(&self, connection: &Connection) -> bool {
        let Some(profile) = connection.profile.get() else {
            return false;
        };
        let revoked =
            !self.still_allows(&profile.identity, &profile.needs()) || !self.is_still_paired(profile);
        if revoked && !connection.revoked.load(Ordering::Acquire) {
            tracing::info!(
                connection.id = &*connection.id,
                credential.id = &*profile.identity.credential,
                "a connection's credential or scopes are no longer good"
            );
            connection.revoked.store(true, Ordering::Release);
        }
        revoked
    }

    /// Milliseconds since the start.
    pub(crate) fn uptime_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
