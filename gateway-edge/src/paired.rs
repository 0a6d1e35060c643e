//! The paired devices as the config service tells them: what each may be, in which role. Deciding about one that stands here is a
//! look-up, and goes on while that service is away.

use std::collections::HashMap;

use gatehouse_contract::{Grants, Role};
use gatehouse_proto::config::v1::DeviceGrant;

use crate::dialect::Client;

/// Rows that are kept: twice what the config service pairs, and a bound on what a push can cost (200 bytes each).
const ROWS_MAX: usize = 10_000;

/// What a device may be, in one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paired {
    pub(crate) grants: Grants,
    platform: Box<str>,
    family: Box<str>,
    /// Changes when what it had is taken away: connections of before end.
    pub(crate) generation: i64,
    user: Option<Box<str>>,
}

/// The table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Devices(HashMap<Box<str>, Vec<Paired>>);

impl Devices {
    /// Reads the table. A row that cannot be understood allows nothing.
    pub(crate) fn read(rows: &[DeviceGrant]) -> Self {
        let mut table: HashMap<Box<str>, Vec<Paired>> = HashMap::new();
        for row in rows.iter().take(ROWS_MAX) {
            let DeviceGrant {
                device_id,
                role,
                scopes,
                platform,
                device_family,
                generation,
                user_id,
            } = row;
            let Some(role) = Role::parse(role) else { continue };
            table.entry(device_id.as_str().into()).or_default().push(Paired {
                grants: Grants::new(role, scopes.iter().map(String::as_str)),
                platform: platform.as_str().into(),
                family: device_family.as_str().into(),
                generation: *generation,
                user: user_id.as_deref().map(Into::into),
            });
        }
        Self(table)
    }

    /// What a device may be in a role.
    pub(crate) fn find(&self, device: &str, role: Role) -> Option<&Paired> {
        let roles = self.0.get(device)?;
        roles.iter().find(|paired| paired.grants.role() == role)
    }

    /// Whether a connection of before may go on.
    pub(crate) fn still_allow(&self, device: &str, granted: &Grants, generation: i64) -> bool {
        self.find(device, granted.role())
            .is_some_and(|paired| paired.generation == generation && paired.grants.covers(granted))
    }
}

impl Paired {
    /// Whether it is approved for all of this, of this user, and still says of itself what was approved.
    pub(crate) fn fits(&self, wanted: &Grants, client: &Client, user: Option<&str>) -> bool {
        self.grants.covers(wanted) && self.is_as_before(client) && self.user.as_deref() == user
    }

    /// Whether the client still says of itself what was approved.
    pub(crate) fn is_as_before(&self, client: &Client) -> bool {
        let normal =
            |label: &Option<Box<str>>| label.as_deref().unwrap_or_default().trim().to_ascii_lowercase();
        *self.platform == *normal(&client.platform) && *self.family == *normal(&client.device_family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(role: &str) -> DeviceGrant {
        DeviceGrant {
            device_id: "d".into(),
            role: role.into(),
            scopes: vec!["operator.write".into()],
            platform: "linux".into(),
            generation: 3,
            ..DeviceGrant::default()
        }
    }

    fn operator(scope: &str) -> Grants {
        Grants::new(Role::Operator, [scope])
    }

    #[test]
    fn a_device_is_known_in_its_roles_alone_and_for_what_it_was_approved() {
        let table = Devices::read(&[row("operator"), row("emperor")]);

        let found = table.find("d", Role::Operator).unwrap();
        assert_eq!(table.find("d", Role::Node), None);
        assert_eq!(table.find("e", Role::Operator), None);
        let client = Client {
            platform: Some(" Linux".into()),
            ..Client::default()
        };
        assert!(
            found.fits(&operator("operator.read"), &client, None),
            "writing contains reading"
        );
        assert!(!found.fits(&operator("operator.admin"), &client, None));
        assert!(!found.fits(&operator("operator.read"), &client, Some("ann")));
        let moved = Client {
            device_family: Some("phone".into()),
            ..client
        };
        assert!(!found.fits(&operator("operator.read"), &moved, None));
    }

    #[test]
    fn a_connection_ends_with_its_row_its_scopes_or_its_generation() {
        let table = Devices::read(&[row("operator")]);

        assert!(table.still_allow("d", &operator("operator.write"), 3));
        assert!(!table.still_allow("d", &operator("operator.admin"), 3));
        assert!(!table.still_allow("d", &operator("operator.write"), 2));
        assert!(!table.still_allow("d", &Grants::new(Role::Node, []), 3));
    }
}
