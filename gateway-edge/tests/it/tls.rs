//! TLS at the edge's own port.

use std::sync::Arc;

use gatehouse_edge::Limits;
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use futures::{SinkExt, StreamExt};

use crate::{
    client::{Client, v4},
    gateway::{Gateway, TOKEN, revision, until},
};

#[tokio::test]
async fn a_client_connects_by_tls_with_the_operators_certificate_and_this_machine_without() {
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let (of_certificate, of_key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
    std::fs::write(&of_certificate, certificate.pem()).unwrap();
    std::fs::write(&of_key, key.serialize_pem()).unwrap();
    let config =
        json!({"gateway": {"tls": {"enabled": true, "certPath": of_certificate, "keyPath": of_key}}});
    let gateway = Gateway::with(Limits::default(), Some(revision(&config.to_string(), TOKEN))).await;

    let mut trusted = RootCertStore::empty();
    trusted.add(certificate.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(trusted)
        .with_no_client_auth();
    let stream = TcpStream::connect(&gateway.http).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(client))
        .connect(name, stream)
        .await
        .unwrap();
    let mut request = "wss://localhost/".into_client_request().unwrap();
    // A page on this origin.
    request
        .headers_mut()
        .insert("origin", "https://localhost".parse().unwrap());
    let (mut socket, _) = client_async(request, stream).await.expect("an upgrade");
    let challenge = socket.next().await.unwrap().unwrap().into_text().unwrap();
    assert!(challenge.contains("connect.challenge"), "{challenge}");
    let connect = json!({"type": "req", "id": "1", "method": "connect", "params": v4(&["operator.read"])});
    socket.send(Message::text(connect.to_string())).await.unwrap();
    let hello = socket.next().await.unwrap().unwrap().into_text().unwrap();
    assert!(hello.contains("hello-ok"), "{hello}");

    Client::v4(&gateway, &[]).await; // ws:// from this machine
    gateway.config.send_replace(Some(revision("{}", TOKEN)));
    until("TLS is off", async || {
        let mut plain = TcpStream::connect(&gateway.http).await.unwrap();
        // A handshake of TLS is not HTTP then.
        tokio::io::AsyncWriteExt::write_all(&mut plain, &[22, 3, 1, 0, 5, 1, 0, 0, 1, 0])
            .await
            .unwrap();
        let mut answer = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut plain, &mut answer).await;
        answer.starts_with(b"HTTP/1.1 400")
    })
    .await;
    Client::v4(&gateway, &[]).await;
}
