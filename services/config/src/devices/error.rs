//! Why a request about devices fails.

use gatehouse_core::{Failure, Kind, sqlite, store};

/// Why nothing was changed, or nothing can be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeviceError {
    /// No such request waits. OpenClaw's command line looks for the words at the beginning.
    #[error(
        "unknown requestId: no pairing request {0} waits: it was decided, or it is over; device.pair.list shows those that wait"
    )]
    NoSuchRequest(String),
    /// No such device, or not in this role.
    #[error("no paired device {0}; device.pair.list shows the devices and their roles")]
    NoSuchDevice(String),
    /// No such setup code.
    #[error("no setup code {0}: codes are forgotten a day after their end")]
    NoSuchCode(String),
    /// Whom a proxy names has no token that a device could live by.
    #[error(
        "a device lives by the token that it was paired with, and you came by a proxy's word: make the code with the gateway token, or with a \
         token of `gatehouse users add`"
    )]
    NoToken,
    /// No such user.
    #[error("no user {0}; users.list shows them")]
    NoSuchUser(String),
    /// No such token of a user.
    #[error("no token {0} of a user; users.list shows the tokens to administrators")]
    NoSuchToken(String),
    /// Nobody adds or removes whose the gateway is.
    #[error(
        "gateway-owner is whoever holds the gateway token, and no named user: `gatehouse token rotate` makes the token that is out \
         there useless"
    )]
    OwnerStays,
    /// The name is taken.
    #[error("there is a user of this id; users.token.create makes another token for them")]
    UserExists,
    /// The name is that of somebody who was removed.
    #[error(
        "there was a user of this id, who was removed and whose sessions are still here: take another id, or say `again: true` \
         (`gatehouse users add --again`) to add the same person again"
    )]
    UserWasRemoved,
    /// The owner has no name of their own.
    #[error("the gateway token is nobody's by name: use the token of a named user")]
    OwnerHasNoName,
    /// More would be given away than the caller has.
    #[error("missing scope: {0}: nobody grants more than they hold; ask somebody who has this scope")]
    NotHeld(&'static str),
    /// Who leaves has to be there.
    #[error("this connection has shown no device that could be forgotten")]
    NoDevice,
    /// A device tried to decide about another one.
    #[error("a device manages itself alone; managing others needs operator.admin")]
    NotYours,
    /// The name is another user's.
    #[error("somebody else's name is changed with operator.admin alone")]
    NotYourName,
    /// A token would be good for more than was approved.
    #[error("{0} is not approved for this device; let it ask for the scope in a handshake and approve that")]
    NotApproved(&'static str),
    /// A word that is none.
    #[error("{0}")]
    Invalid(&'static str),
    /// Too many wait.
    #[error(
        "too many devices wait for approval: approve or reject some with device.pair.approve and device.pair.reject"
    )]
    TooManyRequests,
    /// Too many are paired.
    #[error("too many devices are paired: remove some with device.pair.remove")]
    TooManyDevices,
    /// Too many users, or too many tokens of one.
    #[error(
        "too many users, or too many tokens of this user: remove some with users.remove or users.token.revoke"
    )]
    TooManyUsers,
    /// The disk or the file failed.
    #[error("the devices cannot be read or kept")]
    Store(#[from] store::Error),
}

impl From<sqlite::Error> for DeviceError {
    fn from(error: sqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<rusqlite::Error> for DeviceError {
    fn from(error: rusqlite::Error) -> Self {
        sqlite::Error::from(error).into()
    }
}

impl DeviceError {
    fn kind(&self) -> Kind {
        match self {
            Self::NoSuchRequest(_)
            | Self::NoSuchDevice(_)
            | Self::NoSuchCode(_)
            | Self::NoSuchUser(_)
            | Self::NoSuchToken(_) => Kind::NotFound,
            Self::NotHeld(_) | Self::NotYours | Self::NotYourName => Kind::Forbidden,
            Self::NotApproved(_)
            | Self::NoToken
            | Self::NoDevice
            | Self::UserExists
            | Self::UserWasRemoved
            | Self::OwnerHasNoName
            | Self::OwnerStays => Kind::Precondition,
            Self::Invalid(_) => Kind::Invalid,
            Self::TooManyRequests | Self::TooManyDevices | Self::TooManyUsers => Kind::Exhausted,
            Self::Store(error) => error.kind(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::NoSuchRequest(_) => "NO_SUCH_REQUEST",
            Self::NoSuchDevice(_) => "NO_SUCH_DEVICE",
            Self::NoSuchCode(_) => "NO_SUCH_CODE",
            Self::NoSuchUser(_) => "NO_SUCH_USER",
            Self::NoSuchToken(_) => "NO_SUCH_TOKEN",
            Self::NoToken => "NO_TOKEN_TO_LIVE_BY",
            Self::UserExists => "USER_EXISTS",
            Self::UserWasRemoved => "USER_WAS_REMOVED",
            Self::OwnerHasNoName => "OWNER_HAS_NO_NAME",
            Self::OwnerStays => "OWNER_STAYS",
            Self::TooManyUsers => "TOO_MANY_USERS",
            Self::NotHeld(_) => "SCOPES_NOT_HELD",
            Self::NotYours => "NOT_YOUR_DEVICE",
            Self::NotYourName => "NOT_YOUR_NAME",
            Self::NoDevice => "NO_DEVICE",
            Self::NotApproved(_) => "SCOPES_NOT_APPROVED",
            Self::Invalid(_) => "DEVICE_INVALID",
            Self::TooManyRequests => "TOO_MANY_REQUESTS",
            Self::TooManyDevices => "TOO_MANY_DEVICES",
            Self::Store(error) => error.trouble().map_or("INTERNAL", store::Trouble::reason),
        }
    }
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        match &error {
            DeviceError::Store(store) => match store.trouble() {
                Some(trouble) => Self::new(store.kind(), trouble.to_string()).reason(trouble.reason()),
                None => Self::internal(&error),
            },
            _ => Self::new(error.kind(), error.to_string()).reason(error.reason()),
        }
    }
}
