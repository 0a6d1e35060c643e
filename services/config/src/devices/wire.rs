//! Rows as clients see them.

use std::collections::HashSet;

use gatehouse_core::Timestamp;
use gatehouse_proto::device::v1::{DevicePairRequestedEvent, DeviceTokenInfo, PairRequest, PairedDevice};

use super::{
    manage::Whole,
    rows::{RequestRow, RoleRow},
};

fn scopes(grants: &gatehouse_contract::Grants) -> Vec<String> {
    grants.scopes().map(str::to_owned).collect()
}

pub(super) fn request(row: RequestRow, repair: bool) -> PairRequest {
    let role = row.wanted.role().as_str().to_owned();
    PairRequest {
        request_id: row.id,
        device_id: row.device_id,
        public_key: row.public_key,
        display_name: row.labels.display_name,
        platform: row.labels.platform,
        device_family: row.labels.device_family,
        client_id: row.labels.client_id,
        client_mode: row.labels.client_mode,
        roles: vec![role.clone()],
        role,
        scopes: scopes(&row.wanted),
        remote_ip: Some(row.remote_ip),
        repair,
        reason: row.reason,
        ts: row.created_at.as_ms(),
        expires_at_ms: row.expires_at.as_ms(),
    }
}

pub(super) fn requested(row: &RequestRow, repair: bool) -> DevicePairRequestedEvent {
    let request = request(row.clone(), repair);
    DevicePairRequestedEvent {
        request_id: request.request_id,
        device_id: request.device_id,
        public_key: request.public_key,
        display_name: request.display_name,
        platform: request.platform,
        device_family: request.device_family,
        client_id: request.client_id,
        client_mode: request.client_mode,
        role: request.role,
        roles: request.roles,
        scopes: request.scopes,
        remote_ip: request.remote_ip,
        silent: false,
        repair: request.repair,
        ts: request.ts,
    }
}

/// `here`: the devices that are connected, when somebody knows.
pub(super) fn paired(whole: Whole, here: Option<&HashSet<String>>) -> PairedDevice {
    let Whole { device, roles } = whole;
    let mut all = Vec::new();
    for scope in roles.iter().flat_map(|role| role.approved.scopes()) {
        if !all.contains(&scope) {
            all.push(scope);
        }
    }
    let words: Vec<String> = roles.iter().map(|role| role.role().as_str().to_owned()).collect();
    PairedDevice {
        connected: here.map(|here| here.contains(&device.id)),
        device_id: device.id,
        public_key: device.public_key,
        display_name: device.label.or(device.labels.display_name),
        platform: device.labels.platform,
        device_family: device.labels.device_family,
        client_id: device.labels.client_id,
        client_mode: device.labels.client_mode,
        remote_ip: device.remote_ip,
        role: words.first().cloned().unwrap_or_default(),
        roles: words,
        scopes: all.into_iter().map(str::to_owned).collect(),
        approved_via: device.approved_via,
        created_at_ms: device.created_at.as_ms(),
        approved_at_ms: device.approved_at.as_ms(),
        last_seen_reason: device.last_seen_at.map(|_| "connect".to_owned()),
        last_seen_at_ms: device.last_seen_at.map(Timestamp::as_ms),
        tokens: roles.iter().filter_map(token).collect(),
        user_id: device.user_id,
    }
}

fn token(role: &RoleRow) -> Option<DeviceTokenInfo> {
    let created_at_ms = role.token_created_at?;
    Some(DeviceTokenInfo {
        role: role.role().as_str().to_owned(),
        scopes: scopes(&role.token.as_ref().map_or(role.approved, |token| token.scopes)),
        created_at_ms: created_at_ms.as_ms(),
        rotated_at_ms: role.token_rotated_at.map(Timestamp::as_ms),
        revoked_at_ms: role.token_revoked_at.map(Timestamp::as_ms),
        expires_at_ms: role.expires_at().map(Timestamp::as_ms),
    })
}
