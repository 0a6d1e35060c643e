//! Who a caller is. The config service pushes a table of credentials with its revisions: digest of what is shown, to what it
//! may be used for, by which device, and until when. The gateway token is one row of it.
//!
//! Nothing here waits or asks anybody, so a login is as fast with a thousand credentials as with one, and goes on while the
//! config service is away. A row that is taken out, narrowed or over its time takes everything from whoever came with it:
//! [`Credentials::still_allow`] is asked again at every revision and when the next row expires.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use gatehouse_contract::{Grants, Role};
use gatehouse_core::{Secret, Timestamp, hex};
use gatehouse_proto::config::v1::Credential;
use subtle::ConstantTimeEq;

use crate::throttle::{Limits, Lockout, Login, Throttle};

pub(crate) mod mode;

/// Rows that are kept: some devices for everybody in a large household, and a bound on what a push can cost (200 bytes each).
const ROWS_MAX: usize = 10_000;

type Digest = [u8; 32];

/// Who somebody is that showed a good credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The credential's name, for logs.
    pub(crate) credential: Box<str>,
    /// The role, and the scopes that it can be used for at most.
    pub(crate) bound: Grants,
    /// The paired device that the credential is bound to.
    pub(crate) device: Option<Box<str>>,
    /// Whether it is good only beside a proof that the caller holds the device's key.
    pub(crate) needs_key: bool,
    /// The named user that it belongs to. `None`: the gateway's owner.
    pub(crate) user: Option<User>,
    /// When it was made.
    pub(crate) issued_at: Option<Timestamp>,
    proof: Proof,
    expires_at: Option<Timestamp>,
}

/// A person with credentials of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: Box<str>,
    /// For people.
    pub(crate) name: Option<Box<str>>,
}

/// How somebody was known.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Proof {
    /// By a credential, which has this digest.
    Shown(Digest),
    /// By the word of a proxy.
    Named(Box<str>),
    /// By being on this machine.
    Here,
}

impl Identity {
    /// Somebody who shows no credential.
    fn proved(name: &str, bound: Grants, proof: Proof) -> Self {
        Self {
            credential: name.into(),
            bound,
            device: None,
            needs_key: false,
            user: None,
            issued_at: None,
            proof,
            expires_at: None,
        }
    }

    /// The named user behind it: whose the credential is, or whom a proxy names. `None`: the gateway's owner.
    pub(crate) fn user_id(&self) -> Option<Cow<'_, str>> {
        match (&self.user, &self.proof) {
            (Some(user), _) => Some(Cow::Borrowed(&user.id)),
            (None, Proof::Named(name)) => Some(Cow::Owned(name.to_lowercase())), // as its grants are looked up
            (None, Proof::Shown(_) | Proof::Here) => None,
        }
    }

    /// Whether a credential was shown.
    pub(crate) fn is_shown(&self) -> bool {
        self.digest().is_some()
    }

    /// Whether this secret is the credential.
    pub(crate) fn is_shown_by(&self, shown: &Secret) -> bool {
        self.digest()
            .is_some_and(|digest| digest.ct_eq(&shown.digest()).into())
    }

    /// Whether a handshake of now would grant this.
    fn gives(&self, granted: &Grants) -> bool {
        self.bound.covers(granted)
    }

    fn digest(&self) -> Option<&Digest> {
        match &self.proof {
            Proof::Shown(digest) => Some(digest),
            Proof::Named(_) | Proof::Here => None,
        }
    }

    /// How long it is still good. `None`: until it is taken out of the table.
    pub(crate) fn expires_in(&self, now: Timestamp) -> Option<Duration> {
        Some(self.expires_at?.since(now))
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| now >= end)
    }
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// Too many wrong ones came from there.
    LockedOut(Lockout),
    /// Nothing was shown.
    Missing,
    /// What was shown is not in the table.
    Unknown,
    /// What was shown was good until some time ago.
    Expired,
    /// What was shown belongs to a device that the caller is not, or has not proved to be.
    ForeignDevice,
}

/// The credentials that are good, by what is shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Credentials(HashMap<Digest, Arc<Identity>>);

