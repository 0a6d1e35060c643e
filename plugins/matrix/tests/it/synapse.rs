//! A homeserver of the test's own.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use matrix_sdk::reqwest;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    time::{Instant, sleep},
};

/// Far more than anything here takes.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);
/// Between two looks at something that nobody tells us of.
pub(crate) const LOOK: Duration = Duration::from_millis(50);
pub(crate) const PASSWORD: &str = "correct horse";

/// A homeserver, while the test runs.
pub(crate) struct Synapse {
    child: Child,
    pub(crate) url: String,
    http: reqwest::Client,
    _folder: TempDir,
}

impl Drop for Synapse {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn python() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/synapse/python")
}

/// A port that was free a moment ago.
pub(crate) async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address").port()
}

impl Synapse {
    /// `None`: it is not installed here, which is said.
    pub(crate) async fn start() -> Option<Self> {
        Self::with(&fast()).await
    }

    /// One that takes messages as fast as this.
    pub(crate) async fn with(messages: &Value) -> Option<Self> {
        if !python().join("synapse").is_dir() {
            eprintln!("left out: Synapse is not installed here (deploy/prerequisites.sh test)");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path();
        let port = free_port().await;
        let config = json!({
            "server_name": "localhost", "report_stats": false, "pid_file": at.join("pid"), "log_config": at.join("log.yaml"),
            "listeners": [{"port": port, "bind_addresses": ["127.0.0.1"], "type": "http", "tls": false, "resources": [{"names": ["client"]}]}],
            "database": {"name": "sqlite3", "args": {"database": at.join("homeserver.db")}}, "media_store_path": at.join("media"),
            "signing_key_path": at.join("signing.key"), "macaroon_secret_key": "a", "form_secret": "b", "trusted_key_servers": [],
            "enable_registration": true, "enable_registration_without_verification": true,
            "rc_registration": fast(), "rc_message": messages, "rc_joins": {"local": fast(), "remote": fast()}, "rc_joins_per_room": fast(),
            "rc_login": {"address": fast(), "account": fast(), "failed_attempts": fast()}, "rc_room_creation": fast(),
            "rc_invites": {"per_room": fast(), "per_user": fast(), "per_issuer": fast()}, "rc_key_requests": fast(),
        });
        std::fs::write(at.join("homeserver.yaml"), config.to_string()).expect("written"); // JSON is YAML
        let log = json!({"version": 1, "root": {"level": "ERROR"}, "disable_existing_loggers": true});
        std::fs::write(at.join("log.yaml"), log.to_string()).expect("written");
        let run = |more: &[&str]| {
            let mut command = Command::new("python3");
            command
                .args(["-m", "synapse.app.homeserver", "--config-path"])
                .arg(at.join("homeserver.yaml"))
                .args(more)
                .env("PYTHONPATH", python())
                .current_dir(at)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command
        };
        let made = run(&["--generate-keys"]).status().expect("python3");
        assert!(made.success(), "Synapse made no key");
        let child = run(&[]).spawn().expect("python3");
        let synapse = Self {
            child,
            url: format!("http://127.0.0.1:{port}"),
            http: reqwest::Client::new(),
            _folder: folder,
        };
        let until = Instant::now() + DEADLINE;
        while synapse
            .ask("GET", "/_matrix/client/versions", None, None)
            .await
            .is_none()
        {
            assert!(Instant::now() < until, "Synapse does not answer");
            sleep(LOOK).await;
        }
        Some(synapse)
    }

    /// A request, and what is answered to it.
    async fn ask(&self, method: &str, path: &str, token: Option<&str>, body: Option<Value>) -> Option<Value> {
        let method = method.parse().expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let bytes = request.send().await.ok()?.bytes().await.ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// What is answered to a request of somebody's.
    pub(crate) async fn call(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> Value {
        self.ask(method, path, Some(token), body)
            .await
            .expect("an answer")
    }

    /// Makes an account: its id.
    pub(crate) async fn register(&self, name: &str) -> String {
        let body = json!({"username": name, "password": PASSWORD, "auth": {"type": "m.login.dummy"}, "inhibit_login": true});
        let made = self
            .ask("POST", "/_matrix/client/v3/register", None, Some(body))
            .await;
        let made = made.expect("an answer");
        made["user_id"]
            .as_str()
            .unwrap_or_else(|| panic!("{made}"))
            .to_owned()
    }

    /// The events of a room as the server has them, the newest first.
    pub(crate) async fn events(&self, room: &str, token: &str) -> Vec<Value> {
        let path = format!("/_matrix/client/v3/rooms/{room}/messages?dir=b&limit=100");
        let page = self.call("GET", &path, token, None).await;
        page["chunk"].as_array().expect("events").clone()
    }
}

fn fast() -> Value {
    json!({"per_second": 1_000, "burst_count": 1_000})
}
