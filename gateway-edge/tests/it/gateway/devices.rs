//! What the config service decides about devices, as a test tells it to.

use bytes::Bytes;
use futures::stream;
use gatehouse_core::{Secret, hex};
use gatehouse_proto::{
    config::v1::{Credential, DeviceGrant},
    device::v1::{
        AdmitDeviceRequest, AdmitDeviceResponse, WelcomeDeviceRequest, WelcomeDeviceResponse,
        admit_device_response::Outcome,
    },
};
use prost::Message;

use super::{Answer, Gateway, Server, many};

/// The one setup code that is good.
pub(crate) const CODE: &str = "the-setup-code";

/// When every token was made.
pub(crate) const ISSUED_MS: i64 = 1_700_000_000_000;

/// What becomes of devices that are not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Deciding {
    /// They are paired at once.
    #[default]
    Pairs,
    /// They wait, for this reason.
    Waits(&'static str),
    /// Nobody answers.
    Hangs,
}

/// The token of a device in a role.
pub(crate) fn token_of(device: &str, role: &str) -> String {
    format!("token-of-{device}-as-{role}")
}

impl Gateway {
    /// What becomes of devices from now on.
    pub(crate) fn decides(&self, deciding: Deciding) {
        *self.fakes.deciding.lock().unwrap() = deciding;
    }

    /// What the config service was asked to decide.
    pub(crate) fn decisions(&self) -> Vec<AdmitDeviceRequest> {
        let calls = self.calls("/gatehouse.device.v1.DeviceService/AdmitDevice");
        calls
            .into_iter()
            .map(|call| AdmitDeviceRequest::decode(call.body).unwrap())
            .collect()
    }

    /// Changes the rows of devices in the table.
    pub(crate) fn change_devices(&self, change: impl FnOnce(&mut Vec<DeviceGrant>, &mut Vec<Credential>)) {
        self.config.send_modify(|revision| {
            let revision = revision.as_mut().expect("a revision");
            change(&mut revision.devices, &mut revision.credentials);
            revision.hash.push('+');
        });
    }
}

impl Server {
    pub(super) async fn decide(&self, path: &str, body: Bytes) -> Answer {
        let deciding = *self.fakes.deciding.lock().unwrap();
        if deciding == Deciding::Hangs {
            return std::future::pending().await;
        }
        let answer = match path.rsplit('/').next() {
            Some("AdmitDevice") => self
                .admit(AdmitDeviceRequest::decode(body).unwrap(), deciding)
                .encode_to_vec(),
            _ => {
                let request = WelcomeDeviceRequest::decode(body).unwrap();
                let token = token_of(&request.device_id, &request.role);
                let told = WelcomeDeviceResponse {
                    token: if request.has_token { String::new() } else { token },
                    issued_at_ms: ISSUED_MS,
                };
                told.encode_to_vec()
            }
        };
        many(stream::iter([answer]))
    }

    fn admit(&self, request: AdmitDeviceRequest, deciding: Deciding) -> AdmitDeviceResponse {
        let code = hex::encode(&Secret::new(CODE).digest());
        let is_wrong = request.setup_digest.is_some_and(|digest| digest != code);
        match deciding {
            _ if is_wrong => AdmitDeviceResponse {
                outcome: Outcome::CodeInvalid.into(),
                ..AdmitDeviceResponse::default()
            },
            Deciding::Waits(reason) => AdmitDeviceResponse {
                outcome: Outcome::Pending.into(),
                request_id: "request-1".to_owned(),
                reason: reason.to_owned(),
                ..AdmitDeviceResponse::default()
            },
            Deciding::Pairs | Deciding::Hangs => {
                let token = token_of(&request.device_id, &request.role);
                let normal = |label: Option<String>| label.unwrap_or_default().trim().to_ascii_lowercase();
                let grant = DeviceGrant {
                    device_id: request.device_id.clone(),
                    role: request.role.clone(),
                    scopes: request.scopes.clone(),
                    platform: normal(request.platform),
                    device_family: normal(request.device_family),
                    generation: 1,
                    user_id: request.user_id,
                    expire_time_ms: None,
                };
                let credential = Credential {
                    id: format!("device/{}/{}", request.device_id, request.role),
                    digest: hex::encode(&Secret::new(token.as_str()).digest()),
                    role: request.role.clone(),
                    scopes: request.scopes.clone(),
                    device_id: Some(request.device_id.clone()),
                    needs_device_key: true,
                    issue_time_ms: Some(ISSUED_MS),
                    ..Credential::default()
                };
                self.config.send_modify(|revision| {
                    let revision = revision.as_mut().expect("a revision");
                    let is_it =
                        |device: &str, role: &str| device == request.device_id && role == request.role;
                    revision.devices.retain(|row| !is_it(&row.device_id, &row.role));
                    revision.credentials.retain(|row| row.id != credential.id);
                    revision.devices.push(grant);
                    revision.credentials.push(credential);
                    revision.hash.push('+');
                });
                AdmitDeviceResponse {
                    outcome: Outcome::Paired.into(),
                    token,
                    issued_at_ms: ISSUED_MS,
                    role: request.role,
                    scopes: request.scopes,
                    ..AdmitDeviceResponse::default()
                }
            }
        }
    }
}
