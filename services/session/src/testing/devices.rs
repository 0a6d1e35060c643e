//! The devices of the config service, as far as this service asks for them, over a real socket.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use gatehouse_core::client::Peer;
use gatehouse_core::credential::Directory;
use gatehouse_core::server::Server;
use gatehouse_core::{Address, Drain, Health, Identity, Listener, Secret};
use gatehouse_proto::device::v1 as device;
use gatehouse_proto::device::v1::device_service_server::{DeviceService, DeviceServiceServer};
use tonic::{Request, Response, Status};

/// Devices, each with the roles that it has. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeDevices(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    roles: BTreeSet<(String, String)>,
    asked: usize,
}

impl FakeDevices {
    /// A device is paired in a role.
    pub(crate) fn pair(&self, device: &str, role: &str) {
        let mut state = self.0.lock().unwrap();
        state.roles.insert((device.to_owned(), role.to_owned()));
    }

    /// The roles that devices have.
    pub(crate) fn roles(&self) -> Vec<(String, String)> {
        self.0.lock().unwrap().roles.iter().cloned().collect()
    }

    /// How often a role was to be taken away.
    pub(crate) fn asked(&self) -> usize {
        self.0.lock().unwrap().asked
    }

    /// The way to a config service that nobody serves yet.
    pub(crate) fn peer(folder: &Path, credential: &Secret) -> Peer {
        Peer::lazy(&address(folder), credential)
    }

    /// Serves these devices there until the end.
    pub(crate) async fn serve(&self, folder: &Path, credential: &Secret, drain: &Drain) {
        let listener = Listener::bind(&address(folder)).await.unwrap();
        let callers = Directory::of([(Identity::Session, credential)]);
        let service = DeviceServiceServer::new(self.clone());
        let server = Server::new(listener, callers, Health::new()).add(service);
        let end = drain.clone();
        drain.spawn("fake devices", async move { server.run(end).await.unwrap() });
    }
}

fn address(folder: &Path) -> Address {
    Address::Unix(folder.join("config.sock"))
}

#[tonic::async_trait]
impl DeviceService for FakeDevices {
    async fn remove_device_role(
        &self,
        request: Request<device::RemoveDeviceRoleRequest>,
    ) -> Result<Response<device::RemoveDeviceRoleResponse>, Status> {
        let device::RemoveDeviceRoleRequest { device_id, role } = request.into_inner();
        let mut state = self.0.lock().unwrap();
        state.asked += 1;
        let removed = state.roles.remove(&(device_id, role));
        Ok(Response::new(device::RemoveDeviceRoleResponse { removed }))
    }

    async fn list_devices(
        &self,
        _: Request<device::ListDevicesRequest>,
    ) -> Result<Response<device::ListDevicesResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn approve_device(
        &self,
        _: Request<device::ApproveDeviceRequest>,
    ) -> Result<Response<device::ApproveDeviceResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn reject_device(
        &self,
        _: Request<device::RejectDeviceRequest>,
    ) -> Result<Response<device::RejectDeviceResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn leave_device(
        &self,
        _: Request<device::LeaveDeviceRequest>,
    ) -> Result<Response<device::LeaveDeviceResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn remove_device(
        &self,
        _: Request<device::RemoveDeviceRequest>,
    ) -> Result<Response<device::RemoveDeviceResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn rename_device(
        &self,
        _: Request<device::RenameDeviceRequest>,
    ) -> Result<Response<device::RenameDeviceResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn rotate_device_token(
        &self,
        _: Request<device::RotateDeviceTokenRequest>,
    ) -> Result<Response<device::RotateDeviceTokenResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn revoke_device_token(
        &self,
        _: Request<device::RevokeDeviceTokenRequest>,
    ) -> Result<Response<device::RevokeDeviceTokenResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn create_setup_code(
        &self,
        _: Request<device::CreateSetupCodeRequest>,
    ) -> Result<Response<device::CreateSetupCodeResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn get_setup_status(
        &self,
        _: Request<device::GetSetupStatusRequest>,
    ) -> Result<Response<device::GetSetupStatusResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn admit_device(
        &self,
        _: Request<device::AdmitDeviceRequest>,
    ) -> Result<Response<device::AdmitDeviceResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn welcome_device(
        &self,
        _: Request<device::WelcomeDeviceRequest>,
    ) -> Result<Response<device::WelcomeDeviceResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }
}
