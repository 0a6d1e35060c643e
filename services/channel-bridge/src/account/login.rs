//! How a person links an account with its platform: a code to scan, or one to type. Whoever has the code has the account, so it is a
//! secret, told to those alone who may look after the gateway.

mod picture;

use gatehouse_core::{Secret, Timestamp};

/// What an account waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    /// The text that is scanned. Unset: nothing is.
    pub(crate) qr: Option<Secret>,
    /// What is typed in its place. Unset: nothing is.
    pub(crate) pair_code: Option<Secret>,
    /// Where in the platform's application. Empty: the plugin does not say.
    pub(crate) how: String,
    /// When the platform no longer takes it.
    pub(crate) expires_at: Option<Timestamp>,
}

impl Login {
    /// The code to scan as `data:image/png;base64,...`. Unset: there is none, or it is too long for a picture.
    pub(crate) fn picture(&self) -> Option<String> {
        picture::data_url(self.qr.as_ref()?.expose())
    }
}
