//! What somebody may see and decide who is no administrator, through the service.

use std::fs;

use gatehouse_core::{
    Caller, Clock, Env, Failure, Home, Kind,
    client::Peer,
    publish::{Published, Publisher},
};
use gatehouse_proto::device::v1::{
    AdmitDeviceRequest, ApproveDeviceRequest, LeaveDeviceRequest, ListDevicesRequest, RejectDeviceRequest,
    RemoveDeviceRequest, RenameDeviceRequest, RevokeDeviceTokenRequest, RotateDeviceTokenRequest,
    device_service_server::DeviceService,
};
use tonic::{Request, Status};

use super::{
    super::{DeviceGrpc, Files, Opened, Presence, rows::DeviceRow, wire},
    *,
};
use crate::configuration::{Configuration, sources_of, store_of};

const ADMINS: u8 = 1;
const SMALL: u8 = 2;
const READERS: u8 = 3;

struct Running {
    grpc: DeviceGrpc,
    events: Published,
    _home: TempDir,
}

/// A service with three devices: an administrator's, one that may pair, and one that may read.
async fn running() -> Running {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("gatehouse.json5"), "{}").unwrap();
    let env = Env::of([("GATEHOUSE_HOME", home.path().to_str().unwrap())]);
    let paths = Home::read(&env);
    let configuration =
        Configuration::open(store_of(&paths), sources_of(&paths, &env), Clock::system()).unwrap();
    let nobody = format!("unix:{}/session.sock", home.path().display());
    let (publisher, events) = Publisher::for_tests();
    let devices = Opened::new(Files::of(home.path())).await.unwrap().with(
        Clock::fixed(NOW.as_ms()),
        configuration.watch(),
        publisher,
        Peer::lazy(&nobody.parse().unwrap(), &Secret::new("none")),
    );
    let running = Running {
        grpc: DeviceGrpc::new(
            devices,
            Presence::new(&Peer::lazy(&nobody.parse().unwrap(), &Secret::new("none"))),
        ),
        events,
        _home: home,
    };
    running.admit(ADMINS, "operator.admin", true).await;
    running.admit(SMALL, "operator.pairing", true).await;
    running.admit(READERS, "operator.read", true).await;
    running
}

impl Running {
    /// A device comes; the answer names its request if it waits.
    async fn admit(&self, n: u8, scope: &str, local: bool) -> String {
        let request = AdmitDeviceRequest {
            device_id: id(n),
            public_key: format!("key-{n}"),
            role: "operator".into(),
            scopes: vec![scope.into()],
            remote_ip: "127.0.0.1".into(),
            local,
            ..AdmitDeviceRequest::default()
        };
        let answer = self.grpc.admit_device(Request::new(request)).await.unwrap();
        answer.into_inner().request_id
    }

    /// How each way of changing a device ends. The last one removes it.
    async fn change(&self, n: u8, caller: &Caller) -> [Result<(), Status>; 4] {
        let (device_id, role) = (id(n), "operator".to_owned());
        let rename = RenameDeviceRequest {
            device_id: device_id.clone(),
            label: "mine".into(),
        };
        let rotate = RotateDeviceTokenRequest {
            device_id: device_id.clone(),
            role: role.clone(),
            scopes: Vec::new(),
        };
        let revoke = RevokeDeviceTokenRequest {
            device_id: device_id.clone(),
            role,
        };
        let remove = RemoveDeviceRequest { device_id };
        [
            self.grpc.rename_device(by(caller, rename)).await.map(drop),
            self.grpc.rotate_device_token(by(caller, rotate)).await.map(drop),
            self.grpc.revoke_device_token(by(caller, revoke)).await.map(drop),
            self.grpc.remove_device(by(caller, remove)).await.map(drop),
        ]
    }

    /// The devices that are shown, and how many requests.
    async fn shown(&self, caller: &Caller) -> (Vec<String>, usize) {
        let listed = self.grpc.list_devices(by(caller, ListDevicesRequest {})).await;
        let listed = listed.unwrap().into_inner();
        let mut ids: Vec<String> = listed.paired.into_iter().map(|device| device.device_id).collect();
        ids.sort();
        (ids, listed.pending.len())
    }

