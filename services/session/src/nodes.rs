//! Nodes: devices that do something for the assistant when they are asked.
//!
//! A node is a device that connected in the role of a node; whether it may connect is decided before it gets here. It declares
//! what it can do. What it may be asked for is what somebody agreed to ([`pairing`]), cut to what it declares now and to what the
//! rules of the gateway allow ([`commands`]). Read in this order: `model` and `store` say what is remembered, `live` who is
//! there, `invoke` what is under way, `reports` what nodes say by themselves.

pub(crate) mod commands;
mod error;
mod events;
pub(crate) mod grpc;
mod invoke;
mod live;
mod media;
mod metrics;
pub(crate) mod model;
mod pairing;
mod reports;
pub(crate) mod store;
#[cfg(test)]
mod tests;
mod view;

use std::sync::Arc;

use gatehouse_core::client::PeerService;
use gatehouse_core::publish::Publisher;
use gatehouse_core::{Clock, Drain, Timestamp};
use gatehouse_proto::device::v1::device_service_client::DeviceServiceClient;
use tokio::sync::watch;

use self::commands::Rules;
pub(crate) use self::error::Error;
use self::invoke::Flights;
use self::live::Registry;
pub(crate) use self::metrics::NodeMetrics;
pub(crate) use self::model::*;
pub(crate) use self::store::Nodes as NodeStore;
use crate::media::Media;
use crate::policy::Policy;

/// What the parts of this folder share. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Nodes(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Arc<dyn NodeStore>,
    registry: Registry,
    flights: Flights,
    /// The devices, in the config service: they decide who connects in the role of a node.
    devices: DeviceServiceClient<PeerService>,
    policy: watch::Receiver<Option<Arc<Policy>>>,
    publisher: Publisher,
    clock: Clock,
    media: Media,
    keeping: media::Keeping,
    metrics: NodeMetrics,
    /// The end of serving: connections of nodes and what is under way end with it.
    drain: Drain,
    /// Whether what the last process left under way was ended. Nothing begins before.
    recovered: watch::Sender<bool>,
}

impl Nodes {
    pub(crate) fn new(
        store: Arc<dyn NodeStore>,
        config: PeerService,
        policy: watch::Receiver<Option<Arc<Policy>>>,
        publisher: Publisher,
        clock: Clock,
        kept: (Media, NodeMetrics),
        drain: Drain,
    ) -> Self {
        let (media, metrics) = kept;
        Self(Arc::new(Inner {
            store,
            registry: Registry::default(),
            flights: Flights::default(),
            devices: DeviceServiceClient::new(config),
            policy,
            publisher,
            clock,
            media,
            keeping: media::Keeping::default(),
            metrics,
            drain,
            recovered: watch::Sender::new(false),
        }))
    }

    /// The rules as they are now.
    fn rules(&self) -> Result<Rules, Error> {
        if !*self.0.recovered.borrow() {
            return Err(crate::error::Error::NotReady.into());
        }
        let policy = self.0.policy.borrow();
        let policy = policy.as_ref().ok_or(crate::error::Error::NotReady)?;
        Ok(policy.nodes.clone())
    }

    /// Measures what is there and under way, for whoever asks just now.
    pub(crate) async fn measure(&self) {
        // A database that fails says so by itself; the last figures stay.
        if let Ok((running, waiting)) = self.0.store.under_way().await {
            self.0.metrics.set(self.0.registry.count(), running, waiting);
        }
    }

    /// Counts and tells of ends that came without anybody's word.
    fn tell_settled(&self, ended: &[Settled]) {
        for Settled {
            id,
            node,
            command,
            state,
        } in ended
        {
            self.0.metrics.ended(*state, None);
            tracing::info!(
                node.id = %node,
                invocation.id = id,
                node.command = command,
                outcome = state.word(),
                "an invocation has ended"
            );
        }
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }
}
