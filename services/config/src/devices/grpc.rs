//! Parse, ask, answer.

use gatehouse_contract::{Grants, Role};
use gatehouse_core::{Failure, Timestamp};
use gatehouse_proto::device::v1::{
    AdmitDeviceRequest, AdmitDeviceResponse, ApproveDeviceRequest, ApproveDeviceResponse,
    CreateSetupCodeRequest, CreateSetupCodeResponse, GetSetupStatusRequest, GetSetupStatusResponse,
    LeaveDeviceRequest, LeaveDeviceResponse, ListDevicesRequest, ListDevicesResponse, RejectDeviceRequest,
    RejectDeviceResponse, RemoveDeviceRequest, RemoveDeviceResponse, RemoveDeviceRoleRequest,
    RemoveDeviceRoleResponse, RenameDeviceRequest, RenameDeviceResponse, RevokeDeviceTokenRequest,
    RevokeDeviceTokenResponse, RotateDeviceTokenRequest, RotateDeviceTokenResponse, WelcomeDeviceRequest,
    WelcomeDeviceResponse, admit_device_response::Outcome, device_service_server::DeviceService,
};
use tonic::{Request, Response, Status};

use super::{
    actor::Actor,
    admit::{Admitted, Asking},
    error::DeviceError,
    handle::Devices,
    manage::Arrived,
    presence::Presence,
    rows::Labels,
    setup::{self, Profile},
    wire,
};

/// The calls.
#[derive(Debug)]
pub(crate) struct DeviceGrpc(Devices, Presence);

impl DeviceGrpc {
    pub(crate) fn new(devices: Devices, presence: Presence) -> Self {
        Self(devices, presence)
    }

