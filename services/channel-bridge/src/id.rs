//! The ids that platforms and services give things. Opaque: compared, kept and handed back, never taken apart here.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest id, of a message, chat or sender, in bytes. The contract declares the same bound.
pub(crate) const ID_BYTES_MAX: usize = 512;

/// A text that cannot be an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is empty or longer than {ID_BYTES_MAX} bytes")]
pub(crate) struct IdError;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub(crate) struct $name(String);

        impl $name {
            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                if text.is_empty() || text.len() > ID_BYTES_MAX {
                    return Err(IdError);
                }
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        #[cfg(test)]
        impl PartialEq<&str> for $name {
            fn eq(&self, text: &&str) -> bool {
                self.as_str() == *text
            }
        }

        #[cfg(test)]
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::try_from(text.to_owned()).expect("an id")
            }
        }
    )+};
}

id! {
    /// The platform's id of a message. With the account it is the key against doubles.
    MessageId,
    /// The platform's stable id of a chat; of a direct chat, of the other person.
    ChatId,
    /// What the platform vouches for as one sender. Approvals are bound to it.
    SenderId,
    /// Where a message goes, in the form that the platform's adapter takes.
    Address,
    /// The key against doubles of a delivery.
    DeliveryKey,
    /// The platform's id of a server or community.
    GuildId,
    /// The platform's id of a workspace.
    TeamId,
    /// The platform's id of a role.
    RoleId,
}

macro_rules! stored {
    ($($name:ident),+) => {$(
        impl $name {
            /// One that was an id before: of a row of our own, or made of others.
            pub(crate) fn stored(text: String) -> Self {
                Self(text)
            }
        }
    )+};
}

stored!(MessageId, SenderId, Address, DeliveryKey);

impl From<ChatId> for Address {
    fn from(ChatId(id): ChatId) -> Self {
        Self(id)
    }
}

#[cfg(test)]
mod tests {
    use super::{ID_BYTES_MAX, IdError, MessageId};

    #[test]
    fn an_id_is_neither_blank_nor_longer_than_its_bound_wherever_it_is_read() {
        let id = |text: &str| MessageId::try_from(text.to_owned());
        assert_eq!(id(""), Err(IdError));
        assert_eq!(id(&"x".repeat(ID_BYTES_MAX + 1)), Err(IdError));
        assert_eq!(
            id(&"x".repeat(ID_BYTES_MAX)).unwrap().as_str().len(),
            ID_BYTES_MAX
        );

        assert!(serde_json::from_str::<MessageId>("\"\"").is_err());
        assert_eq!(
            serde_json::from_str::<MessageId>("\"m1\"").unwrap(),
            MessageId::from("m1")
        );
    }
}
