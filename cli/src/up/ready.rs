//! Waits until the gateway can accept and keep a message, and then says so with the three things a person wants to know.

use std::{convert::Infallible, fs, path::Path, time::Duration};

use tokio::time::{Instant, sleep};

use super::{control::Told, log::Log, manager::Manager, steps::Steps};
use crate::{
    args::Common,
    gateway::TOKEN_FILE,
    home::Found,
    http,
    start::Step,
    term::{Ink, Style},
};

/// How often the edge is asked. A start takes about half a second.
const PAUSE: Duration = Duration::from_millis(20);

/// How long one question may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// When a person begins to wonder: what is missing is said then, and again each time.
const NOTICE_EACH: Duration = Duration::from_secs(10);

/// How long the services without which messages are taken are waited for: whoever connects at once then misses nothing.
const ALL_SERVICES_WITHIN: Duration = Duration::from_secs(5);

/// Whom to ask and where to say it.
pub(super) struct Ready<'a> {
    /// Where the edge writes its address.
    pub(super) url_file: &'a Path,
    /// The home.
    pub(super) home: &'a Path,
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
}

impl Ready<'_> {
    /// Announces the gateway once it is ready. Never ends.
    pub(super) async fn announce(&self) -> Infallible {
        let mut wondered = self.began;
        loop {
            let missing = match self.ask().await {
                Ok(url) => {
                    let page = self.page.map(|path| page_at(&url, path));
                    self.steps
                        .done(Step::Sockets, &format!("clients connect to {url}"));
                    self.told.ready(&url, page.as_deref());
                    if let Err(error) = self.manager.ready(&url) {
                        self.log.own(&format!(
                            "the service manager cannot be told that this is ready: {error}"
                        ));
                    }
                    self.log.banner(&banner(
                        &Addresses {
                            url: &url,
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
                self.log.own(&format!("not ready yet: {missing}"));
                self.manager.waits(&missing);
            }
            sleep(PAUSE).await;
        }
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
    /// Says by what other machines know the certificate, when they have to speak TLS.
    fn tell_tls(&self, url: &str) {
        let Ok(fingerprint) = fs::read_to_string(self.url_file.with_file_name("edge.tls")) else {
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

/// How a person goes on from here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    /// Whether commands need the home to find this gateway.
    pub(super) with_home: bool,
    /// Whether it runs without a terminal.
    pub(super) detached: bool,
}

impl Shown {
    pub(super) fn of(common: &Common, detached: bool) -> Self {
        Self {
            with_home: common.found == Found::Named,
            detached,
        }
    }
}

/// Where everything is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses<'a> {
    pub(super) url: &'a str,
    pub(super) page: Option<&'a str>,
    pub(super) metrics: Option<&'a str>,
    /// Whether the gateway made a token of its own. Otherwise the configuration says what opens it.
    pub(super) has_token_file: bool,
}

/// What a browser opens for a path on the gateway's address.
fn page_at(url: &str, path: &str) -> String {
    let http = url.replacen("ws", "http", 1);
    format!("{}{path}", http.trim_end_matches('/'))
}

pub(super) fn banner(
    addresses: &Addresses<'_>,
    home: &Path,
    shown: Shown,
    took: Duration,
    style: Style,
) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "gatehouse".to_owned());
    let elsewhere = if !shown.with_home || home == Path::new("./data") || home == Path::new("data") {
        String::new()
    } else {
        format!(" --home {}", home.display())
    };
    let row = |name: &str, text: &str| format!("  {} {text}", style.paint(Ink::Dim, &format!("{name:7}")));
    let token = format!(
        "{program} token show{elsewhere}   (kept in {})",
        home.join(TOKEN_FILE).display()
    );
    let next = style.paint(Ink::Bold, &format!("{program} chat{elsewhere}"));
    let mut lines = vec![
        String::new(),
        format!(
            "{} in {:.1} s",
            style.paint(Ink::Green, "Gatehouse is ready"),
            took.as_secs_f64()
        ),
        String::new(),
        row("url", addresses.url),
    ];
    lines.extend(addresses.page.map(|url| row("page", url)));
    lines.push(if addresses.has_token_file {
        row("token", &token)
    } else {
        row("auth", "as gateway.auth of the configuration says")
    });
    lines.extend(addresses.metrics.map(|url| row("metrics", url)));
    lines.push(row("next", &next));
    if shown.detached {
        lines.push(row("log", &format!("{program} logs -f{elsewhere}")));
        lines.push(row("stop", &format!("{program} stop{elsewhere}")));
    } else {
        lines.push(row("stop", "Ctrl-C"));
    }
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: Shown = Shown {
        with_home: true,
        detached: false,
    };

    #[test]
    fn a_newcomer_is_told_the_address_the_token_and_the_next_step() {
        let text = banner(
            &Addresses {
                url: "ws://127.0.0.1:18789",
                page: Some(&page_at("ws://127.0.0.1:18789", "/claw/")),
                metrics: Some("http://127.0.0.1:18790/metrics"),
                has_token_file: true,
            },
            Path::new("./data"),
            SHOWN,
            Duration::from_millis(420),
            Style::plain(),
        );

        for needed in [
            "ready in 0.4 s",
            "ws://127.0.0.1:18789",
            "page    http://127.0.0.1:18789/claw/",
            "http://127.0.0.1:18790/metrics",
            "token show",
            "./data/config/token",
            " chat\n",
        ] {
            assert!(text.contains(needed), "{needed:?} is missing in {text}");
        }
    }

    #[test]
    fn a_home_elsewhere_is_part_of_the_next_step() {
        let text = banner(
            &Addresses {
                url: "ws://127.0.0.1:1",
                page: None,
                metrics: None,
                has_token_file: false,
            },
            Path::new("/srv/gateway"),
            SHOWN,
            Duration::ZERO,
            Style::plain(),
        );

        assert!(
            text.contains("chat --home /srv/gateway") && !text.contains("page "),
            "{text}"
        );
        assert!(
            text.contains("gateway.auth") && !text.contains("token"),
            "a token that there is not is not offered: {text}"
        );
    }
}
