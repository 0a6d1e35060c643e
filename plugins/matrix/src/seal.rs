//! Why no plain text goes into an encrypted room. What is sent passes here, and nothing passes unless it is known that the room is encrypted, or
//! the server has just said that it is not.
//!
//! The client encrypts what goes into a room of which it knows that it is encrypted. That may be a moment too late: somebody has switched the
//! encryption on and the account has not read so far. So a room that seems to be plain is asked about, each time, and one that once was
//! encrypted stays so, whatever the server says later.

use matrix_sdk::{
    Room,
    ruma::{api::client::state::get_state_event_for_key, api::error::ErrorKind, events::StateEventType},
};

use crate::{account::Account, outcome::Trouble};

/// How something goes into a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// Encrypted.
    Encrypted,
    /// As it is: the room has no encryption.
    Plain,
}

/// How something may go into this room.
pub(crate) async fn seal(account: &Account, room: &Room) -> Result<Seal, Trouble> {
    let is_encrypted = room.latest_encryption_state().await?.is_encrypted();
    if is_encrypted {
        account.has_been_encrypted(room.room_id());
        return if account.settings.encryption {
            Ok(Seal::Encrypted)
        } else {
            Err(Trouble::Never(
                "the room is encrypted, and `encryption` is off for this account: nothing is said there in plain text".into(),
            ))
        };
    }
    if account.was_encrypted(room.room_id()) {
        return Err(Trouble::Never(
            "the room was encrypted and its encryption is gone: nothing is said there in plain text".into(),
        ));
    }
    let request = get_state_event_for_key::v3::Request::new(
        room.room_id().to_owned(),
        StateEventType::RoomEncryption,
        String::new(),
    );
    match room.client().send(request).await {
        Ok(_) => Err(Trouble::Later(
            "the room has been encrypted a moment ago, and the account does not know its keys yet".into(),
        )),
        Err(error) if matches!(error.client_api_error_kind(), Some(ErrorKind::NotFound)) => Ok(Seal::Plain),
        Err(error) => Err(error.into()),
    }
}
