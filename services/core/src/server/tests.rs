use gatehouse_proto::session::v1::{
    ListSessionsRequest, ResolveSessionRequest, ResolveSessionResponse,
    session_service_client::SessionServiceClient,
};
use tonic::{Code, Request};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::*;
use crate::{address::Address, client::Peer, error::Failure};

/// A service that answers one method and panics on another; the rest of the contract is not its business.
#[derive(Clone, Debug)]
struct Fake;

impl NamedService for Fake {
    const NAME: &'static str = "gatehouse.session.v1.SessionService";
}

impl TowerService<Request_> for Fake {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = futures::future::BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request_) -> Self::Future {
        Box::pin(async move {
            assert!(!request.uri().path().ends_with("ListSessions"), "on purpose");
            let codec = tonic_prost::ProstCodec::<ResolveSessionResponse, ResolveSessionRequest>::default();
            Ok(tonic::server::Grpc::new(codec).unary(Echo, request).await)
        })
    }
}

type Request_ = http::Request<Body>;

struct Echo;

impl tonic::server::UnaryService<ResolveSessionRequest> for Echo {
    type Response = ResolveSessionResponse;
    type Future = std::future::Ready<Result<tonic::Response<ResolveSessionResponse>, tonic::Status>>;

    fn call(&mut self, request: Request<ResolveSessionRequest>) -> Self::Future {
        let key = request.into_inner().key;
        std::future::ready(Ok(tonic::Response::new(ResolveSessionResponse {
            ok: true,
            key,
            agent_id: "main".into(),
        })))
    }
}

struct Running {
    _folder: tempfile::TempDir,
    address: Address,
    credential: Secret,
    health: Health,
    drain: Drain,
}

async fn running() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let address = Address::Unix(folder.path().join("s.sock"));
    let (credential, health, drain) = (Secret::generate(), Health::new(), Drain::new());
    let listener = Listener::bind(&address).await.unwrap();
    let server = Server::new(listener, credential.clone(), health.clone()).add(Fake);
    let end = drain.clone();
    drain.spawn("server", async move { server.run(end).await.unwrap() });
    Running {
        _folder: folder,
        address,
        credential,
        health,
        drain,
    }
}

fn resolve(key: &str) -> ResolveSessionRequest {
    ResolveSessionRequest {
        key: key.into(),
        agent_id: None,
    }
}

#[tokio::test]
async fn the_credential_opens_and_nothing_else_does() {
    let house = running().await;
    let mut right = SessionServiceClient::new(Peer::lazy(&house.address, &house.credential).service());
    let wrong = Peer::lazy(&house.address, &Secret::new("guess"));
    let mut wrong_client = SessionServiceClient::new(wrong.service());
    let mut none = SessionServiceClient::new(wrong.channel());

    assert_eq!(
        right
            .resolve_session(resolve("main"))
            .await
            .unwrap()
            .into_inner()
            .key,
        "main"
    );
    assert_eq!(
        wrong_client
            .resolve_session(resolve("main"))
            .await
            .unwrap_err()
            .code(),
        Code::Unauthenticated
    );
    assert_eq!(
        none.resolve_session(resolve("main")).await.unwrap_err().code(),
        Code::Unauthenticated
    );
}

#[tokio::test]
async fn a_declared_bound_is_refused_with_its_path() {
    let house = running().await;
    let mut client = SessionServiceClient::new(Peer::lazy(&house.address, &house.credential).service());

    let refusal = Failure::from_status(&client.resolve_session(resolve("")).await.unwrap_err());

    assert_eq!(
        (refusal.kind, refusal.path.as_deref()),
        (crate::Kind::Invalid, Some("/key"))
    );
}

#[tokio::test]
async fn a_panic_is_one_callers_failure() {
    let house = running().await;
    let mut client = SessionServiceClient::new(Peer::lazy(&house.address, &house.credential).service());

    let failed = client
        .list_sessions(ListSessionsRequest::default())
        .await
        .unwrap_err();

    assert_eq!(
        (failed.code(), failed.message()),
        (Code::Internal, "internal failure")
    );
    client.resolve_session(resolve("main")).await.unwrap();
}

#[tokio::test]
async fn health_answers_anybody_and_follows_the_process() {
    let house = running().await;
    let mut anybody = HealthClient::new(Peer::lazy(&house.address, &Secret::new("none")).channel());
    let mut check = async || {
        anybody
            .check(HealthCheckRequest::default())
            .await
            .unwrap()
            .into_inner()
            .status()
    };
    assert_eq!(
        check().await,
        tonic_health::pb::health_check_response::ServingStatus::NotServing
    );

    house.health.serving();

    let followed = async {
        while check().await != tonic_health::pb::health_check_response::ServingStatus::Serving {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), followed)
        .await
        .expect("health follows");
}

#[tokio::test]
async fn a_drained_server_lets_go_of_its_socket() {
    let house = running().await;
    let mut client = SessionServiceClient::new(Peer::lazy(&house.address, &house.credential).service());
    client.resolve_session(resolve("main")).await.unwrap();

    assert!(house.drain.finish(Duration::from_secs(5)).await);

    assert_eq!(
        client.resolve_session(resolve("main")).await.unwrap_err().code(),
        Code::Unavailable
    );
}

#[tokio::test]
async fn a_caller_that_cannot_be_read_is_not_taken_for_the_house() {
    let house = running().await;
    let mut client = SessionServiceClient::new(Peer::lazy(&house.address, &house.credential).service());
    let mut request = Request::new(resolve("main"));
    request.metadata_mut().insert_bin(
        crate::caller::CALLER_KEY,
        tonic::metadata::BinaryMetadataValue::from_bytes(b"\xff\xff"),
    );

    assert_eq!(
        client.resolve_session(request).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn an_absent_peer_is_unavailable_and_may_be_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = Peer::lazy(&Address::Unix(folder.path().join("none.sock")), &Secret::new("x"));

    let failed = SessionServiceClient::new(nobody.service())
        .resolve_session(resolve("main"))
        .await
        .unwrap_err();

    let failure = Failure::from_status(&failed);
    assert_eq!(
        (failure.kind, failure.kind.retryable()),
        (crate::Kind::Unavailable, true)
    );
    assert!(!failure.message.contains("none.sock"));
}
