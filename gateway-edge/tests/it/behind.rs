//! The samples of `deploy/proxies`, run by the real programs in front of an edge.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use futures::{SinkExt, StreamExt};
use gatehouse_proto::channel::v1::ReceiveWebhookRequest;
use prost::Message as _;
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::{
    client::v4,
    gateway::{Gateway, RECEIVE, Reply},
};

const NAME: &str = "home.example.org";
const CONFIG: &str =
    r#"{"gateway":{"publicOrigin":"https://home.example.org","trustedProxies":["127.0.0.1"]}}"#;

/// A proxy in front of an edge. Dropping it kills it.
struct Proxy {
    folder: TempDir,
    port: u16,
    certificate: rcgen::Certificate,
    _process: Child,
}

pub(crate) fn sample(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy/proxies")
        .join(name);
    fs::read_to_string(path).unwrap()
}

/// In a sample, something of its own in place of what it is an example for.
fn replaced(text: &str, pairs: &[(&str, String)]) -> String {
    pairs.iter().fold(text.to_owned(), |text, (example, real)| {
        assert!(text.contains(example), "{example} is not in the sample any more");
        text.replace(example, real)
    })
}

fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    let mut found = folders
        .map(|folder| folder.join(name))
        .filter(|program| program.is_file());
    found
        .next()
        .unwrap_or_else(|| panic!("{name} is not installed: `make test` installs it"))
}

impl Proxy {
    async fn start(gateway: &Gateway, write: impl FnOnce(&Path, u16, &str) -> Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![NAME.to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        fs::write(folder.path().join("c.pem"), certificate.pem()).unwrap();
        fs::write(folder.path().join("k.pem"), key.serialize_pem()).unwrap();
        // Neither can be given a socket: a port that is free now.
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let process = write(folder.path(), port, &gateway.http)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log")).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let proxy = Self {
            folder,
            port,
            certificate,
            _process: process,
        };
        let listening = async {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if timeout(Duration::from_secs(15), listening).await.is_err() {
            let said = fs::read_to_string(proxy.folder.path().join("log"));
            panic!("it does not listen: {}", said.unwrap_or_default());
        }
        proxy
    }

    async fn nginx(gateway: &Gateway) -> Self {
        Self::start(gateway, |folder, port, edge| {
            let at = folder.display();
            let site = replaced(
                &sample("nginx.conf"),
                &[
                    ("listen 443 ssl", format!("listen 127.0.0.1:{port} ssl")),
                    ("/etc/letsencrypt/live/home.example.org/fullchain.pem", format!("{at}/c.pem")),
                    ("/etc/letsencrypt/live/home.example.org/privkey.pem", format!("{at}/k.pem")),
                    ("127.0.0.1:18789", edge.to_owned()),
                ],
            );
            // The proxies' addresses in the comment are not ours.
            fs::write(folder.join("site.conf"), site).unwrap();
            let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|kind| format!("{kind}_temp_path {at}/{kind};"))
                .concat();
            let all = format!(
                "daemon off; pid {at}/pid; error_log stderr; events {{}}\nhttp {{ access_log off; {temporary} include {at}/site.conf; }}"
            );
            fs::write(folder.join("nginx.conf"), all).unwrap();
            let mut command = Command::new(program("nginx"));
            command.arg("-e").arg("stderr").arg("-c").arg(folder.join("nginx.conf"));
            command
        })
        .await
    }

    async fn caddy(gateway: &Gateway) -> Self {
        Self::start(gateway, |folder, port, edge| {
            let at = folder.display();
            let site = replaced(
                &sample("Caddyfile"),
                &[
                    (
                        "home.example.org {",
                        format!("https://{NAME}:{port} {{\n\tbind 127.0.0.1\n\ttls {at}/c.pem {at}/k.pem"),
                    ),
                    ("reverse_proxy 127.0.0.1:18789", format!("reverse_proxy {edge}")),
                ],
            );
            let options = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n";
            fs::write(folder.join("Caddyfile"), format!("{options}{site}")).unwrap();
            let mut command = Command::new(program("caddy"));
            command
                .args(["run", "--adapter", "caddyfile", "--config"])
                .arg(folder.join("Caddyfile"))
                .envs([
                    ("HOME", folder),
                    ("XDG_DATA_HOME", folder),
                    ("XDG_CONFIG_HOME", folder),
                ]);
            command
        })
        .await
    }

    async fn connect(&self) -> TlsStream<TcpStream> {
        let mut trusted = RootCertStore::empty();
        trusted.add(self.certificate.der().clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(trusted)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let name = ServerName::try_from(NAME).unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .unwrap()
    }
}

/// What everybody in front of the gateway must do.
async fn carries_clients_and_their_addresses(gateway: &Gateway, proxy: &Proxy) {
    let mut request = format!("wss://{NAME}/").into_client_request().unwrap();
    request
        .headers_mut()
        .insert("origin", format!("https://{NAME}").parse().unwrap());
    let (mut socket, _) = client_async(request, proxy.connect().await)
        .await
        .expect("an upgrade");
    let mut frame = async |say: Option<Value>| {
        if let Some(say) = &say {
            socket.send(Message::text(say.to_string())).await.unwrap();
        }
        match timeout(Duration::from_secs(10), socket.next())
            .await
            .expect("a frame in time")
        {
            Some(Ok(Message::Text(text))) => serde_json::from_str::<Value>(&text).unwrap(),
            other => panic!("no frame, but {other:?}"),
        }
    };
    assert_eq!(frame(None).await["event"], "connect.challenge");
    let connect = json!({"type": "req", "id": "1", "method": "connect", "params": v4(&["operator.read"])});
    let hello = frame(Some(connect)).await;
    assert_eq!(hello["payload"]["type"], "hello-ok", "{hello}");

    // status 202
    gateway.answers_path(RECEIVE, Reply::Many(vec![vec![8, 202, 1]]));
    let mut stream = proxy.connect().await;
    let head = format!("POST /webhooks/webhook/home HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n");
    let forged = "X-Forwarded-For: 203.0.113.9\r\nX-Real-IP: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\n";
    let post = format!("{head}{forged}Content-Length: 5\r\n\r\nhello");
    stream.write_all(post.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A proxy may close without the last word of TLS.
    let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let seen = ReceiveWebhookRequest::decode(gateway.calls(RECEIVE).pop().unwrap().body).unwrap();
    assert_eq!(
        seen.peer_address, "127.0.0.1",
        "what a caller writes is nobody's word"
    );
}

#[tokio::test]
async fn nginx_carries_clients_with_the_sample_of_this_repository() {
    let gateway = Gateway::configured(CONFIG).await;
    let proxy = Proxy::nginx(&gateway).await;

    carries_clients_and_their_addresses(&gateway, &proxy).await;
}

#[tokio::test]
async fn caddy_carries_clients_with_the_sample_of_this_repository() {
    let gateway = Gateway::configured(CONFIG).await;
    let proxy = Proxy::caddy(&gateway).await;

    carries_clients_and_their_addresses(&gateway, &proxy).await;
}