impl Credentials {
    /// Reads the table. A row that cannot be understood opens nothing.
    pub(crate) fn read(rows: &[Credential]) -> Self {
        let mut table = HashMap::new();
        for row in rows.iter().take(ROWS_MAX) {
            let Some(identity) = read(row) else {
                tracing::warn!(
                    credential.id = row.id,
                    "a credential cannot be read: it opens nothing"
                );
                continue;
            };
            let Some(digest) = identity.digest().copied() else {
                continue;
            };
            match table.entry(digest) {
                Entry::Vacant(free) => {
                    free.insert(Arc::new(identity));
                }
                // Which of the two would be meant is not guessed: the first one stays.
                Entry::Occupied(_) => {
                    tracing::warn!(credential.id = row.id, "a credential is listed twice");
                }
            }
        }
        if rows.len() > ROWS_MAX {
            tracing::warn!(max = ROWS_MAX, "too many credentials: the last ones open nothing");
        }
        Self(table)
    }

    /// Whether nobody could come in.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose token this is, which the config service has just made.
    pub(crate) fn known(&self, token: &Secret) -> Option<Arc<Identity>> {
        self.find(token).cloned()
    }

    /// Whose credential this is. The way to a row tells a guesser nothing: it is found by a digest that nobody can choose, and
    /// compared in the same time wherever the two differ.
    fn find(&self, shown: &Secret) -> Option<&Arc<Identity>> {
        let digest = shown.digest();
        self.0.get(&digest).filter(|identity| {
            let known = identity
                .digest()
                .is_some_and(|known| bool::from(known.ct_eq(&digest)));
            !shown.is_empty() && known
        })
    }

    /// Whether who came with this identity may still do what it was granted.
    pub(crate) fn still_allow(&self, identity: &Identity, granted: &Grants, now: Timestamp) -> bool {
        identity
            .digest()
            .and_then(|digest| self.0.get(digest))
            .is_some_and(|row| {
                row.credential == identity.credential
                    && row.device == identity.device
                    && row.needs_key == identity.needs_key
                    && row.gives(granted)
                    && !row.is_over(now)
            })
    }

    /// When the next row after this moment is over. `None`: none of them.
    pub(crate) fn next_expiry(&self, after: Timestamp) -> Option<Timestamp> {
        let ends = self.0.values().filter_map(|row| row.expires_at);
        ends.filter(|end| *end > after).min()
    }
}

fn read(row: &Credential) -> Option<Identity> {
    let Credential {
        id,
        digest,
        role,
        scopes,
        device_id,
        expire_time_ms,
        needs_device_key,
        issue_time_ms,
        user_id,
        user_name,
    } = row;
    Some(Identity {
        credential: Some(id.as_str()).filter(|id| !id.is_empty())?.into(),
        bound: Grants::new(Role::parse(role)?, scopes.iter().map(String::as_str)),
        device: device_id.as_deref().map(Into::into),
        needs_key: *needs_device_key,
        user: user_id.as_deref().map(|id| User {
            id: id.into(),
            name: user_name.as_deref().map(Into::into),
        }),
        issued_at: issue_time_ms.map(Timestamp::from_ms),
        proof: Proof::Shown(hex::digest(digest)?),
        expires_at: expire_time_ms.map(Timestamp::from_ms),
    })
}

/// Decides who somebody is by what it shows: the first credential that is in the table counts. `held` is the device whose key it
/// holds. The order matters: nothing about a credential is told to whoever is locked out alone. One that is over its time, or another
/// device's, was no guess, and is no login either.
pub(crate) fn decide(
    credentials: &Credentials,
    throttle: &Throttle,
    limits: &Limits,
    login: Login,
    shown: &[Option<&Secret>],
    held: Option<&str>,
    now: Timestamp,
) -> Result<Arc<Identity>, Denied> {
    let locked = throttle.lockout(login, limits);
    if let Some(lockout) = locked.filter(|lockout| lockout.complete) {
        return Err(Denied::LockedOut(lockout));
    }
    let mut shown = shown.iter().flatten().peekable();
    if shown.peek().is_none() {
        return Err(Denied::Missing);
    }
    let Some(identity) = shown.find_map(|secret| credentials.find(secret)) else {
        throttle.failed(login, limits);
        return Err(locked.map_or(Denied::Unknown, Denied::LockedOut));
    };
    if identity.is_over(now) {
        return Err(Denied::Expired);
    }
    let is_its_own = match (&identity.device, held) {
        (Some(device), Some(held)) => **device == *held,
        (Some(_), None) => !identity.needs_key,
        (None, _) => true,
    };
    if !is_its_own {
        return Err(Denied::ForeignDevice);
    }
    throttle.succeeded(login, limits);
    Ok(Arc::clone(identity))
}

#[cfg(test)]
mod tests;
