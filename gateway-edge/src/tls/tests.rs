use std::fs;

use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::*;

/// Takes any certificate, and remembers none: the test looks at it itself.
#[derive(Debug)]
struct Any;

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

struct Served {
    _home: tempfile::TempDir,
    terminator: Arc<Terminator>,
    source: Source,
    /// Where the certificate of an operator would be.
    files: PathBuf,
}

fn own() -> Served {
    let home = tempfile::tempdir().unwrap();
    let terminator = Terminator::new(home.path().join("tls"), home.path().join("edge.tls"));
    Served {
        files: home.path().to_owned(),
        _home: home,
        terminator: Arc::new(terminator),
        source: Source::Own { names: Vec::new() },
    }
}

impl Served {
    /// A socket that came from `peer`, as far as the edge is told, and its other end.
    async fn socket(&self) -> (TcpStream, TcpStream) {
        pair().await.unwrap()
    }

    async fn take(&self, stream: TcpStream, peer: &str) -> Result<(TcpStream, bool), NotServed> {
        let ends = Ends {
            peer: peer.parse().unwrap(),
            local: "192.0.2.1".parse().unwrap(),
            secure: false,
        };
        self.terminator
            .take(&self.source, stream, ends, &Drain::new())
            .await
    }

    /// Says a line through TLS, hears it echoed, and tells the fingerprint of the certificate that was shown.
    async fn echoed(&self, line: &str) -> String {
        let (client, server) = self.socket().await;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Any))
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, client);
        let (client, served) = tokio::join!(connecting, self.take(server, "192.0.2.9"));
        let (mut client, (mut served, secure)) = (client.unwrap(), served.unwrap());
        assert!(secure);

        client.write_all(line.as_bytes()).await.unwrap();
        let mut heard = vec![0; line.len()];
        served.read_exact(&mut heard).await.unwrap();
        served.write_all(&heard).await.unwrap();
        drop(served);
        let mut back = String::new();
        client.read_to_string(&mut back).await.unwrap();
        assert_eq!(back, line);
        let (_, connection) = client.get_ref();
        certificate::fingerprint(&connection.peer_certificates().unwrap()[0])
    }

    fn replace(&mut self) -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["home.example.org".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let (of_certificate, of_key) = (self.files.join("c.pem"), self.files.join("k.pem"));
        fs::write(&of_key, key.serialize_pem()).unwrap();
        fs::write(&of_certificate, certificate.pem()).unwrap();
        self.source = Source::Files {
            certificate: gatehouse_core::NamedFile::anywhere(of_certificate),
            key: gatehouse_core::NamedFile::anywhere(of_key),
        };
        certificate::fingerprint(certificate.der())
    }
}

#[tokio::test]
async fn what_comes_encrypted_is_served_as_it_was_meant_and_the_fingerprint_is_told() {
    let served = own();

    let shown = served.echoed("hello").await;

    let told = fs::read_to_string(&served.terminator.fingerprint).unwrap();
    assert_eq!(told.trim(), shown);
    assert_eq!(shown.len(), 32 * 3 - 1);
    assert_eq!(served.echoed("again").await, shown, "it is kept");
    served.terminator.rest();
    assert!(!served.terminator.fingerprint.exists());
}

#[tokio::test]
async fn other_machines_must_encrypt_and_programs_on_this_one_need_not() {
    let served = own();
    for (peer, is_let_in) in [
        ("127.0.0.1", true),
        ("::1", true),
        ("192.0.2.1", true), // our own address
        ("192.0.2.9", false),
        ("::ffff:192.0.2.9", false),
    ] {
        let (mut client, server) = served.socket().await;
        client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();

        match served.take(server, peer).await {
            Ok((mut stream, secure)) => {
                let mut first = [0; 5];
                stream.read_exact(&mut first).await.unwrap();
                assert!(
                    is_let_in && !secure && first == *b"GET /",
                    "{peer}: nothing is lost"
                );
            }
            Err(error) => {
                assert!(!is_let_in && matches!(error, NotServed::Plain), "{peer}: {error}");
                let mut told = String::new();
                client.read_to_string(&mut told).await.unwrap();
                let (head, body) = told.split_once("\r\n\r\n").unwrap();
                assert!(
                    head.starts_with("HTTP/1.1 400") && body.contains("https://"),
                    "{told}"
                );
                assert!(
                    head.contains(&format!("Content-Length: {}\r\n", body.len())),
                    "{told}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_certificate_is_read_anew_when_its_file_changes_and_a_broken_one_leaves_the_last() {
    let mut served = own();
    let first = served.replace();
    assert_eq!(served.echoed("a").await, first);

    let second = served.replace();
    assert_ne!(first, second);
    tokio::time::sleep(LOOK_EACH).await; // no file is looked at more often
    assert_eq!(served.echoed("b").await, second);

    fs::write(served.files.join("c.pem"), "half of a cert").unwrap();
    tokio::time::sleep(LOOK_EACH).await;
    assert_eq!(served.echoed("c").await, second);
}

#[tokio::test]
async fn a_pair_that_does_not_go_together_is_told_by_name() {
    let mut served = own();
    served.replace();
    let other = rcgen::KeyPair::generate().unwrap();
    fs::write(served.files.join("k.pem"), other.serialize_pem()).unwrap();

    let (mut client, server) = served.socket().await;
    client.write_all(&[HANDSHAKE, 3, 1]).await.unwrap();

    let refused = served
        .take(server, "192.0.2.9")
        .await
        .expect_err("no certificate");
    assert!(refused.to_string().contains("do not go together"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_let_go() {
    let served = own();
    let (_client, server) = served.socket().await;

    let refused = served
        .take(server, "192.0.2.9")
        .await
        .expect_err("nothing was said");

    assert!(matches!(refused, NotServed::Late));
}
