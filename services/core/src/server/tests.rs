use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use gatehouse_proto::session::v1::{
    GetChatHistoryRequest, ListSessionsRequest, ResolveSessionRequest, ResolveSessionResponse,
    WaitAgentRequest, session_service_client::SessionServiceClient,
};
use tonic::{Code, Request};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use gatehouse_contract::Identity;

use super::*;
use crate::{address::Address, caller::Caller, client::Peer, error::Failure, secret::Secret};

/// A service that answers one method, panics on a second and waits for ever in a third; the rest of the contract is not its
/// business.
mod tools;

#[derive(Clone, Debug, Default)]
struct Fake {
    /// Calls that have come to it and wait.
    waiting: Arc<AtomicUsize>,
}

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
        let waiting = Arc::clone(&self.waiting);
        Box::pin(async move {
            assert!(!request.uri().path().ends_with("ListSessions"), "on purpose");
            let path = request.uri().path();
            if path.ends_with("WaitAgent") || path.ends_with("GetChatHistory") {
                waiting.fetch_add(1, Relaxed);
                std::future::pending::<()>().await;
            }
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
            ..ResolveSessionResponse::default()
        })))
    }
}

struct Running {
    _folder: tempfile::TempDir,
    address: Address,
    health: Health,
    drain: Drain,
    fake: Fake,
}

/// What a process shows in these tests.
fn secret(identity: Identity) -> Secret {
    Secret::new(format!("secret-of-{identity}"))
}

impl Running {
    fn calls_as(&self, identity: Identity) -> SessionServiceClient<crate::client::PeerService> {
        SessionServiceClient::new(Peer::lazy(&self.address, &secret(identity)).service())
    }
}

async fn running() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let address = Address::Unix(folder.path().join("s.sock"));
    let (health, drain) = (Health::new(), Drain::new());
    let secrets = Identity::ALL.map(|identity| (identity, secret(identity)));
    let callers = Directory::of(secrets.iter().map(|(identity, secret)| (*identity, secret)));
    let listener = Listener::bind(&address).await.unwrap();
    let fake = Fake::default();
    let server = Server::new(listener, callers, health.clone()).add(fake.clone());
    let end = drain.clone();
    drain.spawn("server", async move { server.run(end).await.unwrap() });
    Running {
        _folder: folder,
        address,
        health,
        drain,
        fake,
    }
}

fn resolve(key: &str) -> ResolveSessionRequest {
    ResolveSessionRequest {
        key: key.into(),
        ..ResolveSessionRequest::default()
    }
}

#[tokio::test]
async fn the_credential_opens_and_nothing_else_does() {
    let home = running().await;
    let mut right = home.calls_as(Identity::Operator);
    let wrong = Peer::lazy(&home.address, &Secret::new("guess"));
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
    let home = running().await;
    let mut client = home.calls_as(Identity::Operator);

    let refusal = Failure::from_status(
        &client
            .resolve_session(resolve(&"x".repeat(513)))
            .await
            .unwrap_err(),
    );

    assert_eq!(
        (refusal.kind, refusal.path.as_deref()),
        (crate::Kind::Invalid, Some("/key"))
    );
}

#[tokio::test]
async fn a_panic_is_one_callers_failure() {
    let home = running().await;
    let mut client = home.calls_as(Identity::Operator);

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
    let home = running().await;
    let mut anybody = HealthClient::new(Peer::lazy(&home.address, &Secret::new("none")).channel());
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

    home.health.serving();

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
    let home = running().await;
    let mut client = home.calls_as(Identity::Operator);
    client.resolve_session(resolve("main")).await.unwrap();

    assert!(home.drain.finish(Duration::from_secs(5)).await);

    assert_eq!(
        client.resolve_session(resolve("main")).await.unwrap_err().code(),
        Code::Unavailable
    );
}

fn with_caller<T>(message: T, caller: &Caller) -> Request<T> {
    let mut request = Request::new(message);
    caller.attach(request.metadata_mut());
    request
}

