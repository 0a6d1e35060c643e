//! What the edge decides by.

use std::collections::HashMap;

use gatehouse_core::Timestamp;
use gatehouse_proto::config::v1::{Credential, DeviceGrant};
use rusqlite::Connection;

use super::{
    error::DeviceError,
    rows::{self, DeviceRow, RoleRow, normal},
    users,
};

/// The rows of the edge's table that belong to devices.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Table {
    /// Their tokens.
    pub(crate) credentials: Vec<Credential>,
    /// What they may be.
    pub(crate) devices: Vec<DeviceGrant>,
}

impl Table {
    /// As it is on the disk.
    pub(super) fn read(connection: &Connection) -> Result<Self, DeviceError> {
        let devices: HashMap<String, DeviceRow> = rows::all_devices(connection)?
            .into_iter()
            .map(|device| (device.id.clone(), device))
            .collect();
        let roles = rows::all_roles(connection)?;
        let names = users::names(connection)?;
        let mut table = Self {
            credentials: users::credentials(connection, &names)?,
            devices: Vec::new(),
        };
        for role in &roles {
            let Some(device) = devices.get(&role.device_id) else {
                continue;
            };
            table.devices.push(grant(device, role));
            table.credentials.extend(credential(device, role, &names));
        }
        Ok(table)
    }
}

fn grant(device: &DeviceRow, role: &RoleRow) -> DeviceGrant {
    DeviceGrant {
        device_id: role.device_id.clone(),
        role: role.role().as_str().to_owned(),
        scopes: role.approved.scopes().map(str::to_owned).collect(),
        platform: normal(device.labels.platform.as_deref()),
        device_family: normal(device.labels.device_family.as_deref()),
        generation: role.generation,
        user_id: device.user_id.clone(),
        expire_time_ms: role.expires_at().map(Timestamp::as_ms),
    }
}

fn credential(
    device: &DeviceRow,
    role: &RoleRow,
    names: &HashMap<String, Option<String>>,
) -> Option<Credential> {
    let token = role.token.as_ref()?;
    Some(Credential {
        id: format!("device/{}/{}", role.device_id, role.role().as_str()),
        digest: token.digest.clone(),
        role: role.role().as_str().to_owned(),
        scopes: token.scopes.scopes().map(str::to_owned).collect(),
        device_id: Some(role.device_id.clone()),
        expire_time_ms: role.expires_at().map(Timestamp::as_ms),
        needs_device_key: true,
        issue_time_ms: Some(role.issued_at().as_ms()),
        user_id: device.user_id.clone(),
        user_name: device
            .user_id
            .as_ref()
            .and_then(|user| names.get(user).cloned().flatten()),
    })
}
