//! What the routes share.

use std::{net::IpAddr, sync::Arc};

use axum::response::Response;
use gatehouse_core::Kind;
use tokio::sync::watch;

use super::{
    calls::Calls,
    hooks::Hooks,
    media::Readers,
    plugin::Requests,
    respond::{self, Refused, refuse, starting},
    socket::Ends,
    ui::{ControlUi, Files, OwnPage},
    webhook::Webhooks,
};
use crate::{
    admission::{AdmissionPolicy, Client, Rejection, Way},
    edge::Edge,
    error::Refusal,
    metrics::Reason,
    ready::Readiness,
};

/// The HTTP side of the edge.
#[derive(Debug)]
pub(crate) struct Http {
    pub(crate) edge: Arc<Edge>,
    pub(crate) readiness: Readiness,
    pub(crate) webhooks: Webhooks,
    pub(crate) hooks: Hooks,
    pub(crate) calls: Calls,
    pub(crate) readers: Readers,
    pub(crate) plugin_requests: Requests,
    /// What is remembered of the Control UI's files.
    pub(crate) files: Files,
    /// Whether the stream of events flows.
    pub(crate) fed: watch::Receiver<bool>,
    /// The address of the listener.
    pub(crate) bound: IpAddr,
}

impl Http {
    /// Whoever is at the other end, before anything is said.
    pub(crate) fn peer_of(&self, ends: Ends) -> Client {
        match self.edge.policy() {
            Some(policy) => policy.admission.peer_of(self.way(ends)),
            None => AdmissionPolicy::default().peer_of(self.way(ends)),
        }
    }

    pub(crate) fn way(&self, Ends { peer, local, .. }: Ends) -> Way<'_> {
        Way {
            peer,
            local,
            bound: self.bound,
            gateways: &self.edge.gateways,
        }
    }

    /// Asks the newest revision whether a request may pass.
    pub(crate) fn admitted<T>(
        &self,
        check: impl FnOnce(&AdmissionPolicy) -> Result<T, Rejection>,
    ) -> Result<T, Refused> {
        match self.edge.policy() {
            Some(policy) => check(&policy.admission).map_err(|rejection| Box::new(self.reject(rejection))),
            // The configuration may allow what the defaults do not: ask to come back instead of refusing.
            None => check(&AdmissionPolicy::default()).map_err(|_| Box::new(respond::refusal(&starting()))),
        }
    }

    /// Where the gateway's own page stands, if it does.
    pub(crate) fn own_page(&self) -> Option<OwnPage> {
        self.edge.policy().and_then(|policy| policy.own_page.clone())
    }

    /// What is served to browsers beside the gateway's own page.
    pub(crate) fn control_ui(&self) -> Option<Arc<ControlUi>> {
        self.edge.policy().and_then(|policy| policy.control_ui.clone())
    }

    pub(crate) fn reject(&self, rejection: Rejection) -> Response {
        let Rejection {
            status,
            code,
            message,
            ..
        } = rejection;
        self.count(code);
        refuse(
            status,
            &Refusal::new(Kind::Forbidden, message).detail("code", code),
        )
    }

    /// Counts a request that was refused before anything was done for it.
    pub(crate) fn count(&self, reason: &'static str) {
        self.edge.metrics.rejected.get_or_create(&Reason { reason }).inc();
    }
}
