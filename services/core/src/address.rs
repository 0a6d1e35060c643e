//! Where a service listens and where its peers are: a Unix socket on one machine, TCP between containers.

use std::{
    fmt, fs, io,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    str::FromStr,
};

use http::uri::Authority;
use tokio::net::{TcpListener, UnixListener, UnixStream};

use crate::private;

/// The kernel's bound on the path of a Unix socket, without the closing zero (`sockaddr_un`, Linux unix(7)).
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Where a service is.
///
/// ```
/// use gatehouse_core::Address;
///
/// let address: Address = "tcp:session:7000".parse()?;
/// assert_eq!(address, Address::Tcp("session:7000".into()));
/// assert_eq!("unix:/run/a.sock".parse::<Address>()?.to_string(), "unix:/run/a.sock");
/// assert!("tcp:me:word@session:7000".parse::<Address>().is_err(), "no passwords in addresses");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// A host and a port.
    Tcp(String),
}

/// Why a text is no address.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not an address: write `unix:/path/to.sock` or `tcp:host:port`")]
pub struct AddressError(String);

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() {
                Err(AddressError(text.into()))
            } else {
                Ok(Self::Unix(path.into()))
            };
        }
        let host = text.strip_prefix("tcp:").unwrap_or(text);
        // What is an authority here is one for the client too, which makes a URI of it.
        let plain = |authority: &Authority| {
            !authority.host().is_empty()
                && authority.port_u16().is_some()
                && !authority.as_str().contains('@')
        };
        match host.parse::<Authority>() {
            Ok(authority) if plain(&authority) => Ok(Self::Tcp(host.into())),
            Ok(_) | Err(_) => Err(AddressError(text.into())),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
            Self::Tcp(host) => write!(out, "tcp:{host}"),
        }
    }
}

/// A bound socket that accepts for a gRPC server.
#[derive(Debug)]
pub enum Listener {
    /// On a Unix socket, readable by this user only.
    Unix(UnixListener, PathBuf),
    /// On TCP.
    Tcp(TcpListener),
}

impl Listener {
    /// Binds. A socket file that a dead process left behind is removed; one that somebody answers is not.
    ///
    /// # Errors
    /// When the address is taken, not permitted, or a path too long for the kernel.
    pub async fn bind(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp(host) => Ok(Self::Tcp(TcpListener::bind(host.as_str()).await?)),
            Address::Unix(path) => bind_unix(path).await,
        }
    }

    /// Where it listens, with the port that was given when it asked for any.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn address(&self) -> io::Result<Address> {
        match self {
            Self::Unix(_, path) => Ok(Address::Unix(path.clone())),
            Self::Tcp(listener) => Ok(Address::Tcp(listener.local_addr()?.to_string())),
        }
    }
}

async fn bind_unix(path: &Path) -> io::Result<Listener> {
    if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        let hint = format!(
            "{} is longer than {SOCKET_PATH_BYTES_MAX} bytes: set GATEHOUSE_RUN_DIR to a shorter folder",
            path.display()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, hint));
    }
    make_private_folder(path)?;
    if let Ok(found) = fs::symlink_metadata(path) {
        if !found.file_type().is_socket() {
            let hint = format!("{} is there already, and is not a socket", path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, hint));
        }
        // Only a refusal proves that nobody listens. A busy server, whose queue of connections is full, answers otherwise.
        let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
        if !UnixStream::connect(path).await.is_err_and(refused) {
            let hint = format!("another process listens at {}", path.display());
            return Err(io::Error::new(io::ErrorKind::AddrInUse, hint));
        }
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(Listener::Unix(listener, path.to_owned()))
}

/// Makes the folder of a file for this user only. One that was there keeps its mode: it may be `/tmp`.
pub(crate) fn make_private_folder(file: &Path) -> io::Result<()> {
    private::create_folder_of(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_alike() {
        for text in [
            "unix:/run/a.sock",
            "tcp:session:7000",
            "tcp:127.0.0.1:0",
            "tcp:[::1]:9",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for wrong in [
            "",
            "unix:",
            "session",
            "tcp::7000",
            "host:port",
            "a b:1",
            "a/b:1",
            "me@host:1",
        ] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_dead_socket_is_replaced_and_a_living_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let address = Address::Unix(folder.path().join("a.sock"));

        let first = Listener::bind(&address).await.unwrap();
        assert_eq!(
            Listener::bind(&address).await.unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
        drop(first);

        Listener::bind(&address).await.unwrap();
    }

    #[tokio::test]
    async fn a_file_is_not_taken_for_a_dead_socket_and_a_folder_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let path = folder.path().join("note");
        fs::write(&path, "kept").unwrap();

        let refused = Listener::bind(&Address::Unix(path.clone())).await.unwrap_err();

        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "kept");
        assert_eq!(
            fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777,
            0o755
        );
    }
}
