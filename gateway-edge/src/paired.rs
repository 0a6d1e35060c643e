//! The paired devices as the config service tells them: what each may be, in which role. Deciding about one that stands here is a
//! look-up, and goes on while that service is away.

use std::collections::HashMap;

use gatehouse_contract::{Grants, Role};
use gatehouse_core::Timestamp;
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
    /// When it is over, with what it was paired with.
    expires_at: Option<Timestamp>,
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
                expire_time_ms,
            } = row;
            let Some(role) = Role::parse(role) else { continue };
            table.entry(device_id.as_str().into()).or_default().push(Paired {
                grants: Grants::new(role, scopes.iter().map(String::as_str)),
                platform: platform.as_str().into(),
                family: device_family.as_str().into(),
                generation: *generation,
                user: user_id.as_deref().map(Into::into),
                expires_at: expire_time_ms.map(Timestamp::from_ms),
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
    pub(crate) fn still_allow(
        &self,
        device: &str,
        granted: &Grants,
        generation: i64,
        now: Timestamp,
    ) -> bool {
        self.find(device, granted.role()).is_some_and(|paired| {
            paired.generation == generation && paired.grants.covers(granted) && !paired.is_over(now)
        })
    }

    /// When the next row after this moment is over. `None`: none of them.
    pub(crate) fn next_expiry(&self, after: Timestamp) -> Option<Timestamp> {
        let ends = self.0.values().flatten().filter_map(|paired| paired.expires_at);
        ends.filter(|end| *end > after).min()
    }
}

impl Paired {
    /// Whether it is approved for all of this, of this user, still says of itself what was approved, and is not over.
    pub(crate) fn fits(&self, wanted: &Grants, client: &Client, user: Option<&str>, now: Timestamp) -> bool {
        self.grants.covers(wanted)
            && self.is_as_before(client)
            && self.user.as_deref() == user
            && !self.is_over(now)
    }

    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| now >= end)
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

    const NOW: Timestamp = Timestamp::from_ms(1_000);

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
            found.fits(&operator("operator.read"), &client, None, NOW),
            "writing contains reading"
        );
        assert!(!found.fits(&operator("operator.admin"), &client, None, NOW));
        assert!(!found.fits(&operator("operator.read"), &client, Some("ann"), NOW));
        let moved = Client {
            device_family: Some("phone".into()),
            ..client
        };
        assert!(!found.fits(&operator("operator.read"), &moved, None, NOW));
    }

    #[test]
    fn a_connection_ends_with_its_row_its_scopes_or_its_generation() {
        let table = Devices::read(&[row("operator")]);

        assert!(table.still_allow("d", &operator("operator.write"), 3, NOW));
        assert!(!table.still_allow("d", &operator("operator.admin"), 3, NOW));
        assert!(!table.still_allow("d", &operator("operator.write"), 2, NOW));
        assert!(!table.still_allow("d", &Grants::new(Role::Node, []), 3, NOW));
    }

    #[test]
    fn a_row_is_good_until_it_is_over_and_its_end_is_waited_for() {
        let short = DeviceGrant {
            expire_time_ms: Some(NOW.plus_ms(1).as_ms()),
            ..row("operator")
        };
        let table = Devices::read(&[short, row("node")]);
        let (found, client) = (
            table.find("d", Role::Operator).unwrap(),
            Client {
                platform: Some("linux".into()),
                ..Client::default()
            },
        );

        let asked = operator("operator.write");
        assert!(found.fits(&asked, &client, None, NOW) && table.still_allow("d", &asked, 3, NOW));
        assert!(
            !found.fits(&asked, &client, None, NOW.plus_ms(1))
                && !table.still_allow("d", &asked, 3, NOW.plus_ms(1))
        );
        assert!(
            table.still_allow("d", &Grants::new(Role::Node, []), 3, Timestamp::MAX),
            "the other role goes on"
        );
        assert_eq!(
            (table.next_expiry(NOW), table.next_expiry(NOW.plus_ms(1))),
            (Some(NOW.plus_ms(1)), None)
        );
    }
}
