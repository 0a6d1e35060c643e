//! Methods of all four kinds over real connections, with bodies that are cut as the network may cut them.

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
    server::{MESSAGE_BYTES_MAX, serve},
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
        serve(listener, callers, &map, routes, std::future::pending())
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

#[tokio::test]
async fn methods_of_all_four_kinds_are_served() {
    let server = running().await;
    let ask = async |method, notes: &[&str]| {
        let answer = server
            .send(method, at_once(notes.iter().map(|text| said(text))))
            .await;
        assert_eq!(answer.status.code(), Code::Ok, "{method}: {answer:?}");
        answer.texts
    };

    assert_eq!(ask("One", &["a"]).await, ["a"]);
    assert_eq!(ask("Several", &["a"]).await, ["a", "a"]);
    assert_eq!(ask("Gather", &["a", "b", "c"]).await, ["3"]);
    assert_eq!(ask("Gather", &[]).await, ["0"]);
    assert_eq!(ask("Talk", &["a", "b", "c"]).await, ["a", "b", "c"]);
    assert_eq!(ask("Talk", &[]).await, [""; 0]);
}

#[tokio::test]
async fn a_message_is_the_same_however_the_network_cuts_it() {
    let server = running().await;
    let long = "x".repeat(200_000);
    for method in ONE.into_iter().chain(MANY) {
        for text in ["a", &long] {
            for size in [1, 3, 5, 16_384] {
                if text.len() > 1 && size < 16_384 {
                    continue;
                }
                let whole = said(text);
                let frames: Vec<_> = whole.chunks(size).map(Bytes::copy_from_slice).collect();
                let answer = server.send(method, at_once(frames)).await;
                assert_eq!(answer.status.code(), Code::Ok, "{method}: {:?}", answer.status);
                let expected = if method == "Gather" { "1" } else { text };
                assert!(
                    answer.texts.iter().all(|found| found == expected),
                    "{method} in {size}"
                );
            }
        }
    }
    let three = [said("a"), said("b"), said("c")].concat();
    for cut in 0..three.len() {
        let (first, second) = three.split_at(cut);
        let frames = [first, second].map(Bytes::copy_from_slice);
        let answer = server.send("Talk", at_once(frames)).await;
        assert_eq!(
            (answer.texts, answer.status.code()),
            (vec!["a".into(), "b".into(), "c".into()], Code::Ok)
        );
    }
}

#[tokio::test]
async fn a_bad_message_in_mid_stream_gets_the_refusal_that_it_gets_alone() {
    let server = running().await;
    let alone = server.send("One", at_once([said("")])).await.status;
    assert_eq!(
        (alone.code(), alone.message()),
        (Code::InvalidArgument, "at /text: must not be empty")
    );
    let path = Failure::from_status(&alone).path;
    assert_eq!(path.as_deref(), Some("/text"));

    for method in MANY {
        let answer = server
            .send(method, at_once([said("a"), said(""), said("b")]))
            .await;

        assert_eq!(
            (answer.status.code(), answer.status.message()),
            (alone.code(), alone.message()),
            "{method}"
        );
        assert_eq!(Failure::from_status(&answer.status).path, path, "{method}");
        assert!(
            !answer.texts.contains(&"b".to_owned()),
            "{method}: nothing after it is read"
        );
    }
}

#[tokio::test]
async fn an_answer_that_has_begun_is_cut_off_with_the_refusal() {
    let server = running().await;
    let (notes, queue) = mpsc::channel(4);
    notes.send(said("a")).await.unwrap();
    let frames = stream::unfold(queue, async |mut queue| Some((queue.recv().await?, queue)));
    let call = server.send("Talk", frames);
    // The second note is bad, and the stream of the caller stays open: nothing but the refusal ends the call.
    let later = async {
        tokio::task::yield_now().await;
        notes.send(said("")).await.unwrap();
    };

    let (answer, ()) = tokio::join!(call, later);

    assert_eq!(answer.status.message(), "at /text: must not be empty");
    drop(notes);
}

#[tokio::test]
async fn what_is_no_message_is_refused_by_name_in_every_kind() {
    let server = running().await;
    let too_large = {
        let mut prefix = vec![0];
        prefix.put_u32(u32::try_from(MESSAGE_BYTES_MAX).unwrap() + 1);
        Bytes::from(prefix)
    };
    let whole = said("a long enough text");
    let broken = framed(0, b"\xff");
    for method in ONE.into_iter().chain(MANY) {
        for (frames, code, words) in [
            (
                vec![too_large.clone()],
                Code::InvalidArgument,
                "is larger than 32 MiB",
            ),
            (
                vec![whole.slice(..9)],
                Code::InvalidArgument,
                "ends in the middle of a message",
            ),
            (
                vec![whole.slice(..3)],
                Code::InvalidArgument,
                "ends in the middle of a message",
            ),
            (vec![framed(2, b"a")], Code::InvalidArgument, "unknown flag"),
            (
                vec![framed(1, b"a")],
                Code::Unimplemented,
                "send them uncompressed",
            ),
            (vec![broken.clone()], Code::InvalidArgument, "malformed"),
        ] {
            let status = server.send(method, at_once(frames)).await.status;
            assert_eq!(status.code(), code, "{method}: {status}");
            assert!(status.message().contains(words), "{method}: {status}");
        }
    }
    for (frames, words) in [
        (vec![], "no message came"),
        (vec![said("a"), said("b")], "more than one message"),
    ] {
        for method in ONE {
            let status = server.send(method, at_once(frames.clone())).await.status;
            assert!(status.message().contains(words), "{method}: {status}");
        }
    }
}

#[tokio::test]
async fn a_compressed_call_is_refused_with_what_is_understood() {
    let server = running().await;
    for method in ONE.into_iter().chain(MANY) {
        let refused = server
            .exchange(method, at_once([said("a")]), Some("gzip"))
            .await
            .status;

        assert_eq!(refused.code(), Code::Unimplemented, "{method}");
        assert_eq!(
            refused.message(),
            "messages compressed with gzip are not understood: send them uncompressed (grpc-encoding: identity)"
        );
        assert_eq!(
            refused.metadata().get("grpc-accept-encoding").unwrap(),
            "identity"
        );
        let plain = server
            .exchange(method, at_once([said("a")]), Some("identity"))
            .await
            .status;
        assert_eq!(plain.code(), Code::Ok, "{method}");
    }
}

#[test]
fn a_message_within_one_data_frame_is_handed_on_without_a_copy() {
    let whole = Bytes::from([said("first"), said("second")].concat());
    let mut messages = Messages::default();
    messages.feed(whole.clone());

    let first = messages.next().unwrap().unwrap();
    let second = messages.next().unwrap().unwrap();

    assert_eq!(first.as_ptr(), whole.as_ptr());
    assert_eq!(second.as_ptr(), whole[first.len()..].as_ptr());
    assert!(messages.next().unwrap().is_none() && messages.end().is_ok());
}

#[test]
fn a_prefix_that_promises_much_takes_no_memory() {
    let mut messages = Messages::default();
    let mut prefix = vec![0];
    prefix.put_u32(u32::try_from(MESSAGE_BYTES_MAX).unwrap());
    messages.feed(prefix.into());

    assert!(messages.next().unwrap().is_none());

    assert!(messages.reserved() < 1_024, "{}", messages.reserved());
}
