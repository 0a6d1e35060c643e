//! All the parts, put together.

use std::{net::SocketAddr, time::Duration};

use gatehouse_plugin_sdk::{Adapter, Manifest, Server};
use gatehouse_proto::plugin::v1::manifest_service_server::ManifestServiceServer;
use tokio::{net::TcpListener, sync::watch, time};
use tonic::service::Routes;

use crate::{
    account::Accounts,
    channel::Channel,
    contract::{DESCRIPTORS, ms_teams_service_server::MsTeamsServiceServer},
    methods::Methods,
    settings::{Machine, Services},
    store::Store,
    web,
};

/// What the plugin is.
const MANIFEST: Manifest = Manifest::new("Microsoft Teams", env!("CARGO_PKG_VERSION")).with(DESCRIPTORS);

/// How long what Teams still wants has at the end; the gateway's calls have as long.
const LAST: Duration = Duration::from_secs(4);

/// Why the plugin cannot go on.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What a process is told.
#[derive(Debug)]
pub struct Options {
    /// Where the gateway reaches it, and nobody else.
    pub gateway: Server,
    /// Where Teams reaches it.
    pub teams: TcpListener,
    /// What the machine says about its identity.
    pub machine: Machine,
    /// What is remembered.
    pub store: Store,
    /// In the place of Microsoft's, for a stand-in.
    pub services: Option<Services>,
}

/// Serves the gateway and Teams until the end is asked for.
///
/// # Errors
/// When one of the two addresses cannot be served any more.
pub async fn run(options: Options, end: impl Future<Output = ()>) -> Result<(), Failure> {
    let accounts = Accounts::default();
    let address = options.teams.local_addr()?;
    let loopback = address.ip().to_canonical().is_loopback();
    tracing::info!(path = %address, "Teams is listened to at /api/messages");
    let channel = Channel::new(options.store, options.machine, loopback, options.services);
    let services = Routes::new(ManifestServiceServer::new(MANIFEST))
        .add_service(MsTeamsServiceServer::new(Methods::new(accounts.clone())))
        .add_service(Adapter::new(channel, accounts.clone()).service());

    let stop = watch::Sender::new(false);
    let stopped = || {
        let mut stop = stop.subscribe();
        async move {
            let _ = stop.wait_for(|stop| *stop).await;
        }
    };
    let end = async {
        end.await;
        accounts.end();
        stop.send_replace(true);
    };
    let web = web::router(accounts.clone()).into_make_service_with_connect_info::<SocketAddr>();
    let teams = axum::serve(options.teams, web).with_graceful_shutdown(stopped());
    let serving = async {
        tokio::try_join!(
            async { options.gateway.serve(services, end).await.map_err(Failure::from) },
            async { teams.await.map_err(Failure::from) },
        )
    };
    let last = async {
        stopped().await;
        time::sleep(LAST).await;
    };
    tokio::select! {
        served = serving => served.map(drop),
        () = last => Ok(()),
    }
}
