//! Replies on their way to the platform.

use std::time::Duration;

use tokio::time;

use super::*;

async fn sends(response: ResponseTemplate) -> (MockServer, Bench, tempfile::TempDir) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(response)
        .up_to_n_times(1)
        .with_priority(1)
        .mount(&server)
        .await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200))
        .with_priority(9)
        .mount(&server)
        .await;
    let (folder, stores) = stores();
    let bench = Bench::run(&stores, Clock::system(), webhook(Some(&server.uri())));
    bench.say("run/0", "anna", "hi").await;
    bench.settled().await;
    (server, bench, folder)
}

#[tokio::test]
async fn a_callback_is_signed_and_carries_the_deliverys_key() {
    let (server, _bench, _folder) = sends(ResponseTemplate::new(200)).await;

    let request = server.received_requests().await.unwrap().remove(0);
    let header = |name: &str| request.headers.get(name).map(|value| value.to_str().unwrap());
    verify_callback(&request, Direction::Outbound).unwrap();
    verify_callback(&request, Direction::Inbound).unwrap_err();
    assert!(
        header(signature::SIGNATURE_V1).is_some(),
        "older receivers are served as well"
    );
    assert_eq!(header("idempotency-key"), Some("run/0/0"));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        (&body["to"], &body["text"], &body["id"]),
        (&json!("anna"), &json!("hi"), &json!("run/0/0"))
    );
}

#[tokio::test]
async fn a_callback_that_is_limited_is_repeated_no_earlier_than_it_said() {
    let began = time::Instant::now();
    let (server, _bench, _folder) = sends(ResponseTemplate::new(429).insert_header("retry-after", "2")).await;

    assert!(began.elapsed() >= Duration::from_secs(2));
    let keys: Vec<_> = server
        .received_requests()
        .await
        .unwrap()
        .iter()
        .map(|r| r.headers["idempotency-key"].clone())
        .collect();
    assert_eq!(keys, ["run/0/0", "run/0/0"]);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (server, bench, _folder) =
        sends(ResponseTemplate::new(307).insert_header("location", "/elsewhere")).await;

    assert_eq!(server.received_requests().await.unwrap().len(), 1);
    assert_eq!(
        bench
            .stores
            .outbox
            .counts(crate::testing::key("a"))
            .await
            .unwrap()
            .dead,
        1
    );
}

#[tokio::test]
async fn without_the_old_signature_a_callback_bears_the_new_one_alone() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let config = json!({"secret": SECRET, "callbackUrl": server.uri(), "legacySignature": false});
    let (_folder, stores) = stores();
    let bench = Bench::run(&stores, Clock::system(), account(&config));

    bench.say("run/0", "anna", "hi").await;
    bench.settled().await;

    let request = server.received_requests().await.unwrap().remove(0);
    assert!(request.headers.contains_key(signature::SIGNATURE));
    assert!(!request.headers.contains_key(signature::SIGNATURE_V1));
}
