//! Who a process is to the others. Each service, and the operator's gRPC tools, have a secret of their own; a service knows
//! the others by digests alone, so that a broken one can show nothing but its own.
//!
//! The config service makes the secrets at its first start ([`make_all`]); every other waits for its own ([`Credentials`]).
//! A service is not shown the caller's secret itself but a token that opens that one service ([`Credential::shown_to`]): what
//! one receives is worth nothing to another. A tool that cannot derive tokens shows the secret as it is in the file.

mod directory;
mod files;

use std::{fmt, io, path::Path, time::Duration};

use gatehouse_contract::Identity;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use tokio::time::{Instant, sleep};

pub use directory::Directory;
pub use files::{make_all, remove_shared};

use crate::{
    address::Address,
    client::Peer,
    hex,
    secret::Secret,
    settings::{Home, Peers, Service, ServiceSettings},
};

/// How long a service waits for the config service to make its secret: a first start of everything at once takes a second.
const MADE_WITHIN: Duration = Duration::from_secs(30);

/// How often it looks.
const LOOK: Duration = Duration::from_millis(50);

/// Keeps these tokens apart from anything else that may ever be derived from the same secret.
const PURPOSE: &str = "gatehouse-credential-v1";

/// The same for keys that are shown to nobody.
const OWN_PURPOSE: &str = "gatehouse-own-key-v1";

/// Why there is no credential.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The file cannot be read or written.
    #[error("the credential file {path} cannot be used")]
    File {
        /// Where it should be.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is empty: nothing may be opened by nothing.
    #[error("the credential file {0} is empty: remove it, the config service makes a new one when it starts")]
    Empty(String),
    /// Nobody has made the file.
    #[error(
        "the credential file {0} is not there: the config service makes it when it starts, in the same home; \
         GATEHOUSE_CREDENTIAL names another file"
    )]
    Missing(String),
    /// The file of digests holds something else.
    #[error(
        "the digests of the credentials, {path}, cannot be read at line {line}: remove the file, the config service makes a \
         new one when it starts"
    )]
    Digests {
        /// The file.
        path: String,
        /// Where in it.
        line: usize,
    },
}

/// What went wrong with a file.
fn file(path: &Path, source: io::Error) -> CredentialError {
    let path = path.display().to_string();
    if source.kind() == io::ErrorKind::NotFound {
        CredentialError::Missing(path)
    } else {
        CredentialError::File { path, source }
    }
}

/// A secret, and who is known by it.
#[derive(Clone)]
pub struct Credential {
    identity: Identity,
    secret: Secret,
}

impl fmt::Debug for Credential {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Credential").field(&self.identity).finish()
    }
}

impl Credential {
    /// A secret that was read elsewhere.
    #[must_use]
    pub fn new(identity: Identity, secret: Secret) -> Self {
        Self { identity, secret }
    }

    /// Reads one from its file: the one that `GATEHOUSE_CREDENTIAL` names, or its own in the home.
    ///
    /// # Errors
    /// When there is none.
    pub fn load(home: &Home, identity: Identity) -> Result<Self, CredentialError> {
        let own = home.credential.clone();
        let path = own.unwrap_or_else(|| files::secret_path(&home.credentials, identity));
        Ok(Self::new(identity, files::load(&path)?))
    }

    /// What a service is shown: a token that is worth nothing anywhere else.
    ///
    /// # Panics
    /// Never: every length is a key.
    #[must_use]
    pub fn shown_to(&self, service: Service) -> Secret {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.expose().as_bytes())
            .expect("HMAC takes keys of every length");
        mac.update(format!("{PURPOSE}\n{}\n{service}", self.identity).as_bytes());
        Secret::new(hex::encode(&mac.finalize().into_bytes()))
    }

    /// A key that only this process has, for one purpose: what is signed with it nobody else can sign.
    ///
    /// # Panics
    /// Never: every length is a key.
    #[must_use]
    pub fn key_for(&self, purpose: &str) -> Secret {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.expose().as_bytes())
            .expect("HMAC takes keys of every length");
        mac.update(format!("{OWN_PURPOSE}\n{}\n{purpose}", self.identity).as_bytes());
        Secret::new(hex::encode(&mac.finalize().into_bytes()))
    }

    /// A service at an address, called with this. Must be called inside a runtime.
    #[must_use]
    pub fn peer(&self, service: Service, address: &Address) -> Peer {
        Peer::lazy(address, &self.shown_to(service))
    }
}

/// What a service shows, and how it knows who shows it something.
#[derive(Clone, Debug)]
pub struct Credentials {
    own: Credential,
    peers: Peers,
    callers: Directory,
}

impl Credentials {
    /// Reads them, and waits a while for the config service to make them.
    ///
    /// # Errors
    /// When they cannot be read, or nobody makes them in time.
    pub async fn load(settings: &ServiceSettings) -> Result<Self, CredentialError> {
        let deadline = Instant::now() + MADE_WITHIN;
        let mut told = false;
        loop {
            match Self::read(settings) {
                Err(CredentialError::Missing(path)) if Instant::now() < deadline => {
                    if !told {
                        tracing::info!(path, "waiting for the config service to make the credentials");
                        told = true;
                    }
                    sleep(LOOK).await;
                }
                read => return read,
            }
        }
    }

    /// Makes and reads them.
    ///
    /// # Errors
    /// When they can be neither made nor read.
    pub fn make(settings: &ServiceSettings) -> Result<Self, CredentialError> {
        make_all(&settings.home)?;
        Self::read(settings)
    }

    fn read(settings: &ServiceSettings) -> Result<Self, CredentialError> {
        let home = &settings.home;
        Ok(Self {
            own: Credential::load(home, settings.service.identity())?,
            peers: settings.peers.clone(),
            callers: Directory::open(files::digests_path(&home.credentials), settings.service)?,
        })
    }

    /// Another service, called as this one. Must be called inside a runtime.
    #[must_use]
    pub fn peer(&self, service: Service) -> Peer {
        self.own.peer(service, self.peers.address(service))
    }

    /// A key that only this process has: [`Credential::key_for`].
    #[must_use]
    pub fn key_for(&self, purpose: &str) -> Secret {
        self.own.key_for(purpose)
    }

    /// Who may show this service something.
    #[must_use]
    pub fn callers(&self) -> Directory {
        self.callers.clone()
    }
}

#[cfg(test)]
mod tests;
