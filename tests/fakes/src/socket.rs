//! A server of WebSockets, for platforms that are listened to over one.

use std::net::SocketAddr;

use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_tungstenite::{WebSocketStream, accept_async};

pub(crate) type Peer = WebSocketStream<TcpStream>;

/// Serves on a port of its own; each connection is handed over. Aborting the task ends them all.
pub(crate) async fn serve<F, Served>(handler: F) -> (SocketAddr, JoinHandle<()>)
where
    F: Fn(Peer) -> Served + Send + Sync + 'static,
    Served: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(async move {
        let mut open = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(peer) = accept_async(stream).await {
                open.spawn(handler(peer));
            }
        }
    });
    (address, server)
}
