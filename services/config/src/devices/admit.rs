//! What becomes of a device that the edge does not know as it asks to be.

use std::{net::IpAddr, time::Duration};

use gatehouse_contract::{Grants, Role};
use gatehouse_core::{Secret, Timestamp, net::PeerKey};
use gatehouse_document::{gateway::network, nodes::Pairing};
use ipnet::IpNet;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{
    error::DeviceError,
    rows::{self, DeviceRow, Labels, RequestRow, RoleRow, Voucher, normal},
    token, voucher,
};

/// How long a request waits: a person sees it within the hour, or lets the device ask again.
const REQUEST: Duration = Duration::from_secs(3600);

/// Requests that wait at once. More than a person would look through.
const REQUESTS_MAX: usize = 100;

/// Requests of one address: a household behind one router has some devices.
const REQUESTS_OF_ONE_MAX: usize = 10;

/// Paired devices: some for everybody in a large household, and well within the edge's table.
const DEVICES_MAX: usize = 2_000;

/// What is approved without asking anybody.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    local: bool,
    nodes: Vec<IpNet>,
}

impl From<&Pairing> for Rules {
    fn from(pairing: &Pairing) -> Self {
        Self {
            local: pairing.auto_approve_local,
            // What cannot be read approves nothing; the check of the document has named it.
            nodes: pairing
                .auto_approve_cidrs
                .iter()
                .filter_map(|range| network(range))
                .collect(),
        }
    }
}

/// A device that asks. Its key is proved.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    pub(super) device_id: String,
    pub(super) public_key: String,
    pub(super) wanted: Grants,
    pub(super) labels: Labels,
    pub(super) remote_ip: String,
    pub(super) local: bool,
    pub(super) setup_digest: Option<String>,
    pub(super) user_id: Option<String>,
    /// The credential that was shown, as the table names it.
    pub(super) credential: Option<String>,
}

/// What was decided.
#[derive(Debug)]
pub(super) enum Admitted {
    Paired(Paired),
    /// It waits. `new`: this is the first that is heard of it.
    Pending {
        request: RequestRow,
        new: bool,
        repair: bool,
    },
    CodeInvalid,
}

/// A device that is paired as it asked to be.
#[derive(Debug)]
pub(super) struct Paired {
    pub(super) role: RoleRow,
    pub(super) token: Secret,
    /// The request that this settles: one that waited, or one that never had to.
    pub(super) settled: Option<String>,
    /// The setup code that was used, and what it allows.
    pub(super) code: Option<(String, String)>,
}

/// Why a device is not let in as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lacks {
    Pairing,
    Role,
    Scopes,
    Metadata,
}

impl Lacks {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Pairing => "not-paired",
            Self::Role => "role-upgrade",
            Self::Scopes => "scope-upgrade",
            Self::Metadata => "metadata-upgrade",
        }
    }
}

/// How a device came to be approved.
#[derive(Clone, Copy, Debug)]
pub(super) enum Via {
    Silent,
    Range,
    Code,
    Operator,
}

impl Via {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Range => "cidr",
            Self::Code => "setup-code",
            Self::Operator => "operator",
        }
    }
}

/// Decides about a device, and keeps what was decided.
pub(super) fn admit(
    tx: &Transaction<'_>,
    key: &Secret,
    rules: &Rules,
    asking: &Asking,
    now: Timestamp,
) -> Result<Admitted, DeviceError> {
    forget_old(tx, now)?;
    if let Some(digest) = &asking.setup_digest {
        return by_code(tx, key, asking, digest, now);
    }
    let (user, credential) = (asking.user_id.as_deref(), asking.credential.as_deref());
    let voucher = voucher::of_credential(tx, user, credential, now)?;
    let known = rows::find_device(tx, &asking.device_id)?;
    let role = rows::find_role(tx, &asking.device_id, asking.wanted.role())?;
    let lacks = lacks(known.as_ref(), role.as_ref(), asking);
    let via = match lacks {
        None => {
            // Another edge was told the same a moment ago.
            let mut role = role.ok_or_else(|| DeviceError::NoSuchDevice(asking.device_id.clone()))?;
            let (token, changed) = token::ensure(key, &mut role, now);
            if changed {
                rows::put_role(tx, &role)?;
            }
            return Ok(Admitted::Paired(Paired {
                role,
                token,
                settled: None,
                code: None,
            }));
        }
        Some(lacks) => match rules.approve(asking, lacks) {
            Some(via) => via,
            None => return pend(tx, asking, voucher, lacks, known.is_some(), now),
        },
    };
    let waited = rows::request_of(tx, &asking.device_id, asking.wanted.role())?;
    let (role, token) = approve(tx, key, asking, voucher, via, now)?;
    let settled = waited.map_or_else(|| uuid::Uuid::new_v4().to_string(), |request| request.id);
    Ok(Admitted::Paired(Paired {
        role,
        token,
        settled: Some(settled),
        code: None,
    }))
}

