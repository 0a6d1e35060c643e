//! What the configuration says about who is let in, read once per revision into a form that admission can use.

use std::{path::Path, sync::Arc, time::Duration};

use gatehouse_core::{Timestamp, config::Revision, drain::plan};
use gatehouse_document::{Document, http::Endpoints};

use crate::{
    admission::AdmissionPolicy,
    auth::{Credentials, mode::Mode},
    paired::Devices,
    site::{Mount as ControlUi, OwnPage},
    throttle::Limits,
    tls,
};

/// One revision, ready for use.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) hash: String,
    /// Who may come in.
    pub(crate) credentials: Credentials,
    /// The paired devices, and what they may be.
    pub(crate) devices: Devices,
    pub(crate) limits: Limits,
    /// What counts beside a credential.
    pub(crate) mode: Mode,
    pub(crate) admission: AdmissionPolicy,
    /// The certificate, where other machines must speak TLS.
    pub(crate) tls: Option<tls::Source>,
    /// What is served to browsers beside the gateway's own page.
    pub(crate) control_ui: Option<Arc<ControlUi>>,
    /// Where the gateway's own page stands, if it does.
    pub(crate) own_page: Option<OwnPage>,
    /// Below which path hooks come in, if they are taken.
    pub(crate) hooks: Option<Box<str>>,
    /// What programs may ask that speak OpenAI's API.
    pub(crate) endpoints: Endpoints,
    /// How long answers may go on when the gateway ends.
    pub(crate) drain: Duration,
}

impl Policy {
    /// Reads a revision. `None` when nobody could come in with it: there is always the gateway token.
    /// `control_ui`: the folder of a Control UI that was named at the start.
    pub(crate) fn new(revision: &Revision<Document>, control_ui: Option<&Path>) -> Option<Self> {
        let gateway = &revision.value.gateway;
        let rate = &gateway.auth.rate_limit;
        let credentials = Credentials::read(&revision.credentials);
        let control_ui = ControlUi::of(&gateway.control_ui, control_ui);
        (!credentials.is_empty()).then(|| Self {
            hash: revision.hash.clone(),
            credentials,
            devices: Devices::read(&revision.devices),
            limits: Limits {
                attempts_max: rate.max_attempts.max(1),
                window: Duration::from_millis(rate.window_ms),
                lockout: Duration::from_millis(rate.lockout_ms),
                exempt_loopback: rate.exempt_loopback,
            },
            mode: Mode::of(&gateway.auth),
            admission: AdmissionPolicy::new(gateway),
            tls: tls::Source::of(&gateway.tls, gateway.public_origin.as_deref()),
            own_page: OwnPage::of(&gateway.control_ui, control_ui.as_ref()),
            control_ui: control_ui.map(Arc::new),
            hooks: revision
                .value
                .hooks
                .base()
                .ok()
                .filter(|_| revision.value.hooks.enabled)
                .map(String::into_boxed_str),
            endpoints: gateway.http.endpoints.clone(),
            drain: plan::answers(Some(gateway.drain_seconds.into())),
        })
    }

    /// When the next credential or device after this moment is over. `None`: none of them.
    pub(crate) fn next_expiry(&self, after: Timestamp) -> Option<Timestamp> {
        let ends = [
            self.credentials.next_expiry(after),
            self.devices.next_expiry(after),
        ];
        ends.into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_contract::{Grants, Role};
    use gatehouse_document::{
        gateway::{ATTEMPTS_MAX, DRAIN_SECONDS_MAX, LOGIN_MS, OperatorScope},
        samples,
    };
    use gatehouse_proto::config::v1::Credential;

    use super::*;

    fn revision(config: &str, credentials: Vec<Credential>) -> Revision<Document> {
        Revision {
            hash: "h".into(),
            credentials,
            devices: Vec::new(),
            left_out: Vec::new(),
            value: serde_json::from_str(config).unwrap(),
        }
    }

    fn shared() -> Credential {
        Credential {
            id: "shared".into(),
            digest: "0f".repeat(32),
            role: "operator".into(),
            ..Credential::default()
        }
    }

    #[test]
    fn a_revision_without_a_credential_is_not_taken() {
        let torn = Credential {
            digest: "0f".into(),
            ..shared()
        };

        assert!(Policy::new(&revision("{}", vec![shared()]), None).is_some());
        assert!(Policy::new(&revision("{}", Vec::new()), None).is_none());
        assert!(Policy::new(&revision("{}", vec![torn]), None).is_none());
    }

    #[test]
    fn the_document_and_the_contracts_know_the_same_scopes() {
        let mut document: Vec<&str> = OperatorScope::ALL
            .into_iter()
            .map(OperatorScope::as_str)
            .collect();
        let mut contract: Vec<&str> = Grants::all(Role::Operator).scopes().collect();

        document.sort_unstable();
        contract.sort_unstable();
        assert_eq!(document, contract);
        for scope in OperatorScope::ALL {
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
        }
    }

    #[test]
    fn the_bounds_of_the_document_are_applied() {
        let read = |sample: &str| {
            let value: serde_json::Value = json5::from_str(sample).unwrap();
            Policy::new(&revision(&value.to_string(), vec![shared()]), None).unwrap()
        };

        let (most, least) = (read(samples::MAXIMAL), read(samples::MINIMAL));

        let limits = |attempts_max, ms, exempt_loopback| Limits {
            attempts_max,
            window: Duration::from_millis(ms),
            lockout: Duration::from_millis(ms),
            exempt_loopback,
        };
        assert_eq!(most.limits, limits(ATTEMPTS_MAX, LOGIN_MS.1, false));
        assert_eq!(least.limits, limits(1, LOGIN_MS.0, true));
        assert_eq!(most.drain, Duration::from_secs(DRAIN_SECONDS_MAX.into()));
        assert_eq!(least.drain, Duration::ZERO);
        assert_eq!(most.admission.proxies.len(), 2);
        assert!(
            most.admission.hosts.contains("home.example.org")
                && most.admission.hosts.contains("ui.example.org")
        );
    }
}
