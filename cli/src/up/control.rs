//! Answers what is asked over the socket of the run folder: see [`crate::control`].

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use gatehouse_core::{Clock, private::FILE_MODE};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::{Semaphore, mpsc},
    time::timeout,
};

use super::{plugins::Failures, supervisor::Restarts};
use crate::control::{Answer, Ask, LINE_BYTES_MAX, SOCKET};

/// Connections at once: a person has one or two, and each is held until we end.
const CONNECTIONS_MAX: usize = 32;

/// The pause when no connection can be accepted: no descriptors are left, until others end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A question is one line, sent at once.
const QUESTION: Duration = Duration::from_secs(5);

/// How long a service takes from its end to its successor, where it does not hang: answers under way may end first.
const RESTARTED: Duration = Duration::from_secs(400);

/// What only the supervisor itself can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// End in order.
    Stop,
    /// End at once.
    StopNow,
    /// End in order, and begin anew.
    Again,
}

/// What is told of the supervisor.
#[derive(Debug)]
pub(super) struct Told {
    started_ms: i64,
    log: Option<PathBuf>,
    url: OnceLock<String>,
    page: OnceLock<String>,
    others: OnceLock<String>,
    started: OnceLock<Started>,
}

/// What is known once the services are started.
#[derive(Debug)]
struct Started {
    restarts: Restarts,
    plugins: Failures,
    end: Duration,
    metrics: Option<String>,
}

impl Told {
    pub(super) fn new(log: Option<PathBuf>) -> Arc<Self> {
        Arc::new(Self {
            started_ms: Clock::system().now_ms(),
            log,
            url: OnceLock::new(),
            page: OnceLock::new(),
            others: OnceLock::new(),
            started: OnceLock::new(),
        })
    }

    /// The gateway is ready, at this address, that for other machines if they can come in, and its page, if it has one.
    pub(super) fn ready(&self, url: &str, others: Option<&str>, page: Option<&str>) {
        if let Some(others) = others {
            let _ = self.others.set(others.to_owned()); // once
        }
        if let Some(page) = page {
            let _ = self.page.set(page.to_owned()); // once
        }
        let _ = self.url.set(url.to_owned()); // the last: who sees it is told everything
    }

    /// The services are started.
    pub(super) fn started(
        &self,
        restarts: Restarts,
        plugins: Failures,
        end: Duration,
        metrics: Option<String>,
    ) {
        let started = Started {
            restarts,
            plugins,
            end,
            metrics,
        };
        let _ = self.started.set(started); // once
    }

    fn answer(&self) -> Answer {
        let started = self.started.get();
        Answer {
            error: None,
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_ms: self.started_ms,
            url: self.url.get().cloned(),
            page: self.page.get().cloned(),
            others: self.others.get().cloned(),
            log: self.log.clone(),
            end_seconds: started.map_or(0, |started| started.end.as_secs()),
            metrics: started.and_then(|started| started.metrics.clone()),
            failing: started
                .map(|started| [started.restarts.failing(), started.plugins.now()].concat())
                .unwrap_or_default(),
        }
    }
}

/// The socket, and what was asked for over it.
#[derive(Debug)]
pub(super) struct Control {
    path: PathBuf,
    orders: mpsc::Receiver<Order>,
}

impl Control {
    /// Listens in the run folder. Whoever holds the lock of the home may take the place of a socket that was left behind.
    pub(super) fn listen(run: &Path, told: &Arc<Told>) -> io::Result<Self> {
        let path = run.join(SOCKET);
        let _ = fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(FILE_MODE))?;
        let (give, orders) = mpsc::channel(CONNECTIONS_MAX);
        tokio::spawn(serve(listener, Arc::clone(told), give));
        Ok(Self { path, orders })
    }

    /// The next order.
    ///
    /// # Cancel safety
    /// Safe: nothing is lost.
    pub(super) async fn next(&mut self) -> Order {
        match self.orders.recv().await {
            Some(order) => order,
            None => std::future::pending().await, // the listener failed: signals still work
        }
    }

    /// The same at the end, where only haste is new.
    pub(super) async fn haste(&mut self) {
        while self.next().await != Order::StopNow {}
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

async fn serve(listener: UnixListener, told: Arc<Told>, orders: mpsc::Sender<Order>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (told, orders) = (Arc::clone(&told), orders.clone());
        tokio::spawn(async move {
            answer_one(stream, &told, &orders).await;
            drop(place);
        });
    }
}

/// Answers one question. The connection stays as long as the peer holds it: that it ends by us says that we have ended.
async fn answer_one(mut stream: UnixStream, told: &Told, orders: &mpsc::Sender<Order>) {
    let is_ours = stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == nix::unistd::geteuid().as_raw() || peer.uid() == 0);
    if !is_ours {
        return;
    }
    let (input, mut output) = stream.split();
    let mut input = BufReader::new(input.take(LINE_BYTES_MAX));
    let mut line = String::new();
    if !matches!(timeout(QUESTION, input.read_line(&mut line)).await, Ok(Ok(1..))) {
        return; // somebody who only looked whether we are here
    }
    let answer = match serde_json::from_str(&line) {
        Ok(ask) => carry_out(ask, told, orders).await,
        Err(error) => Err(format!("the question cannot be read: {error}")),
    };
    let answer = answer.map_or_else(
        |error| Answer {
            error: Some(error),
            ..told.answer()
        },
        |()| told.answer(),
    );
    let Ok(mut text) = serde_json::to_vec(&answer) else {
        return;
    };
    text.push(b'\n');
    if output.write_all(&text).await.is_ok() {
        let _ = input.read_line(&mut line).await; // until the peer goes
    }
}

async fn carry_out(ask: Ask, told: &Told, orders: &mpsc::Sender<Order>) -> Result<(), String> {
    let order = match ask {
        Ask::Hello => return Ok(()),
        Ask::Restart {
            service: Some(service),
        } => {
            let started = told.started.get().ok_or("the gateway is still starting")?;
            return match timeout(RESTARTED, started.restarts.restart(&service)).await {
                Ok(done) => done,
                Err(_) => Err(format!(
                    "{service} has no new process after {} s",
                    RESTARTED.as_secs()
                )),
            };
        }
        Ask::Stop { now: false } => Order::Stop,
        Ask::Stop { now: true } => Order::StopNow,
        Ask::Restart { service: None } => Order::Again,
    };
    orders
        .try_send(order)
        .map_err(|_| "the gateway is about to end".to_owned())
}
