//! A real IRC server for one test: Debian's ngircd, in the foreground, on a port of its own.

use std::{fs, net::TcpListener, process::Stdio};

use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};

use crate::until;

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Ngircd {
    _folder: TempDir,
    _server: Child,
    port: u16,
}

impl Ngircd {
    /// Starts a server and waits until it accepts connections.
    ///
    /// # Panics
    /// When ngircd is not installed or does not start.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // ngircd takes a port number and cannot be given a socket: one that is free now.
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .expect("a free port")
            .port();
        let config = folder.path().join("ngircd.conf");
        let settings = format!(
            "[Global]\nName = irc.example.test\nListen = 127.0.0.1\nPorts = {port}\nServerUID = {uid}\nServerGID = {uid}\n\
             [Limits]\nMaxConnectionsIP = 0\nMaxJoins = 0\nMaxPenaltyTime = 0\nMaxNickLength = 30\n\
             [Options]\nDNS = no\nIdent = no\nPAM = no\nConnectIPv6 = no\n",
            uid = if fs::metadata("/proc/self")
                .is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
            {
                "nobody"
            } else {
                "0"
            },
        );
        let settings = if settings.contains("= 0\nServerGID") {
            settings.replace("ServerUID = 0\nServerGID = 0\n", "")
        } else {
            settings
        };
        fs::write(&config, settings).expect("the server's configuration");
        let server = Command::new("ngircd")
            .args(["--nodaemon", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("ngircd: install it with `apt-get install ngircd`");
        until("ngircd", async || {
            TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
        Self {
            _folder: folder,
            _server: server,
            port,
        }
    }

    /// Where it listens, on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}
