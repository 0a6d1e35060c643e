use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt, future::BoxFuture, stream, stream::BoxStream};
use http::{Request, Response, uri::PathAndQuery};
use tokio::{net::UnixListener, time};
use tonic::{Status, body::Body, server::NamedService};

use super::Peer;
use crate::{Address, Secret, raw::RawBytes};

/// Messages of one answer: more than a connection would hold whose windows are left as they are.
const WORDS: usize = 60_000;

/// A service that says many words, each in a frame of its own, as a model does.
#[derive(Clone, Debug, Default)]
struct Talker {
    said: Arc<AtomicUsize>,
}

impl NamedService for Talker {
    const NAME: &'static str = "t.v1.Talker";
}

impl tonic::server::ServerStreamingService<Bytes> for Talker {
    type Response = Bytes;
    type ResponseStream = BoxStream<'static, Result<Bytes, Status>>;
    type Future = std::future::Ready<Result<tonic::Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, _: tonic::Request<Bytes>) -> Self::Future {
        let said = Arc::clone(&self.said);
        let words = stream::iter(0..WORDS).then(move |_| {
            said.fetch_add(1, Relaxed);
            async {
                tokio::task::yield_now().await; // what is ready at the same time shares a frame
                Ok(Bytes::from_static(b"word"))
            }
        });
        std::future::ready(Ok(tonic::Response::new(words.boxed())))
    }
}

impl tower::Service<Request<Body>> for Talker {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let talker = self.clone();
        Box::pin(async move {
            Ok(tonic::server::Grpc::new(RawBytes)
                .server_streaming(talker, request)
                .await)
        })
    }
}

#[tokio::test]
async fn a_reader_that_waits_breaks_no_connection() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s");
    let socket = UnixListener::bind(&path).expect("a socket");
    let incoming = stream::unfold(socket, async |socket| {
        let accepted = socket.accept().await.map(|(stream, _)| stream);
        Some((accepted, socket))
    });
    let talker = Talker::default();
    let server = tonic::transport::Server::builder().add_service(talker.clone());
    tokio::spawn(async move { server.serve_with_incoming(incoming).await });
    let (address, credential) = (Address::Unix(path), Secret::new("shown"));

    for peer in [
        Peer::lazy(&address, &credential),
        Peer::watched(&address, &credential).0,
    ] {
        talker.said.store(0, Relaxed);
        let mut client = tonic::client::Grpc::new(peer.service());
        client.ready().await.expect("a connection");
        let method = PathAndQuery::from_static("/t.v1.Talker/Talk");
        let request = tonic::Request::new(Bytes::new());
        let answer = client.server_streaming(request, method, RawBytes).await;
        let words = answer.expect("an answer").into_inner();

        // Nobody reads until the server may say no more.
        let waits = async {
            let mut said = 0;
            while said < WORDS / 10 || said != talker.said.load(Relaxed) {
                said = talker.said.load(Relaxed);
                time::sleep(Duration::from_millis(50)).await;
            }
        };
        time::timeout(Duration::from_secs(30), waits)
            .await
            .expect("it waits");

        let heard = words
            .filter(|word| std::future::ready(word.is_ok()))
            .count()
            .await;
        assert_eq!(heard, WORDS);
    }
}