impl Rules {
    /// How a device is approved without asking anybody.
    fn approve(&self, asking: &Asking, lacks: Lacks) -> Option<Via> {
        if asking.local && self.local {
            return Some(Via::Silent);
        }
        // A range vouches for new nodes that ask for nothing, and for no more.
        let is_plain_node = asking.wanted == Grants::new(Role::Node, []) && lacks == Lacks::Pairing;
        let ip: IpAddr = asking.remote_ip.parse().ok()?;
        let listed = self.nodes.iter().any(|range| range.contains(&ip));
        (is_plain_node && listed).then_some(Via::Range)
    }
}

fn lacks(known: Option<&DeviceRow>, role: Option<&RoleRow>, asking: &Asking) -> Option<Lacks> {
    let Some(known) = known.filter(|known| known.user_id == asking.user_id) else {
        return Some(Lacks::Pairing);
    };
    let Some(role) = role else {
        return Some(Lacks::Role);
    };
    if !role.approved.covers(&asking.wanted) {
        return Some(Lacks::Scopes);
    }
    let same =
        |then: &Option<String>, now: &Option<String>| normal(then.as_deref()) == normal(now.as_deref());
    let as_before = same(&known.labels.platform, &asking.labels.platform)
        && same(&known.labels.device_family, &asking.labels.device_family);
    (!as_before).then_some(Lacks::Metadata)
}

/// Lets a device wait. One that asks again keeps the name of its request, and is heard anew.
fn pend(
    tx: &Transaction<'_>,
    asking: &Asking,
    voucher: Option<Voucher>,
    lacks: Lacks,
    repair: bool,
    now: Timestamp,
) -> Result<Admitted, DeviceError> {
    let expires_at = Voucher::bound(voucher.as_ref(), now + REQUEST);
    let user_token = voucher.map(|voucher| voucher.token);
    let before = rows::request_of(tx, &asking.device_id, asking.wanted.role())?;
    if before.is_none() && !has_room(tx, &asking.remote_ip, now)? {
        return Err(DeviceError::TooManyRequests);
    }
    // Whoever approves sees what is granted, and to whom: a device that asks for something else since then asks anew.
    let same = before.filter(|before| {
        before.wanted == asking.wanted
            && before.reason == lacks.as_str()
            && before.user_id == asking.user_id
            && before.user_token == user_token
    });
    let new = same.is_none();
    let request = RequestRow {
        id: same
            .as_ref()
            .map_or_else(|| uuid::Uuid::new_v4().to_string(), |before| before.id.clone()),
        device_id: asking.device_id.clone(),
        public_key: asking.public_key.clone(),
        wanted: asking.wanted,
        reason: lacks.as_str().to_owned(),
        labels: asking.labels.clone(),
        remote_ip: asking.remote_ip.clone(),
        user_id: asking.user_id.clone(),
        user_token,
        created_at: same.map_or(now, |before| before.created_at),
        expires_at,
    };
    rows::put_request(tx, &request)?;
    Ok(Admitted::Pending { request, new, repair })
}

/// Whether one more may wait, and one more of this address.
fn has_room(tx: &Transaction<'_>, ip: &str, now: Timestamp) -> Result<bool, DeviceError> {
    let waiting = rows::all_requests(tx, now)?;
    let peer = |ip: &str| ip.parse().ok().map(PeerKey::of);
    let of_one = waiting
        .iter()
        .filter(|request| peer(&request.remote_ip) == peer(ip))
        .count();
    Ok(waiting.len() < REQUESTS_MAX && of_one < REQUESTS_OF_ONE_MAX)
}

fn by_code(
    tx: &Transaction<'_>,
    key: &Secret,
    asking: &Asking,
    digest: &str,
    now: Timestamp,
) -> Result<Admitted, DeviceError> {
    let found = tx
        .prepare_cached("SELECT id, role, scopes, access, user_id, user_token_id FROM setup_code WHERE digest = ?1 AND used_by IS NULL AND expires_at > ?2")?
        .query_row(params![digest, now], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, String>(3)?,
                row.get::<_, Option<String>>(4)?,
                row.get::<_, Option<String>>(5)?,
            ))
        })
        .optional()?;
    let Some((id, role, scopes, access, user_id, user_token)) = found else {
        return Ok(Admitted::CodeInvalid);
    };
    let Some(role) = Role::parse(&role).filter(|role| *role == asking.wanted.role()) else {
        return Ok(Admitted::CodeInvalid);
    };
    let voucher = voucher::of_kept(tx, user_token.as_deref(), now)?;
    // The code decides what the device may; what it asks for is answered by its next handshakes.
    let asking = Asking {
        wanted: Grants::new(role, scopes.split(' ')),
        user_id,
        ..asking.clone()
    };
    let (role, token) = approve(tx, key, &asking, voucher, Via::Code, now)?;
    tx.prepare_cached("UPDATE setup_code SET used_by = ?2, used_name = ?3, used_at = ?4 WHERE id = ?1")?
        .execute(params![id, asking.device_id, asking.labels.display_name, now])?;
    Ok(Admitted::Paired(Paired {
        role,
        token,
        settled: Some(id.clone()),
        code: Some((id, access)),
    }))
}

