//! A plugin in Rust: it adds a method, `counter.count`, that answers with a stream. Its server offers reflection, which in Rust keeps the
//! options of the contract, so the gateway needs nothing else of it. `gatehouse up` starts it and tells it where to listen.

use std::{env, error::Error};

use futures::{StreamExt, stream, stream::BoxStream};
use tokio::{
    net::{TcpListener, UnixListener},
    signal::unix::{SignalKind, signal},
};
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::{Request, Response, Status, transport::Server};

use crate::counter::{
    CountRequest, CountResponse,
    counter_server::{Counter, CounterServer},
};

/// The generated code.
mod counter {
    #![allow(
        clippy::allow_attributes,
        missing_docs,
        unreachable_pub,
        reason = "the generated code has its own style"
    )]
    tonic::include_proto!("counter.v1");
}

/// The contract with its options.
const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/counter.pb"));

/// What the plugin does.
struct Counting;

#[tonic::async_trait]
impl Counter for Counting {
    type CountStream = BoxStream<'static, Result<CountResponse, Status>>;

    async fn count(&self, request: Request<CountRequest>) -> Result<Response<Self::CountStream>, Status> {
        // The gateway has checked the bounds that the contract declares; whoever reaches the socket past it has not.
        let to = request.into_inner().to.clamp(1, 1_000);
        let numbers = stream::iter((1..=to).map(|number| Ok(CountResponse { number })));
        Ok(Response::new(numbers.boxed()))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .build_v1()?;
    let server = Server::builder()
        .add_service(reflection)
        .add_service(CounterServer::new(Counting));
    let mut end = signal(SignalKind::terminate())?;
    let ended = async move {
        end.recv().await;
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "a plugin has no other settings than its environment"
    )]
    let place = env::var("GATEHOUSE_PLUGIN_LISTEN")?;
    match place.strip_prefix("unix:") {
        Some(path) => {
            let incoming = UnixListenerStream::new(UnixListener::bind(path)?);
            server.serve_with_incoming_shutdown(incoming, ended).await?;
        }
        None => {
            let incoming = TcpListenerStream::new(TcpListener::bind(&place).await?);
            server.serve_with_incoming_shutdown(incoming, ended).await?;
        }
    }
    Ok(())
}