    fn parts<T>(&self, request: Request<T>) -> (Actor, T) {
        (self.0.actor(&request), request.into_inner())
    }
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl DeviceService for DeviceGrpc {
    async fn list_devices(&self, request: Request<ListDevicesRequest>) -> Answer<ListDevicesResponse> {
        let listed = self.0.list(&self.0.actor(&request)).await.map_err(refuse)?;
        let here = self.1.devices().await;
        Ok(Response::new(ListDevicesResponse {
            pending: listed
                .pending
                .into_iter()
                .map(|(request, known)| wire::request(request, known))
                .collect(),
            paired: listed
                .paired
                .into_iter()
                .map(|whole| wire::paired(whole, here.as_ref()))
                .collect(),
        }))
    }

    async fn approve_device(&self, request: Request<ApproveDeviceRequest>) -> Answer<ApproveDeviceResponse> {
        let (actor, ApproveDeviceRequest { request_id }) = self.parts(request);
        let whole = self.0.approve(actor, request_id.clone()).await.map_err(refuse)?;
        Ok(Response::new(ApproveDeviceResponse {
            request_id,
            device: Some(wire::paired(whole, self.1.devices().await.as_ref())),
        }))
    }

    async fn reject_device(&self, request: Request<RejectDeviceRequest>) -> Answer<RejectDeviceResponse> {
        let (actor, RejectDeviceRequest { request_id }) = self.parts(request);
        let device_id = self.0.reject(actor, request_id.clone()).await.map_err(refuse)?;
        Ok(Response::new(RejectDeviceResponse {
            request_id,
            device_id,
        }))
    }

    async fn remove_device(&self, request: Request<RemoveDeviceRequest>) -> Answer<RemoveDeviceResponse> {
        let (actor, RemoveDeviceRequest { device_id }) = self.parts(request);
        self.0.remove(actor, device_id.clone()).await.map_err(refuse)?;
        Ok(Response::new(RemoveDeviceResponse { device_id }))
    }

    async fn leave_device(&self, request: Request<LeaveDeviceRequest>) -> Answer<LeaveDeviceResponse> {
        let device = self.0.actor(&request).device;
        let device_id = device.ok_or(DeviceError::NoDevice).map_err(refuse)?;
        self.0
            .remove(Actor::unbounded(), device_id.clone())
            .await
            .map_err(refuse)?;
        Ok(Response::new(LeaveDeviceResponse { device_id }))
    }

    async fn rename_device(&self, request: Request<RenameDeviceRequest>) -> Answer<RenameDeviceResponse> {
        let (actor, RenameDeviceRequest { device_id, label }) = self.parts(request);
        let named = self.0.rename(actor, device_id.clone(), label.clone());
        named.await.map_err(refuse)?;
        Ok(Response::new(RenameDeviceResponse { device_id, label }))
    }

    async fn rotate_device_token(
        &self,
        request: Request<RotateDeviceTokenRequest>,
    ) -> Answer<RotateDeviceTokenResponse> {
        let (
            actor,
            RotateDeviceTokenRequest {
                device_id,
                role,
                scopes,
            },
        ) = self.parts(request);
        let is_its_own = actor.device.as_deref() == Some(device_id.as_str());
        let rotated = self.0.rotate(actor, device_id.clone(), role, scopes);
        let (row, token) = rotated.await.map_err(refuse)?;
        let scopes = row.token.as_ref().map_or(row.approved, |token| token.scopes);
        Ok(Response::new(RotateDeviceTokenResponse {
            device_id,
            role: row.role().as_str().to_owned(),
            token: is_its_own.then(|| token.expose().to_owned()),
            scopes: scopes.scopes().map(str::to_owned).collect(),
            rotated_at_ms: row.issued_at().as_ms(),
            token_delivery: if is_its_own {
                "in-band"
            } else {
                "withheld-cross-device"
            }
            .to_owned(),
        }))
    }

    async fn revoke_device_token(
        &self,
        request: Request<RevokeDeviceTokenRequest>,
    ) -> Answer<RevokeDeviceTokenResponse> {
        let (actor, RevokeDeviceTokenRequest { device_id, role }) = self.parts(request);
        let row = self
            .0
            .revoke(actor, device_id.clone(), role)
            .await
            .map_err(refuse)?;
        Ok(Response::new(RevokeDeviceTokenResponse {
            device_id,
            role: row.role().as_str().to_owned(),
            revoked_at_ms: row.token_revoked_at.unwrap_or(Timestamp::EPOCH).as_ms(),
        }))
    }

    async fn create_setup_code(
        &self,
        request: Request<CreateSetupCodeRequest>,
    ) -> Answer<CreateSetupCodeResponse> {
        let (actor, asked) = self.parts(request);
        let profile = Profile::parse(asked.bootstrap_profile.as_deref()).map_err(refuse)?;
        let configured = self.0.state().revision.document().gateway.public_origin.clone();
        let (url, source) = match (asked.public_url, configured) {
            (Some(url), _) => (url, "publicUrl"),
            (None, Some(origin)) => (origin, "gateway.publicOrigin"),
            (None, None) => {
                let told = "nobody has said where a device reaches this gateway: set gateway.publicOrigin, or send publicUrl";
                return Err(refuse(DeviceError::Invalid(told)));
            }
        };
        let Some(url) = setup::address(&url) else {
            let told = "publicUrl is the gateway's address: https://, http://, wss:// or ws://, a host, and no user or password";
            return Err(refuse(DeviceError::Invalid(told)));
        };
        let code = self.0.create_code(actor, profile, url.clone());
        let code = code.await.map_err(refuse)?;
        Ok(Response::new(CreateSetupCodeResponse {
            setup_id: code.id,
            setup_code: code.text,
            gateway_url: url,
            auth: "token".to_owned(),
            url_source: source.to_owned(),
            access: profile.as_str().to_owned(),
            expires_at_ms: code.expires_at.as_ms(),
        }))
    }

    async fn get_setup_status(
        &self,
        request: Request<GetSetupStatusRequest>,
    ) -> Answer<GetSetupStatusResponse> {
        let GetSetupStatusRequest { setup_id } = request.into_inner();
        let completion = self.0.code_status(setup_id).await.map_err(refuse)?;
        Ok(Response::new(GetSetupStatusResponse { completion }))
    }

    async fn remove_device_role(
        &self,
        request: Request<RemoveDeviceRoleRequest>,
    ) -> Answer<RemoveDeviceRoleResponse> {
        let RemoveDeviceRoleRequest { device_id, role } = request.into_inner();
        let removed = self
            .0
            .remove_role(device_id, parse_role(&role)?)
            .await
            .map_err(refuse)?;
        Ok(Response::new(RemoveDeviceRoleResponse { removed }))
    }

    async fn admit_device(&self, request: Request<AdmitDeviceRequest>) -> Answer<AdmitDeviceResponse> {
        let asking = Asking::try_from(request.into_inner()).map_err(refuse)?;
        let admitted = self.0.admit(asking).await.map_err(refuse)?;
        Ok(Response::new(admitted.into()))
    }

    async fn welcome_device(&self, request: Request<WelcomeDeviceRequest>) -> Answer<WelcomeDeviceResponse> {
        let WelcomeDeviceRequest {
            device_id,
            role,
            remote_ip,
            has_token,
        } = request.into_inner();
        let arrived = Arrived {
            device: device_id,
            role: parse_role(&role)?,
            ip: remote_ip,
            has_token,
        };
        let told = self.0.welcome(arrived).await.map_err(refuse)?;
        Ok(Response::new(told.map_or_else(
            WelcomeDeviceResponse::default,
            |(token, issued_at_ms)| WelcomeDeviceResponse {
                token: token.expose().to_owned(),
                issued_at_ms: issued_at_ms.as_ms(),
            },
        )))
    }
}

fn parse_role(word: &str) -> Result<Role, Status> {
    Role::parse(word).ok_or_else(|| refuse(DeviceError::Invalid("role must be operator or node")))
}

fn refuse(error: DeviceError) -> Status {
    Failure::from(error).into()
}

impl TryFrom<AdmitDeviceRequest> for Asking {
    type Error = DeviceError;

    fn try_from(request: AdmitDeviceRequest) -> Result<Self, DeviceError> {
        let AdmitDeviceRequest {
            device_id,
            public_key,
            role,
            scopes,
            display_name,
            platform,
            device_family,
            client_id,
            client_mode,
            remote_ip,
            local,
            setup_digest,
            user_id,
            credential_id,
        } = request;
        let role = Role::parse(&role).ok_or(DeviceError::Invalid("role must be operator or node"))?;
        Ok(Self {
            device_id,
            public_key,
            wanted: Grants::new(role, scopes.iter().map(String::as_str)),
            labels: Labels {
                display_name,
                platform,
                device_family,
                client_id,
                client_mode,
            },
            remote_ip,
            local,
            setup_digest,
            user_id,
            credential: credential_id,
        })
    }
}

impl From<Admitted> for AdmitDeviceResponse {
    fn from(admitted: Admitted) -> Self {
        let outcome = |outcome: Outcome| Self {
            outcome: outcome.into(),
            ..Self::default()
        };
        match admitted {
            Admitted::Paired(paired) => Self {
                token: paired.token.expose().to_owned(),
                issued_at_ms: paired.role.issued_at().as_ms(),
                role: paired.role.role().as_str().to_owned(),
                scopes: paired.role.approved.scopes().map(str::to_owned).collect(),
                ..outcome(Outcome::Paired)
            },
            Admitted::Pending { request, .. } => Self {
                request_id: request.id,
                reason: request.reason,
                ..outcome(Outcome::Pending)
            },
            Admitted::CodeInvalid => outcome(Outcome::CodeInvalid),
        }
    }
}
