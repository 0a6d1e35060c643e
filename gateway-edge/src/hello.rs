//! The answer to a handshake: what the gateway offers this caller, and how things stand.

use gatehouse_core::{Secret, Timestamp};
use gatehouse_proto::broadcast::v1::{HealthEvent, StateVersion};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    connection::Connection,
    dialect::{Dialect, Known, TEXT_INCREMENTS},
    edge::Edge,
    hub::Snapshot,
    limits::{ATTACHMENT_BYTES_MAX, BUFFERED_BYTES_MAX, IMAGE_BYTES_MAX, PROTOCOL, TICK, VERSION},
    profile::Profile,
};

/// What the gateway can do beside its methods, and the method without which it is nothing: named only while that is there.
const CAPABILITIES: [(&str, &str); 2] = [
    ("published-model-catalog", "models.list"),
    (TEXT_INCREMENTS, "chat.history"),
];

/// Where a Control UI comes from: chosen by the operator, and not a part of the gateway. Without this word the page compares our
/// version with its own, takes itself for stale, and reloads itself at every reconnect.
const BUILD_SOURCE: &str = "configured";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HelloV4<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    protocol: u64,
    server: Server<'a>,
    features: Features<'a>,
    snapshot: SnapshotV4<'a>,
    auth: Auth<'a>,
    policy: Policy,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HelloPlain<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    protocol: u64,
    version: &'static str,
    conn_id: &'a str,
    role: &'static str,
    scopes: Vec<&'static str>,
    gateway_methods: Vec<&'a str>,
    events: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health_snapshot: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_snapshot: Option<&'a RawValue>,
    state_version: Versions,
    policy: Policy,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Server<'a> {
    version: &'static str,
    conn_id: &'a str,
    control_ui_build_source: &'static str,
}

#[derive(Serialize)]
struct Features<'a> {
    methods: Vec<&'a str>,
    events: Vec<&'a str>,
    capabilities: Vec<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SnapshotV4<'a> {
    presence: &'a RawValue,
    health: HealthV4,
    state_version: Versions,
    uptime_ms: u64,
}

/// Health in the words of the published schema, which knows no services and allows `ok` only when it is true. The event
/// `health` and the method `health` carry everything.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HealthV4 {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ok: bool,
    ts: i64,
    duration_ms: i64,
}

/// The published schema has no `method` here, although a gateway has been seen to send one.
#[derive(Serialize)]
struct Auth<'a> {
    role: &'static str,
    scopes: Vec<&'static str>,
    #[serde(flatten)]
    token: Option<Told<'a>>,
}

/// A device's own token, as it is told to the device.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    device_token: &'a str,
    issued_at_ms: Timestamp,
}

/// The token with which a device may come back.
#[derive(Debug)]
pub(crate) struct DeviceToken {
    pub(crate) token: Secret,
    /// When it was made.
    pub(crate) issued_at: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    max_payload: usize,
    max_buffered_bytes: usize,
    tick_interval_ms: u128,
    attachments: Attachments,
}

/// What may belong to a message, in bytes before they are base64.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attachments {
    max_bytes: usize,
    max_image_bytes: usize,
}

#[derive(Serialize)]
struct Versions {
    presence: i64,
    health: i64,
}

impl From<StateVersion> for Versions {
    fn from(StateVersion { presence, health }: StateVersion) -> Self {
        Self {
            presence: presence.max(0),
            health: health.max(0),
        }
    }
}

impl From<&HealthEvent> for HealthV4 {
    fn from(health: &HealthEvent) -> Self {
        Self {
            ok: health.ok,
            ts: health.ts.max(0),
            duration_ms: health.duration_ms.max(0),
        }
    }
}

/// The hello as JSON. `known` are the versions that a plain client remembers.
pub(crate) fn payload(
    edge: &Edge,
    connection: &Connection,
    profile: &Profile,
    snapshot: &Snapshot,
    known: Known,
    token: Option<&DeviceToken>,
) -> Vec<u8> {
    let grants = &profile.grants;
    let may_read = gatehouse_contract::Access::Read.allows(grants);
    let map = edge.map();
    let methods: Vec<&str> = map
        .methods()
        .filter(|m| m.access.allows(grants))
        .map(|m| m.name.as_str())
        .collect();
    let mut events: Vec<&str> = map
        .events()
        .filter(|e| e.access.allows(grants))
        .map(|e| e.name.as_str())
        .collect();
    let empty = RawValue::NULL;
    let presence: &[u8] = match (may_read, profile.sees_all()) {
        (true, true) => &snapshot.presence,
        (true, false) => &snapshot.presence_shared,
        (false, _) => b"",
    };
    let presence = raw(presence).unwrap_or(empty_list());
    let policy = Policy {
        max_payload: profile.payload_max(),
        max_buffered_bytes: BUFFERED_BYTES_MAX,
        tick_interval_ms: TICK.as_millis(),
        attachments: Attachments {
            max_bytes: ATTACHMENT_BYTES_MAX.min(profile.payload_max()),
            max_image_bytes: IMAGE_BYTES_MAX.min(profile.payload_max()),
        },
    };
    let (role, scopes): (&'static str, Vec<&'static str>) =
        (grants.role().as_str(), grants.scopes().collect());
    let json = match profile.dialect {
        Dialect::V4 => serde_json::to_vec(&HelloV4 {
            kind: "hello-ok",
            protocol: PROTOCOL,
            server: Server {
                version: VERSION,
                conn_id: &connection.id,
                control_ui_build_source: BUILD_SOURCE,
            },
            features: Features {
                capabilities: CAPABILITIES
                    .iter()
                    .filter(|(_, m)| methods.contains(m))
                    .map(|(name, _)| *name)
                    .collect(),
                methods,
                events,
            },
            snapshot: SnapshotV4 {
                presence,
                health: HealthV4::from(&snapshot.health_event),
                state_version: snapshot.versions.into(),
                uptime_ms: edge.uptime_ms(),
            },
            auth: Auth {
                role,
                scopes,
                token: token.map(|token| Told {
                    device_token: token.token.expose(),
                    issued_at_ms: token.issued_at,
                }),
            },
            policy,
        }),
        Dialect::Plain => {
            events.push("gap");
            events.sort_unstable();
            serde_json::to_vec(&HelloPlain {
                kind: "hello-ok",
                protocol: PROTOCOL,
                version: VERSION,
                conn_id: &connection.id,
                role,
                scopes,
                gateway_methods: methods,
                events,
                health_snapshot: is_newer(snapshot.versions.health, known.health)
                    .then(|| raw(&snapshot.health).unwrap_or(empty)),
                presence_snapshot: is_newer(snapshot.versions.presence, known.presence).then_some(presence),
                state_version: snapshot.versions.into(),
                policy,
            })
        }
    };
    json.expect("strings, numbers and JSON texts are JSON")
}

/// Whether a part of the snapshot is newer than what the client remembers of it.
fn is_newer(version: i64, known: Option<i64>) -> bool {
    known.is_none_or(|known| version > known)
}

fn raw(json: &[u8]) -> Option<&RawValue> {
    serde_json::from_slice(json).ok()
}

fn empty_list() -> &'static RawValue {
    serde_json::from_str("[]").expect("an empty list is JSON")
}