    async fn approve(&self, request: &str, caller: &Caller) -> Result<(), Status> {
        let request_id = request.to_owned();
        let request = ApproveDeviceRequest { request_id };
        self.grpc.approve_device(by(caller, request)).await.map(drop)
    }

    async fn reject(&self, request: &str, caller: &Caller) -> Result<(), Status> {
        let request_id = request.to_owned();
        let request = RejectDeviceRequest { request_id };
        self.grpc.reject_device(by(caller, request)).await.map(drop)
    }
}

fn by<T>(caller: &Caller, message: T) -> Request<T> {
    let mut request = Request::new(message);
    caller.attach(request.metadata_mut());
    request
}

/// Somebody who has no device, and shows a credential that is good for pairing alone.
fn pairing() -> Caller {
    Caller {
        role: "operator".into(),
        scopes: vec!["operator.pairing".into()],
        credential_id: Some("front-desk".into()),
        ..Caller::default()
    }
}

fn assert_refused(refused: Result<(), Status>, what: impl std::fmt::Debug) {
    let failure = Failure::from_status(&refused.expect_err(&format!("{what:?}")));
    assert_eq!(
        (failure.kind, failure.reason.as_deref()),
        (Kind::Forbidden, Some("SCOPES_NOT_HELD")),
        "{what:?}"
    );
}

#[tokio::test]
async fn nobody_changes_a_device_that_can_do_more_than_he_can() {
    let running = running().await;

    for device in [ADMINS, READERS] {
        for (way, refused) in running.change(device, &pairing()).await.into_iter().enumerate() {
            assert_refused(refused, (device, way));
        }
    }

    for (way, done) in running.change(SMALL, &pairing()).await.into_iter().enumerate() {
        done.unwrap_or_else(|status| panic!("{way}: {status}"));
    }
    let owner = Caller {
        scopes: vec!["operator.admin".into()],
        ..pairing()
    };
    assert_eq!(
        running.shown(&owner).await.0,
        [id(ADMINS), id(READERS)],
        "nothing else was taken"
    );
}

#[tokio::test]
async fn a_device_may_leave_whatever_it_may_besides_and_takes_no_other_along() {
    let mut running = running().await;
    let reader = Caller {
        scopes: Vec::new(),
        device_id: Some(id(READERS)),
        credential_id: Some("of the reader".into()),
        ..pairing()
    };
    let leave = async |running: &Running, caller: &Caller| {
        let left = running.grpc.leave_device(by(caller, LeaveDeviceRequest {})).await;
        left.map(|left| left.into_inner().device_id).map_err(|status| {
            Failure::from_status(&status)
                .reason
                .unwrap_or_default()
                .into_owned()
        })
    };

    assert_eq!(leave(&running, &pairing()).await, Err("NO_DEVICE".to_owned()));
    assert_eq!(leave(&running, &reader).await, Ok(id(READERS)));
    assert_eq!(leave(&running, &reader).await, Err("NO_SUCH_DEVICE".to_owned()));

    let owner = Caller {
        scopes: vec!["operator.admin".into()],
        ..pairing()
    };
    assert_eq!(running.shown(&owner).await.0, [id(ADMINS), id(SMALL)]);
    let mut told = false;
    while let Some(event) = running.events.try_recv() {
        told |= event.device_id == Some(id(READERS));
    }
    assert!(told, "others hear that it is gone");
}

#[tokio::test]
async fn who_asks_for_little_is_trusted_with_all_that_his_credential_is_good_for() {
    let running = running().await;
    let owner = Caller {
        credential_id: Some("shared".into()),
        ..pairing()
    };

    assert_eq!(running.shown(&owner).await.0.len(), 3);
    let [renamed, rotated, revoked, removed] = running.change(READERS, &owner).await;
    assert_refused(rotated, "a token is given, and what is given away is held");
    for done in [renamed, revoked, removed] {
        done.unwrap();
    }
    let request = running.admit(4, "operator.read", false).await;
    assert_refused(running.approve(&request, &owner).await, "the same");
    running.reject(&request, &owner).await.unwrap();
}

