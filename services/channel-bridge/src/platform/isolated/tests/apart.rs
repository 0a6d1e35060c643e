//! The suite of adapters on a platform whose adapter is a process of its own.

use std::{path::Path, sync::Arc};

use gatehouse_core::Clock;
use serde_json::Value;
use tempfile::TempDir;

use super::isolation;
use crate::{
    adapter::{Adapter, contract},
    platform::{Deps, Entry, Platform, Platforms},
    testing::{Bench, deps, stores},
};

/// The account as the bridge opens it where `isolate` is set.
pub(crate) fn open<S: Platform>(mut account: Value, deps: Deps, run: &Path) -> Arc<dyn Adapter> {
    account["isolate"] = true.into();
    let platforms = Platforms::of([Entry::of::<S>()]).isolated_by(&isolation(run));
    let connector = platforms.get(S::NAME).map(|entry| entry.read(&account));
    connector.expect("a platform").expect("an account").open(deps)
}

/// A platform of the suite whose account can be a process.
pub(crate) trait Apartable: contract::Platform {
    type Software: Platform;

    /// The account.
    fn account(&self) -> Value;

    /// What the platform calls from now on, if it calls us.
    fn calls(&self, _: Arc<dyn Adapter>) {}
}

/// The same platform, with its adapter apart.
pub(crate) struct Apart<P> {
    platform: P,
    adapter: Arc<dyn Adapter>,
    _folders: (TempDir, TempDir),
}

impl<P: Apartable> contract::Platform for Apart<P> {
    const REDELIVERS: bool = P::REDELIVERS;

    async fn start() -> Self {
        let platform = P::start().await;
        let ((folder, stores), run) = (stores(), tempfile::tempdir().expect("a folder"));
        let deps = deps(&stores, Clock::system(), &Arc::default());
        let adapter = open::<P::Software>(platform.account(), deps, run.path());
        platform.calls(Arc::clone(&adapter));
        Self {
            platform,
            adapter,
            _folders: (folder, run),
        }
    }

    fn adapter(&self) -> Arc<dyn Adapter> {
        Arc::clone(&self.adapter)
    }

    fn person(&self) -> String {
        self.platform.person()
    }

    async fn say(&self, bench: &Bench, id: &str, text: &str) {
        self.platform.say(bench, id, text).await;
    }

    async fn heard(&self) -> Vec<String> {
        self.platform.heard().await
    }

    async fn cut(&mut self) {
        self.platform.cut().await;
    }

    async fn mended(&mut self) {
        self.platform.mended().await;
    }
}
