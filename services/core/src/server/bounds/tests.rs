//! Methods of all four kinds over real connections, with bodies that are cut as the network may cut them.

mod streams;

use std::{convert::Infallible, time::Duration};

use bytes::BufMut;
use futures::{Stream, StreamExt, future::BoxFuture, stream};
use gatehouse_contract::{Identity, Map};
use http_body::Frame;
use http_body_util::StreamBody;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use tokio::{net::UnixStream, sync::mpsc, time::timeout};
use tonic::{Code, Streaming, server::NamedService, service::Routes};

use super::*;
use crate::{
    address::{Address, Listener},
    credential::Directory,
    raw::RawBytes,
    secret::Secret,
    server::{MESSAGE_BYTES_MAX, meters::Meters, places::PlacesLayer, serve},
};

/// Methods that take one message, and methods that take many.
const ONE: [&str; 2] = ["One", "Several"];
const MANY: [&str; 2] = ["Gather", "Talk"];

/// A service of all four kinds. It takes the end of a stream for its end, whatever the reason: nobody may count on a service
/// to hand a refusal on.
#[derive(Clone, Debug)]
struct Fake;

impl NamedService for Fake {
    const NAME: &'static str = "t.v1.Everything";
}

type Answers = stream::BoxStream<'static, Result<Bytes, Status>>;

impl tonic::server::UnaryService<Bytes> for Fake {
    type Response = Bytes;
    type Future = std::future::Ready<Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        std::future::ready(Ok(tonic::Response::new(request.into_inner())))
    }
}

impl tonic::server::ServerStreamingService<Bytes> for Fake {
    type Response = Bytes;
    type ResponseStream = Answers;
    type Future = std::future::Ready<Result<tonic::Response<Answers>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let note = request.into_inner();
        let answers = stream::iter([Ok(note.clone()), Ok(note)]);
        std::future::ready(Ok(tonic::Response::new(answers.boxed())))
    }
}

impl tonic::server::ClientStreamingService<Bytes> for Fake {
    type Response = Bytes;
    type Future = BoxFuture<'static, Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        let mut notes = request.into_inner();
        Box::pin(async move {
            let mut all = Vec::new();
            while let Ok(Some(note)) = notes.message().await {
                all.push(note);
            }
            Ok(tonic::Response::new(note(&all.len().to_string())))
        })
    }
}

impl tonic::server::StreamingService<Bytes> for Fake {
    type Response = Bytes;
    type ResponseStream = Answers;
    type Future = std::future::Ready<Result<tonic::Response<Answers>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        let notes = request.into_inner();
        let echo = stream::unfold(notes, async |mut notes| {
            let note = notes.message().await.ok().flatten()?;
            Some((Ok(note), notes))
        });
        std::future::ready(Ok(tonic::Response::new(echo.boxed())))
    }
}

impl Service<Request<Body>> for Fake {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            let grpc = || tonic::server::Grpc::new(RawBytes).max_decoding_message_size(MESSAGE_BYTES_MAX);
            Ok(match path.rsplit('/').next().unwrap_or_default() {
                "One" => grpc().unary(Self, request).await,
                "Several" => grpc().server_streaming(Self, request).await,
                "Gather" => grpc().client_streaming(Self, request).await,
                _ => grpc().streaming(Self, request).await,
            })
        })
    }
}

struct Running {
    _folder: tempfile::TempDir,
    path: std::path::PathBuf,
}

/// A server with every layer, which offers the test's contract.
async fn running() -> Running {
    let descriptors = gatehouse_test_contract::descriptors(gatehouse_test_contract::EVERYTHING);
    let map = Arc::new(Map::from_descriptors(&descriptors).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.sock");
    let listener = Listener::bind(&Address::Unix(path.clone())).await.unwrap();
    let secret = Secret::new("agent");
    let callers = Directory::of([(Identity::Agent, &secret)]);
    tokio::spawn(async move {
        let routes = Routes::new(Fake);
        let places = PlacesLayer::new(Meters::default());
        serve(listener, (callers, places), &map, routes, std::future::pending())
            .await
            .unwrap();
    });
    Running {
        _folder: folder,
        path,
    }
}

/// The message of the test's contract.
#[derive(Clone, PartialEq, prost::Message)]
struct Note {
    #[prost(string, tag = "1")]
    text: String,
}

fn note(text: &str) -> Bytes {
    Note { text: text.into() }.encode_to_vec().into()
}

/// A message with its prefix.
fn framed(flag: u8, message: &[u8]) -> Bytes {
    let mut frame = vec![flag];
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.extend(message);
    frame.into()
}

fn said(text: &str) -> Bytes {
    framed(0, &note(text))
}

/// What came back: the texts, and how it ended.
#[derive(Debug)]
struct Answered {
    texts: Vec<String>,
    status: Status,
}

impl Running {
    /// Calls a method with a body that is sent in exactly these data frames.
    async fn send(&self, method: &str, frames: impl Stream<Item = Bytes> + Send + 'static) -> Answered {
        let call = async { self.exchange(method, frames, None).await };
        timeout(Duration::from_secs(20), call)
            .await
            .expect("an answer in time")
    }

    async fn exchange(
        &self,
        method: &str,
        frames: impl Stream<Item = Bytes> + Send + 'static,
        encoding: Option<&str>,
    ) -> Answered {
        let socket = UnixStream::connect(&self.path).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
                .await
                .unwrap();
        tokio::spawn(connection);
        let body = StreamBody::new(
            frames
                .map(|frame| Ok::<_, Infallible>(Frame::data(frame)))
                .boxed(),
        );
        let mut request = Request::post(format!("http://localhost/t.v1.Everything/{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("authorization", "Bearer agent");
        if let Some(encoding) = encoding {
            request = request.header("grpc-encoding", encoding);
        }
        let (head, mut body) = sender
            .send_request(request.body(body).unwrap())
            .await
            .unwrap()
            .into_parts();
        let mut status = Status::from_header_map(&head.headers);
        let (mut texts, mut received) = (Vec::new(), Messages::default());
        while let Some(Ok(frame)) = body.frame().await {
            match frame.into_data() {
                Ok(data) => received.feed(data),
                Err(trailers) => status = Status::from_header_map(trailers.trailers_ref().unwrap()),
            }
            while let Some(message) = received.next().unwrap() {
                texts.push(
                    Note::decode(message.slice(messages::PREFIX_BYTES..))
                        .unwrap()
                        .text,
                );
            }
        }
        Answered {
            texts,
            status: status.expect("a status at the end"),
        }
    }
}

fn at_once(frames: impl IntoIterator<Item = Bytes>) -> impl Stream<Item = Bytes> + Send + 'static {
    stream::iter(frames.into_iter().collect::<Vec<_>>())
}
