//! A server of WebSockets, for platforms that are listened to over one.

use std::net::SocketAddr;

use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::handshake::server::{Request, Response},
};

pub(crate) type Peer = WebSocketStream<TcpStream>;

/// Serves on a port of its own; each connection is handed over with what was asked for. Aborting the task ends them all.
#[expect(
    clippy::result_large_err,
    reason = "the signature of the handshake's callback"
)]
pub(crate) async fn serve<F, Served>(handler: F) -> (SocketAddr, JoinHandle<()>)
where
    F: Fn(Peer, String) -> Served + Send + Sync + 'static,
    Served: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(async move {
        let mut open = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let mut asked = String::new();
            let upgraded = accept_hdr_async(stream, |request: &Request, response: Response| {
                asked = request.uri().to_string();
                Ok(response)
            })
            .await;
            if let Ok(peer) = upgraded {
                open.spawn(handler(peer, asked));
            }
        }
    });
    (address, server)
}
