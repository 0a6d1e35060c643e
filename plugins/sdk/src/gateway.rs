//! Where the gateway reaches the plugin, and who it is.

use std::{fs, io, path::PathBuf, time::Duration};

use tokio::{
    net::{TcpListener, UnixListener},
    sync::watch,
    time,
};
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::{
    service::{InterceptorLayer, Routes},
    transport,
};

use crate::{Secret, guard::Guard};

/// How long calls under way have at the end. The streams of the gateway end with it, and it may be that it does not end them; `up` kills after
/// five seconds.
const LAST: Duration = Duration::from_secs(4);

/// What a plugin is told of its gateway: by `gatehouse up` in its environment, or by whoever starts it. For `#[command(flatten)]`.
#[derive(Clone, Debug, clap::Args)]
pub struct Gateway {
    /// Where the gateway reaches the plugin: `unix:/path` or `host:port`.
    #[arg(long, value_name = "ADDRESS", env = "GATEHOUSE_PLUGIN_LISTEN")]
    plugin_listen: String,
    /// The file with the plugin's own credential.
    #[arg(long, value_name = "FILE", env = "GATEHOUSE_TOKEN_FILE")]
    token_file: PathBuf,
}

/// Why the gateway cannot be served: what it is about, and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("{about}: {error}")]
pub struct GatewayError {
    about: String,
    error: io::Error,
}

impl Gateway {
    /// Reads the credential and binds the address.
    ///
    /// # Errors
    /// When one of the two cannot be.
    pub async fn open(&self) -> Result<Server, GatewayError> {
        let token = self.token().map_err(|error| GatewayError {
            about: self.token_file.display().to_string(),
            error,
        })?;
        let place = Place::bind(&self.plugin_listen)
            .await
            .map_err(|error| GatewayError {
                about: self.plugin_listen.clone(),
                error,
            })?;
        Ok(Server::new(place, token))
    }

    /// The credential. One that is empty everybody could show.
    fn token(&self) -> io::Result<Secret> {
        let text = match fs::read_to_string(&self.token_file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read?,
        };
        match text.trim() {
            "" => Err(io::Error::new(
                io::ErrorKind::NotFound,
                "there is no credential yet: the gateway makes it once its document has an entry for this plugin under plugins.entries",
            )),
            token => Ok(Secret::new(token)),
        }
    }
}

/// Where the gateway reaches the plugin.
#[derive(Debug)]
pub enum Place {
    /// Over TCP.
    Tcp(TcpListener),
    /// By a file.
    Unix(UnixListener),
}

impl Place {
    /// Binds it, as `GATEHOUSE_PLUGIN_LISTEN` says: `unix:/path`, or `host:port`.
    ///
    /// # Errors
    /// When it cannot be.
    pub async fn bind(text: &str) -> io::Result<Self> {
        match text.strip_prefix("unix:") {
            Some(path) => {
                let path = PathBuf::from(path);
                // What an earlier process left behind answers nobody.
                if let Err(error) = fs::remove_file(&path)
                    && error.kind() != io::ErrorKind::NotFound
                {
                    return Err(error);
                }
                UnixListener::bind(path).map(Self::Unix)
            }
            None => {
                let address = text.strip_prefix("http://").unwrap_or(text);
                TcpListener::bind(address).await.map(Self::Tcp)
            }
        }
    }
}

/// The gRPC server of a plugin: it serves the gateway and nobody else.
#[derive(Debug)]
pub struct Server {
    place: Place,
    guard: Guard,
}

impl Server {
    /// One that listens there, for the gateway that knows this token.
    #[must_use]
    pub fn new(place: Place, token: Secret) -> Self {
        Self {
            place,
            guard: Guard::new(&token),
        }
    }

    /// Serves these services until the end is asked for; then what is under way has some seconds.
    ///
    /// # Errors
    /// When the address cannot be served any more.
    pub async fn serve(
        self,
        services: Routes,
        end: impl Future<Output = ()>,
    ) -> Result<(), transport::Error> {
        let server = transport::Server::builder()
            .layer(InterceptorLayer::new(self.guard))
            .add_routes(services);
        let (stop, mut stopped) = watch::channel(false);
        let ended = async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        let serving = async {
            match self.place {
                Place::Tcp(listener) => {
                    let incoming = TcpListenerStream::new(listener);
                    server.serve_with_incoming_shutdown(incoming, ended).await
                }
                Place::Unix(listener) => {
                    let incoming = UnixListenerStream::new(listener);
                    server.serve_with_incoming_shutdown(incoming, ended).await
                }
            }
        };
        let stopping = async {
            end.await;
            let _ = stop.send(true);
            time::sleep(LAST).await;
        };
        tokio::select! {
            served = serving => served,
            () = stopping => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Gateway, Place};

    #[tokio::test]
    async fn a_plugin_without_a_credential_serves_nobody_and_says_who_makes_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let token_file = folder.path().join("secret");
        let gateway = Gateway {
            plugin_listen: "127.0.0.1:0".to_owned(),
            token_file: token_file.clone(),
        };

        let missing = gateway.open().await.expect_err("nobody made it").to_string();
        std::fs::write(&token_file, "\n").expect("written");
        let empty = gateway
            .open()
            .await
            .expect_err("everybody could show it")
            .to_string();
        std::fs::write(&token_file, "token\n").expect("written");

        for problem in [missing, empty] {
            let (path, hint) = (token_file.display().to_string(), "plugins.entries");
            assert!(problem.starts_with(&path) && problem.contains(hint), "{problem}");
        }
        gateway.open().await.expect("it has a credential");
    }

    #[tokio::test]
    async fn a_socket_that_an_earlier_process_left_behind_is_taken_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let address = format!("unix:{}", folder.path().join("plugin.sock").display());

        drop(Place::bind(&address).await.expect("bound"));
        let again = Place::bind(&address).await;

        assert!(matches!(again, Ok(Place::Unix(_))), "{again:?}");
    }

    #[tokio::test]
    async fn an_address_may_be_written_as_the_documents_entry_has_it() {
        for address in ["127.0.0.1:0", "http://127.0.0.1:0"] {
            let bound = Place::bind(address).await;
            assert!(matches!(bound, Ok(Place::Tcp(_))), "{address}: {bound:?}");
        }
    }
}