#[tokio::test]
async fn who_is_no_administrator_sees_and_decides_what_asks_for_no_more_than_he_has() {
    let running = running().await;
    let great = running.admit(4, "operator.admin", false).await;
    let small = running.admit(5, "operator.pairing", false).await;
    // A device that has more asks for little: deciding would change what it has.
    let known = running.admit(READERS, "operator.pairing", false).await;

    assert_eq!(running.shown(&pairing()).await, (vec![id(SMALL)], 1));
    for request in [&great, &known] {
        assert_refused(running.approve(request, &pairing()).await, request);
        assert_refused(running.reject(request, &pairing()).await, request);
    }
    running.approve(&small, &pairing()).await.unwrap();
    assert_eq!(running.shown(&pairing()).await, (vec![id(SMALL), id(5)], 0));
}

#[tokio::test]
async fn what_is_told_of_pairing_says_which_device_it_is_and_what_that_can_do() {
    let mut running = running().await;
    let owner = Caller {
        scopes: vec!["operator.admin".into(), "operator.pairing".into()],
        credential_id: Some("shared".into()),
        ..pairing()
    };
    let refused = running.admit(4, "operator.pairing", false).await;
    running.reject(&refused, &owner).await.unwrap();
    // A device that can more than it asks for.
    let known = running.admit(READERS, "operator.pairing", false).await;
    running.approve(&known, &owner).await.unwrap();
    let [.., removed] = running.change(ADMINS, &owner).await;
    removed.unwrap();

    let mut told = Vec::new();
    while told.len() < 5 {
        let event = running.events.recv().await.unwrap();
        if told.is_empty() && event.device_id.as_deref() != Some(id(4).as_str()) {
            continue; // of those that were there before
        }
        let name = event.r#type.rsplit('.').next().unwrap().to_owned();
        told.push((name, event.device_id.unwrap(), event.device_scopes.join(" ")));
    }
    let expected = [
        ("DevicePairRequestedEvent", 4, "operator.pairing"),
        ("DevicePairResolvedEvent", 4, "operator.pairing"),
        (
            "DevicePairRequestedEvent",
            READERS,
            "operator.pairing operator.read",
        ),
        (
            "DevicePairResolvedEvent",
            READERS,
            "operator.pairing operator.read",
        ),
        ("DevicePairResolvedEvent", ADMINS, "operator.admin"),
    ];
    let expected = expected.map(|(name, device, scopes)| (name.to_owned(), id(device), scopes.to_owned()));
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_device_that_was_just_paired_has_been_seen_and_whether_it_is_here_is_said_by_who_knows() {
    let running = running().await;
    let owner = Caller {
        scopes: vec!["operator.admin".into()],
        ..pairing()
    };

    let listed = running.grpc.list_devices(by(&owner, ListDevicesRequest {})).await;

    let device = listed.unwrap().into_inner().paired.remove(0);
    assert_eq!(device.last_seen_at_ms, Some(NOW.as_ms()));
    assert_eq!(device.connected, None, "broadcast is away");
    let whole = |connected: &[u8]| {
        let here = connected.iter().map(|n| id(*n)).collect();
        let device = DeviceRow {
            id: id(ADMINS),
            public_key: String::new(),
            labels: Labels::default(),
            label: None,
            remote_ip: None,
            user_id: None,
            approved_via: String::new(),
            created_at: NOW,
            approved_at: NOW,
            last_seen_at: None,
        };
        let roles = Vec::new();
        wire::paired(manage::Whole { device, roles }, Some(&here)).connected
    };
    assert_eq!(whole(&[ADMINS, SMALL]), Some(true));
    assert_eq!(whole(&[SMALL]), Some(false));
    let unknown = running.approve("nobody", &owner).await.unwrap_err();
    assert!(
        unknown.message().starts_with("unknown requestId"),
        "OpenClaw's command line looks for it: {unknown}"
    );
    let rename = |letters: usize| RenameDeviceRequest {
        device_id: id(ADMINS),
        label: "ü".repeat(letters),
    };
    assert!(running.grpc.rename_device(by(&owner, rename(64))).await.is_ok());
    assert!(running.grpc.rename_device(by(&owner, rename(65))).await.is_err());
}
