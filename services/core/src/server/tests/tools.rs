//! What operators' tools find: health and reflection.

use super::*;

#[tokio::test]
async fn health_is_known_under_the_name_of_each_service() {
    let home = running().await;
    home.health.serving();
    let mut anybody = HealthClient::new(Peer::lazy(&home.address, &Secret::new("none")).channel());

    let named = HealthCheckRequest {
        service: "gatehouse.session.v1.SessionService".to_owned(),
    };
    timeout(Duration::from_secs(20), async {
        while anybody.check(named.clone()).await.unwrap().into_inner().status()
            != tonic_health::pb::health_check_response::ServingStatus::Serving
        {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("health follows");
    let unknown = HealthCheckRequest {
        service: "gatehouse.session.v1.Nobody".to_owned(),
    };
    assert_eq!(anybody.check(unknown).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn reflection_knows_the_types_of_what_a_refusal_says() {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let home = running().await;
    let operator = Peer::lazy(&home.address, &secret(Identity::Operator));
    let mut client = ServerReflectionClient::new(operator.service());

    for symbol in
        ["BadRequest", "ErrorInfo", "RetryInfo", "Help", "Status"].map(|name| format!("google.rpc.{name}"))
    {
        let asked = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::FileContainingSymbol(symbol.clone())),
        };
        let mut answers = client
            .server_reflection_info(tokio_stream::once(asked))
            .await
            .unwrap()
            .into_inner();
        let answer = answers.message().await.unwrap().unwrap().message_response;
        assert!(
            matches!(answer, Some(MessageResponse::FileDescriptorResponse(_))),
            "{symbol}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn reflection_is_for_operators_tools() {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest,
    };
    let home = running().await;
    let ask = async |identity| {
        let peer = Peer::lazy(&home.address, &secret(identity));
        let list = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        ServerReflectionClient::new(peer.service())
            .server_reflection_info(tokio_stream::once(list))
            .await
    };

    ask(Identity::Operator).await.unwrap();
    assert_eq!(
        ask(Identity::Agent).await.unwrap_err().code(),
        Code::PermissionDenied
    );
}
