//! Waits until the gateway can accept and keep a message, and then says so with the three things a person wants to know.

use std::{
    convert::Infallible,
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use gatehouse_core::Clock;
use tokio::time::{Instant, sleep};

use super::{
    banner::{Addresses, Shown, banner, for_others, page_at},
    control::Told,
    log::Log,
    manager::Manager,
    steps::Steps,
    supervisor::Restarts,
};
use crate::{gateway::TOKEN_FILE, http, start::Step, term::Style};

/// How often the edge is asked. A start takes about half a second.
const PAUSE: Duration = Duration::from_millis(20);

/// How long one question may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// When a person begins to wonder: what is missing is said then, and again each time.
const NOTICE_EACH: Duration = Duration::from_secs(10);

/// A service that ends at each start has ended within this time: it is tried again after ten seconds at most.
const AGAIN: Duration = Duration::from_secs(20);

/// How long the services without which messages are taken are waited for: whoever connects at once then misses nothing.
const ALL_SERVICES_WITHIN: Duration = Duration::from_secs(5);

/// Whom to ask and where to say it.
pub(super) struct Ready<'a> {
    /// Where the edge writes its address.
    pub(super) url_file: &'a Path,
    /// The home.
    pub(super) home: &'a Path,
    /// Where clients are to come in.
    pub(super) door: IpAddr,
    /// The path of the Control UI, if there is one.
    pub(super) page: Option<&'a str>,
    /// Where the metrics are.
    pub(super) metrics: Option<&'a str>,
    /// Where to say it.
    pub(super) log: &'a Log,
    /// How to say it.
    pub(super) style: Style,
    /// What is said of the next step.
    pub(super) shown: Shown,
    /// When the start began.
    pub(super) began: Instant,
    /// What others are told of it.
    pub(super) told: &'a Told,
    /// Where it is noted.
    pub(super) steps: &'a Steps,
    /// The service manager, which waits for it as well.
    pub(super) manager: &'a Manager,
    /// Who may keep it from being ready.
    pub(super) services: Restarts,
}

impl Ready<'_> {
    /// Announces the gateway once it is ready. Never ends.
    pub(super) async fn announce(&self) -> Infallible {
        let mut wondered = self.began;
        let mut noticed = String::new();
        loop {
            let missing = match self.ask().await {
                Ok(url) => {
                    let page = self.page.map(|path| page_at(&url, path));
                    self.steps
                        .done(Step::Sockets, &format!("clients connect to {url}"));
                    let is_tls = self.tls_file().exists();
                    let others = for_others(self.door, &url, is_tls);
                    self.told.ready(&url, others.as_deref(), page.as_deref());
                    if let Err(error) = self.manager.ready(&url) {
                        self.log.own(&format!(
                            "the service manager cannot be told that this is ready: {error}"
                        ));
                    }
                    self.log.banner(&banner(
                        &Addresses {
                            url: &url,
                            others: others.as_deref(),
                            page: page.as_deref(),
                            metrics: self.metrics,
                            has_token_file: self.home.join(TOKEN_FILE).is_file(),
                        },
                        self.home,
                        self.shown,
                        self.began.elapsed(),
                        self.style,
                    ));
                    return std::future::pending().await;
                }
                Err(missing) => missing,
            };
            if wondered.elapsed() >= NOTICE_EACH {
                wondered = Instant::now();
                let missing = self.failing().unwrap_or(missing);
                // Why a service ends is told once.
                if noticed != missing {
                    self.log.own(&format!("not ready yet: {missing}"));
                    noticed.clone_from(&missing);
                }
                self.manager.waits(&missing);
            }
            sleep(PAUSE).await;
        }
    }

    /// The services that end at each start, if some do.
    fn failing(&self) -> Option<String> {
        let now = Clock::system().now_ms();
        let all = self.services.failing().into_iter();
        let recent = all.filter(|one| {
            now.saturating_sub(one.ended_ms) <= i64::try_from(AGAIN.as_millis()).unwrap_or(i64::MAX)
        });
        let names: Vec<String> = recent.map(|one| one.service).collect();
        (!names.is_empty()).then(|| {
            format!(
                "{} does not start; `gatehouse status --start` says why",
                names.join(", ")
            )
        })
    }

    /// The address of the edge when the gateway is ready, else what is missing.
    async fn ask(&self) -> Result<String, String> {
        let url = fs::read_to_string(self.url_file).map_err(|_| "the edge does not listen yet".to_owned())?;
        let url = url.trim().to_owned();
        let authority = url.trim_start_matches("ws://").trim_end_matches('/');
        match http::get(authority, "/readyz", REQUEST_TIMEOUT).await {
            Ok(answer)
                if answer.status == 200
                    && (is_fully_ready(&answer.body) || self.began.elapsed() > ALL_SERVICES_WITHIN) =>
            {
                self.tell_tls(&url);
                Ok(url)
            }
            Ok(answer) => Err(answer.body),
            Err(error) => Err(format!("the edge does not answer at {url}: {error}")),
        }
    }
}

impl Ready<'_> {
    /// Where the edge writes what its certificate is known by, when it has one.
    fn tls_file(&self) -> PathBuf {
        self.url_file.with_file_name("edge.tls")
    }

    /// Says by what other machines know the certificate, when they have to speak TLS.
    fn tell_tls(&self, url: &str) {
        let Ok(fingerprint) = fs::read_to_string(self.tls_file()) else {
            return;
        };
        let port = url.rsplit_once(':').map_or("", |(_, port)| port);
        self.log.own(&format!(
            "other machines connect by TLS, to wss://<this machine>:{port}; SHA-256 of the certificate (--tls-fingerprint): {}",
            fingerprint.trim()
        ));
    }
}

/// Whether nobody is away, those included without whom messages are taken all the same.
fn is_fully_ready(report: &str) -> bool {
    let report: serde_json::Value = serde_json::from_str(report).unwrap_or_default();
    report["degraded"].as_array().is_none_or(Vec::is_empty)
}
