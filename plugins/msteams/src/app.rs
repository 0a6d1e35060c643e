//! All the parts, put together.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use gatehouse_proto::{
    channel::v1::channel_adapter_server::ChannelAdapterServer,
    plugin::v1::manifest_service_server::ManifestServiceServer,
};
use tokio::{
    net::{TcpListener, UnixListener},
    sync::watch,
};
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::transport::Server;

use crate::{
    account::Accounts,
    channel::Channel,
    contract::ms_teams_service_server::MsTeamsServiceServer,
    guard::Guard,
    manifest::Manifest,
    methods::Methods,
    settings::{Machine, Services},
    store::Store,
    web,
};

/// The largest message of the bridge: the contract says 1.5 MiB, and some room.
const MESSAGE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// How long calls under way have at the end. The gateway's streams end with it, and it may be that it does not end them; `up` kills after five
/// seconds.
const LAST: Duration = Duration::from_secs(4);

/// What a process is told.
#[derive(Debug)]
pub struct Options {
    /// Where the gateway reaches it.
    pub gateway: Place,
    /// Where Teams reaches it.
    pub teams: TcpListener,
    /// The plugin's own token.
    pub token: crate::Secret,
    /// What the machine says about its identity.
    pub machine: Machine,
    /// What is remembered.
    pub store: Store,
    /// In the place of Microsoft's, for a stand-in.
    pub services: Option<Services>,
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
    pub async fn bind(text: &str) -> std::io::Result<Self> {
        match text.strip_prefix("unix:") {
            Some(path) => {
                let path = PathBuf::from(path);
                // What an earlier process left behind answers nobody.
                if let Err(error) = std::fs::remove_file(&path)
                    && error.kind() != std::io::ErrorKind::NotFound
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

/// Serves the gateway and Teams until the end is asked for.
///
/// # Errors
/// When one of the two addresses cannot be served any more.
pub async fn run(
    options: Options,
    end: impl Future<Output = ()>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let accounts = Accounts::default();
    let address = options.teams.local_addr()?;
    let loopback = address.ip().to_canonical().is_loopback();
    tracing::info!(path = %address, "Teams is listened to at /api/messages");
    let channel = Channel::new(
        accounts.clone(),
        options.store,
        options.machine,
        loopback,
        options.services,
    );
    let guard = Guard::new(options.token.expose());
    let channel = ChannelAdapterServer::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let services = Server::builder()
        .layer(tonic::service::InterceptorLayer::new(guard))
        .add_service(ManifestServiceServer::new(Manifest))
        .add_service(MsTeamsServiceServer::new(Methods::new(accounts.clone())))
        .add_service(channel);

    let (stop, stopped) = watch::channel(false);
    let ended = |mut stopped: watch::Receiver<bool>| async move {
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let gateway = async {
        match options.gateway {
            Place::Tcp(listener) => {
                let incoming = TcpListenerStream::new(listener);
                services
                    .serve_with_incoming_shutdown(incoming, ended(stopped.clone()))
                    .await
            }
            Place::Unix(listener) => {
                let incoming = UnixListenerStream::new(listener);
                services
                    .serve_with_incoming_shutdown(incoming, ended(stopped.clone()))
                    .await
            }
        }
    };
    let service = web::router(accounts).into_make_service_with_connect_info::<SocketAddr>();
    let teams = axum::serve(options.teams, service).with_graceful_shutdown(ended(stopped.clone()));
    let stopping = async {
        end.await;
        let _ = stop.send(true);
        tokio::time::sleep(LAST).await;
    };
    tokio::select! {
        served = async { tokio::try_join!(
            async { gateway.await.map_err(Box::<dyn std::error::Error + Send + Sync>::from) },
            async { teams.await.map_err(Box::<dyn std::error::Error + Send + Sync>::from) },
        ) } => served.map(drop),
        () = stopping => Ok(()),
    }
}
