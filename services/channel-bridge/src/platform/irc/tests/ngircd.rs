//! Debian's ngircd, in the foreground, on ports of its own.

use std::{fs, net::TcpListener, path::Path, process::Stdio};

use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};

use crate::testing::until;

/// A real server. Dropping it kills it.
pub(super) struct Ngircd {
    folder: TempDir,
    pub(super) server: Child,
    pub(super) port: u16,
    pub(super) tls_port: u16,
}

pub(super) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

pub(super) fn testdata(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name)
        .display()
        .to_string()
}

impl Ngircd {
    pub(super) async fn start() -> Self {
        Self::start_with_nicks_of(30).await
    }

    pub(super) async fn start_with_nicks_of(nick_chars: u32) -> Self {
        // ngircd cannot be given a socket: these are free now.
        let (folder, port, tls_port) = (tempfile::tempdir().unwrap(), free_port(), free_port());
        for name in ["loopback-cert.pem", "loopback-key.pem"] {
            fs::copy(testdata(name), folder.path().join(name)).unwrap();
        }
        let at = |name: &str| folder.path().join(name).display().to_string();
        let settings = format!(
            "[Global]\nName = irc.example.test\nListen = 127.0.0.1\nPorts = {port}\n\
             [Limits]\nMaxConnectionsIP = 0\nMaxJoins = 0\nMaxPenaltyTime = 0\nMaxNickLength = {nick_chars}\n\
             [Options]\nDNS = no\nIdent = no\nPAM = no\nConnectIPv6 = no\n\
             [SSL]\nCertFile = {}\nKeyFile = {}\nPorts = {tls_port}\n",
            at("loopback-cert.pem"),
            at("loopback-key.pem"),
        );
        fs::write(folder.path().join("ngircd.conf"), settings).unwrap();
        let server = Self::spawn(folder.path());
        let ngircd = Self {
            folder,
            server,
            port,
            tls_port,
        };
        ngircd.listens().await;
        ngircd
    }

    fn spawn(folder: &Path) -> Child {
        Command::new("ngircd")
            .arg("--nodaemon")
            .arg("--config")
            .arg(folder.join("ngircd.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("ngircd: install it with `apt-get install ngircd`")
    }

    async fn listens(&self) {
        until("ngircd", async || {
            TcpStream::connect(("127.0.0.1", self.port)).await.ok()
        })
        .await;
    }

    /// Kills it and starts it anew on the same port.
    pub(super) async fn restart(&mut self) {
        self.server.kill().await.unwrap();
        self.server = Self::spawn(self.folder.path());
        self.listens().await;
    }
}
