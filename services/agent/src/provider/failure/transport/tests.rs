use std::{sync::Arc, time::Duration};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::*;
use crate::{http::Http, provider::redaction::Redaction};

/// What is said of asking there.
async fn failure(url: &str) -> Unanswered {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = Url::parse(url).unwrap();
    let redaction = Redaction::default();
    let callee = Callee {
        provider: "p",
        model: "m",
        url: &url,
        has_key: false,
        redaction: &redaction,
    };
    let response = Http::new()
        .unwrap()
        .to(&url)
        .post(url.clone())
        .timeout(Duration::from_secs(10))
        .send()
        .await;
    let error = match response {
        Err(error) => error,
        Ok(response) => response.bytes().await.expect_err("an answer that broke off"),
    };
    from_transport(&callee, &error)
}

/// A server that says this to whoever speaks first, and hangs up.
async fn server(says: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let _ = socket.read(&mut [0; 4096]).await;
            let _ = socket.write_all(says).await;
        }
    });
    port
}

/// A server with a certificate that nobody on this machine trusts.
async fn tls_server() -> u16 {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let testdata = concat!(env!("CARGO_MANIFEST_DIR"), "/../channel-bridge/testdata");
    let certificate = CertificateDer::from_pem_file(format!("{testdata}/loopback-cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(format!("{testdata}/loopback-key.pem")).unwrap();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let _ = acceptor.accept(socket).await;
        }
    });
    port
}

#[track_caller]
fn says(failure: &Unanswered, kind: FailureKind, parts: &[&str]) {
    assert_eq!(failure.kind, kind, "{}", failure.message);
    for part in parts {
        assert!(failure.message.contains(part), "{part}: {}", failure.message);
    }
    for secret in ["hunter2", "q-secret"] {
        assert!(!failure.message.contains(secret), "{}", failure.message);
    }
}

#[tokio::test]
async fn failures_of_a_connection_are_told_apart_with_the_origin_and_the_next_step() {
    use FailureKind::Unavailable;
    let secret = "v1/chat/completions?k=q-secret";

    let nowhere = failure(&format!("http://me:hunter2@127.0.0.1:1/{secret}")).await;
    says(
        &nowhere,
        Unavailable,
        &[
            "at http://127.0.0.1:1: connection refused",
            "Start the server",
            "models.providers.p.baseUrl",
        ],
    );
    assert_eq!(nowhere.origin.as_deref(), Some("http://127.0.0.1:1"));

    let nobody = failure(&format!("http://me:hunter2@nobody.invalid/{secret}")).await;
    says(
        &nobody,
        Unavailable,
        &[
            "at http://nobody.invalid: no host is called nobody.invalid",
            "DNS",
        ],
    );

    let port = server(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let plain = failure(&format!("https://127.0.0.1:{port}/{secret}")).await;
    says(&plain, Unavailable, &["speaks no TLS", "http:// or https://"]);

    let port = server(b"\x15\x03\x03\x00\x02\x02\x46").await;
    let tls = failure(&format!("http://127.0.0.1:{port}/{secret}")).await;
    says(&tls, Unavailable, &["speaks no HTTP", "http:// or https://"]);

    let port = server(b"").await;
    let silent = failure(&format!("http://127.0.0.1:{port}/{secret}")).await;
    says(
        &silent,
        Unavailable,
        &["closed the connection without an answer", "log"],
    );

    let port = server(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\nhalf").await;
    let half = failure(&format!("http://127.0.0.1:{port}/{secret}")).await;
    says(&half, Unavailable, &["broke off in the middle"]);
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_named_with_what_to_set() {
    let port = tls_server().await;

    let failure = failure(&format!("https://127.0.0.1:{port}/v1/chat/completions")).await;

    says(
        &failure,
        FailureKind::Unavailable,
        &["its certificate is not trusted", "SSL_CERT_FILE"],
    );
}

#[test]
fn what_is_wrong_with_a_certificate_is_said_with_its_own_next_step() {
    for (wrong, part) in [
        (CertificateError::Expired, "has expired"),
        (CertificateError::NotValidYet, "clock"),
        (CertificateError::NotValidForName, "is not for h"),
        (CertificateError::UnknownIssuer, "SSL_CERT_FILE"),
        (CertificateError::BadSignature, "SSL_CERT_FILE"),
    ] {
        let said = certificate(&wrong, "h", "models.providers.p.baseUrl");
        assert!(said.contains(part), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_too_long_is_late_and_not_away() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();

    let late = failure(&format!("http://127.0.0.1:{port}/v1/chat/completions")).await;

    says(
        &late,
        FailureKind::Timeout,
        &["did not answer in time", "timeoutSeconds"],
    );
}
