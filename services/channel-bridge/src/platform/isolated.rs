//! An adapter that is compiled in, as a process of its own for one account: `channels.<channel>.isolate`. What spins, takes all memory or
//! ends there costs its account a connection and nobody else anything.
//!
//! The bridge starts the process (`child`), speaks `gatehouse.channel.v1.ChannelAdapter` with it as with a plugin, and supervises it as any
//! connection: one process is one connection, and whatever ends it is followed by the next after the same growing wait. The bridge opens the
//! adapter for itself as well, and never connects it: it knows what the platform can do, and looks at the heads of requests before
//! a byte of their bodies is read. `host` is the other end: what runs in the process.

mod child;
mod host;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use gatehouse_document::brought::BroughtAccount;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;

pub(crate) use self::child::{Isolation, Passed, passed};
pub use self::host::run;
use super::{
    Connector, Deps,
    plugin::{Channel, LIVENESS, Life, Lives, PluginAdapter},
};
use crate::{
    adapter::{
        AccountKey, Adapter, Capabilities, Ended, FetchError, HttpAnswer, HttpHead, HttpRequest, InboundSink,
        Limits, Link, Preview, PreviewError, Remote, Shown,
    },
    id::{Address, MessageId},
};

/// The key of an account by which it is a process of its own.
const KEY: &str = "isolate";

/// Whether an account is to be a process of its own.
pub(crate) fn is_wanted(account: &Value) -> bool {
    account.get(KEY).and_then(Value::as_bool) == Some(true)
}

/// An account as a process: what `inner` would open in this one.
pub(crate) fn apart(kind: &str, account: &Value, inner: Connector, isolation: Arc<Isolation>) -> Connector {
    let kind = kind.to_owned();
    let mut settings = account.as_object().cloned().unwrap_or_default();
    settings.remove(KEY);
    let fetch_bytes_max = BroughtAccount::deserialize(account).map_or_else(
        |_| BroughtAccount::default().files.bytes_max(), // its own reading says what is wrong
        |own| own.files.bytes_max(),
    );
    let settings = Value::Object(settings).to_string();
    Connector(Arc::new(move |deps| {
        let inner = inner.open(deps.clone());
        Arc::new(Isolated::new(
            &kind,
            inner,
            settings.clone(),
            fetch_bytes_max,
            deps,
            Arc::clone(&isolation),
        ))
    }))
}

/// An account whose adapter runs in a process of its own.
#[derive(Debug)]
struct Isolated {
    kind: String,
    key: AccountKey,
    /// Opened, and never connected.
    inner: Opened,
    remote: PluginAdapter,
    limits: Limits,
    isolation: Arc<Isolation>,
    /// The lives of the process.
    told: watch::Sender<Life>,
}

/// An adapter that is only asked what it knows by itself.
struct Opened(Arc<dyn Adapter>);

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opened")
    }
}

impl Isolated {
    fn new(
        kind: &str,
        inner: Arc<dyn Adapter>,
        settings: String,
        fetch_bytes_max: u64,
        deps: Deps,
        isolation: Arc<Isolation>,
    ) -> Self {
        let told = watch::Sender::new(Life::default());
        let limits = Limits {
            // Also where the platform calls us: the process itself may hang, and answers for itself.
            liveness: inner.limits().liveness.or(Some(LIVENESS)),
            ..inner.limits()
        };
        let channel = Channel::of_process(kind, inner.capabilities(), limits, Lives::of(&told));
        let key = deps.account.clone();
        let deps = Deps {
            state: deps.state.folded(),
            ..deps
        };
        Self {
            kind: kind.to_owned(),
            key,
            inner: Opened(inner),
            remote: PluginAdapter::new(Arc::new(channel), limits, settings, fetch_bytes_max, deps),
            limits,
            isolation,
            told,
        }
    }
}

/// Says that the process is gone, in whatever way its connection ended.
struct Living<'a>(&'a watch::Sender<Life>);

impl Drop for Living<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|life| life.peer = None);
    }
}

#[async_trait]
impl Adapter for Isolated {
    fn capabilities(&self) -> Capabilities {
        self.inner.0.capabilities()
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn is_isolated(&self) -> bool {
        true
    }

    async fn run(&self, link: Link) -> Ended {
        let process = match self.isolation.start(&self.kind, &self.key).await {
            Ok(process) => process,
            Err(why) => return Ended::Retry(why),
        };
        self.told.send_modify(|life| {
            life.number += 1;
            life.peer = Some(process.peer().clone());
        });
        let living = Living(&self.told);
        let ended = self.remote.run(link).await;
        drop(living);
        // How it ended says more than that its connection did.
        match (ended, process.end().await) {
            (Ended::Retry(_), Some(how)) => Ended::Retry(format!("its process {how}")),
            (Ended::Retry(reason), None) => Ended::Retry(reason.replacen("its plugin", "its process", 1)),
            (Ended::Failed(reason), _) => Ended::Failed(reason),
        }
    }

    /// A call of its own, which needs nothing of what runs in the process.
    async fn ask(&self) -> Option<Result<(), Ended>> {
        self.inner.0.ask().await
    }

    async fn fetch(&self, address: &str) -> Result<Remote, FetchError> {
        self.remote.fetch(address).await
    }

    async fn preview(&self, preview: &Preview) -> Result<Shown, PreviewError> {
        self.remote.preview(preview).await
    }

    async fn withdraw(&self, to: &Address, thread_id: Option<&str>, shown: &str) -> Result<(), PreviewError> {
        self.remote.withdraw(to, thread_id, shown).await
    }

    async fn react(
        &self,
        to: &Address,
        thread_id: Option<&str>,
        message: &MessageId,
        emoji: &str,
    ) -> Result<(), String> {
        self.remote.react(to, thread_id, message, emoji).await
    }

    /// What is wrong with a head is told here; the process is given requests that may be genuine.
    fn http_head(&self, head: &HttpHead, inbound: &InboundSink) -> Option<Result<usize, HttpAnswer>> {
        let judged = self.inner.0.http_head(head, inbound)?;
        if judged.is_ok() && !self.remote.is_led() {
            return self.remote.http_head(head, inbound);
        }
        Some(judged)
    }

    async fn http(&self, request: HttpRequest, inbound: &InboundSink) -> Option<HttpAnswer> {
        self.remote.http(request, inbound).await
    }
}