/// Pairs a device, or gives it more than it had. What it had before it keeps, unless it changes hands or another token of
/// its user vouches for it now: nothing that one token vouched for outlives it by another.
pub(super) fn approve(
    tx: &Transaction<'_>,
    key: &Secret,
    asking: &Asking,
    voucher: Option<Voucher>,
    via: Via,
    now: Timestamp,
) -> Result<(RoleRow, Secret), DeviceError> {
    let before = rows::find_device(tx, &asking.device_id)?;
    if before
        .as_ref()
        .is_some_and(|before| before.user_id != asking.user_id)
    {
        remove(tx, &asking.device_id)?;
    } else if before.is_none() && count(tx)? >= DEVICES_MAX {
        return Err(DeviceError::TooManyDevices);
    }
    rows::put_device(
        tx,
        &DeviceRow {
            id: asking.device_id.clone(),
            public_key: asking.public_key.clone(),
            labels: asking.labels.clone(),
            label: None,
            remote_ip: Some(asking.remote_ip.clone()),
            user_id: asking.user_id.clone(),
            approved_via: via.as_str().to_owned(),
            created_at: before.map_or(now, |before| before.created_at),
            approved_at: now,
            last_seen_at: None,
        },
    )?;
    if !matches!(via, Via::Operator) {
        // It is here, and comes in at once.
        tx.prepare_cached("UPDATE device SET last_seen_at = ?2 WHERE id = ?1")?
            .execute(params![asking.device_id, now])?;
    }
    let role = asking.wanted.role();
    let mut row = rows::find_role(tx, &asking.device_id, role)?.unwrap_or(RoleRow {
        device_id: asking.device_id.clone(),
        approved: Grants::new(role, []),
        generation: 0,
        token: None,
        token_created_at: None,
        token_rotated_at: None,
        token_revoked_at: None,
        voucher: voucher.clone(),
    });
    if row.voucher != voucher {
        row.approved = Grants::new(role, []);
        row.voucher = voucher;
    }
    row.approved = Grants::new(role, row.approved.scopes().chain(asking.wanted.scopes()));
    if let Some(token) = &mut row.token {
        // By what was asked for, and by nothing that was taken from it since: nobody has decided about that.
        let scopes = token.scopes.scopes().chain(asking.wanted.scopes());
        token.scopes = Grants::new(role, scopes).within(&row.approved);
    }
    let (token, _) = token::ensure(key, &mut row, now);
    rows::put_role(tx, &row)?;
    tx.prepare_cached("DELETE FROM pair_request WHERE device_id = ?1 AND role = ?2")?
        .execute(params![asking.device_id, role.as_str()])?;
    Ok((row, token))
}

/// Forgets a device, its roles and its tokens. False: it was not there.
pub(super) fn remove(tx: &Transaction<'_>, device: &str) -> Result<bool, DeviceError> {
    let gone = tx
        .prepare_cached("DELETE FROM device WHERE id = ?1")?
        .execute([device])?;
    Ok(gone > 0)
}

fn count(connection: &Connection) -> Result<usize, DeviceError> {
    Ok(connection
        .prepare_cached("SELECT count(*) FROM device -- scans: they are bounded")?
        .query_row([], |row| row.get(0))?)
}

/// Forgets roles and requests that are over, and codes a day after their end.
fn forget_old(tx: &Transaction<'_>, now: Timestamp) -> Result<(), DeviceError> {
    const DAY: Duration = Duration::from_secs(86_400);
    let over = tx
        .prepare_cached("DELETE FROM device_role WHERE expires_at <= ?1")?
        .execute([now])?;
    if over > 0 {
        forget_bare(tx)?;
    }
    tx.prepare_cached("DELETE FROM pair_request WHERE expires_at <= ?1")?
        .execute([now])?;
    tx.prepare_cached("DELETE FROM setup_code WHERE expires_at <= ?1")?
        .execute([now - DAY])?;
    Ok(())
}

/// Forgets devices that have no role left.
pub(super) fn forget_bare(tx: &Transaction<'_>) -> Result<(), DeviceError> {
    tx.prepare_cached(
        "DELETE FROM device WHERE NOT EXISTS (SELECT 1 FROM device_role WHERE device_id = device.id)
         -- scans: they are bounded, and roles end seldom",
    )?
    .execute([])?;
    Ok(())
}