fn client(connection: &str) -> Caller {
    Caller {
        role: "operator".into(),
        scopes: vec!["operator.write".into()],
        connection_id: connection.into(),
        ..Caller::default()
    }
}

#[tokio::test]
async fn a_caller_that_cannot_be_read_is_not_taken_for_the_process() {
    let home = running().await;
    let mut client = home.calls_as(Identity::Edge);
    let unreadable = tonic::metadata::BinaryMetadataValue::from_bytes(b"\xff\xff");
    let mut request = Request::new(resolve("main"));
    request
        .metadata_mut()
        .insert_bin(crate::caller::CALLER_KEY, unreadable.clone());
    let mut twice = with_caller(resolve("main"), &self::client("c"));
    twice
        .metadata_mut()
        .append_bin(crate::caller::CALLER_KEY, unreadable);

    for request in [request, twice] {
        assert_eq!(
            client.resolve_session(request).await.unwrap_err().code(),
            Code::InvalidArgument
        );
    }
}

#[tokio::test]
async fn only_the_edge_speaks_for_clients_and_says_for_whom() {
    let home = running().await;
    let request = || with_caller(resolve("main"), &client("c"));

    home.calls_as(Identity::Edge)
        .resolve_session(request())
        .await
        .unwrap();
    for identity in Identity::ALL
        .into_iter()
        .filter(|identity| *identity != Identity::Edge)
    {
        let forged = home
            .calls_as(identity)
            .resolve_session(request())
            .await
            .unwrap_err();
        assert_eq!(forged.code(), Code::PermissionDenied, "{identity}");
    }
    let for_nobody = home
        .calls_as(Identity::Edge)
        .resolve_session(resolve("main"))
        .await
        .unwrap_err();
    assert_eq!(for_nobody.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_process_that_is_not_listed_is_refused_with_who_called_what() {
    let home = running().await;

    let refused = home
        .calls_as(Identity::Agent)
        .resolve_session(resolve("main"))
        .await
        .unwrap_err();

    let failure = Failure::from_status(&refused);
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(
        failure.message,
        "agent may not call /gatehouse.session.v1.SessionService/ResolveSession: its callers are edge, operator"
    );
    assert_eq!(failure.reason.as_deref(), Some("CALLER_NOT_ALLOWED"));
}

/// A wait that somebody parks; it goes on until it is dropped.
fn parked(home: &Running, caller: Option<&Caller>) -> tokio::task::JoinHandle<Code> {
    let wait = WaitAgentRequest {
        run_id: "r".into(),
        timeout_ms: None,
    };
    let (identity, request) = match caller {
        Some(caller) => (Identity::Edge, with_caller(wait, caller)),
        None => (Identity::Operator, Request::new(wait)),
    };
    let mut client = home.calls_as(identity);
    tokio::spawn(async move { client.wait_agent(request).await.unwrap_err().code() })
}

/// Waits until so many of them were refused.
async fn refused(waits: &[tokio::task::JoinHandle<Code>], count: usize) {
    let refused = async {
        while waits.iter().filter(|wait| wait.is_finished()).count() < count {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), refused)
        .await
        .expect("refused in time");
}

#[tokio::test]
async fn a_client_that_parks_two_thousand_waits_holds_up_neither_others_nor_its_own_short_calls() {
    let home = running().await;
    home.health.serving();
    let greedy: Vec<_> = (0..8).map(|n| client(&format!("greedy-{n}"))).collect();

    let waits: Vec<_> = (0..2_048)
        .map(|n| parked(&home, greedy.get(n % greedy.len())))
        .collect();

    // However many connections the credential has, a quarter of the places stays free.
    refused(&waits, 512).await;
    let mut edge = home.calls_as(Identity::Edge);
    for caller in [&greedy[0], &client("quiet")] {
        let short = with_caller(resolve("main"), caller);
        edge.resolve_session(short)
            .await
            .expect("a short call of a client");
    }
    let quiet = parked(&home, Some(&client("quiet")));
    home.calls_as(Identity::Operator)
        .resolve_session(resolve("main"))
        .await
        .expect("an operator's call");
    let mut health = HealthClient::new(Peer::lazy(&home.address, &Secret::new("none")).channel());
    health
        .check(HealthCheckRequest::default())
        .await
        .expect("a health check");
    assert!(!quiet.is_finished(), "another connection may wait too");
    for wait in waits.into_iter().filter(tokio::task::JoinHandle::is_finished) {
        assert_eq!(wait.await.unwrap(), Code::ResourceExhausted);
    }
}

#[tokio::test]
async fn a_wait_that_is_given_up_frees_its_place() {
    let home = running().await;
    let caller = client("c");
    let wait = WaitAgentRequest {
        run_id: "r".into(),
        timeout_ms: None,
    };
    let first: Vec<_> = (0..600).map(|_| parked(&home, Some(&caller))).collect();
    refused(&first, 600 - 512).await;
    let full = home
        .calls_as(Identity::Edge)
        .wait_agent(with_caller(wait, &caller))
        .await
        .unwrap_err();
    let failure = Failure::from_status(&full);
    assert_eq!(failure.reason.as_deref(), Some("CONNECTION_BUSY"), "{full}");
    assert!(
        failure.message.contains("512 long waits") && failure.kind.retryable(),
        "{failure:?}"
    );
    assert!(failure.retry_after.is_some());

    first.iter().for_each(tokio::task::JoinHandle::abort);

    let again = async {
        loop {
            let wait = parked(&home, Some(&caller));
            // A refusal comes back before the next call of the same connection is answered.
            let mut edge = home.calls_as(Identity::Edge);
            edge.resolve_session(with_caller(resolve("main"), &caller))
                .await
                .unwrap();
            if !wait.is_finished() {
                return;
            }
        }
    };
    timeout(Duration::from_secs(30), again)
        .await
        .expect("a place again");
}

#[tokio::test]
async fn who_asks_for_a_large_answer_waits_while_some_are_made_and_short_calls_do_not() {
    let home = running().await;
    let history = |n: usize| {
        let mut edge = home.calls_as(Identity::Edge);
        tokio::spawn(async move {
            let asked = GetChatHistoryRequest {
                session_key: "main".into(),
                ..GetChatHistoryRequest::default()
            };
            let request = with_caller(asked, &client(&format!("c{n}")));
            edge.get_chat_history(request).await.map(drop)
        })
    };
    let made: Vec<_> = (0..4).map(history).collect();
    let begun = async {
        while home.fake.waiting.load(Relaxed) < made.len() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), begun)
        .await
        .expect("four at once");
    let mut edge = home.calls_as(Identity::Edge);
    let mut list = tokio::spawn(async move {
        let request = with_caller(ListSessionsRequest::default(), &client("quiet"));
        edge.list_sessions(request).await.unwrap_err()
    });
    let mut quiet = home.calls_as(Identity::Edge);
    quiet
        .resolve_session(with_caller(resolve("main"), &client("quiet")))
        .await
        .expect("a short call beside it");
    assert!(!list.is_finished(), "it waits for its turn");

    made[0].abort();

    let panicked = timeout(Duration::from_secs(30), &mut list)
        .await
        .expect("its turn");
    assert_eq!(panicked.unwrap().code(), Code::Internal);
}

#[tokio::test]
async fn strangers_cannot_take_the_places_of_a_health_check() {
    let home = running().await;
    let anybody = || HealthClient::new(Peer::lazy(&home.address, &Secret::new("none")).channel());
    let mut watches = Vec::new();
    loop {
        match anybody().watch(HealthCheckRequest::default()).await {
            Ok(watch) => watches.push(watch),
            Err(full) => break assert_eq!(full.code(), Code::ResourceExhausted),
        }
        assert!(watches.len() <= 64);
    }

    anybody()
        .check(HealthCheckRequest::default())
        .await
        .expect("a check needs no place");
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
