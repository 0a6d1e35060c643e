//! One page with the metrics of all processes. The supervisor serves it, because it outlives each of them and knows who should be
//! there: a process that does not answer is on the page all the same, as `gatehouse_up 0`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use futures::future::join_all;
use gatehouse_core::{
    Address, Drain, Home, Service,
    metrics::{self, Exporter, Page, Registry, SERVICE, Source, SourceError},
};

use crate::{
    args::metrics::{DEFAULT, Wanted},
    exit::{Exit, Failed},
};

/// A process writes its page within milliseconds. One that hangs must not keep the scraper from the others, whose own patience is
/// ten seconds by default.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// The page, bound.
#[derive(Debug)]
pub(super) struct Metrics {
    exporter: Option<Exporter>,
    pages: Pages,
}

impl Metrics {
    /// Binds the address. The edge has `door`, or will have it: nobody else may take that.
    pub(super) async fn bind(wanted: Option<Wanted>, door: SocketAddr, home: &Home) -> Result<Self, Failed> {
        let is_door = |address: SocketAddr| address.port() != 0 && address.port() == door.port();
        if let Some(Wanted::At(address)) = wanted
            && is_door(address)
        {
            return Err(Failed::new(
                Exit::Usage,
                format!("metrics and clients cannot both have port {}", address.port()),
            )
            .next("take another port with --metrics (0 takes a free one) or with --port"));
        }
        let listen = async |address: SocketAddr| Exporter::bind(&Address::Tcp(address.to_string())).await;
        let bound = match wanted {
            Some(Wanted::Off) => None,
            Some(Wanted::At(address)) => Some((address, listen(address).await)),
            None if is_door(DEFAULT) => {
                let any = SocketAddr::new(DEFAULT.ip(), 0);
                Some((any, listen(any).await))
            }
            None => Some(match listen(DEFAULT).await {
                Ok(exporter) => (DEFAULT, Ok(exporter)),
                Err(_) => {
                    let any = SocketAddr::new(DEFAULT.ip(), 0);
                    (any, listen(any).await)
                }
            }),
        };
        let exporter = bound.map(|(address, bound)| {
            bound.map_err(|error| {
                Failed::new(
                    Exit::Failed,
                    format!("cannot listen on {address} for metrics: {error}"),
                )
                .next("take a free port with --metrics 0, another address, or --metrics off")
            })
        });
        Ok(Self {
            exporter: exporter.transpose()?,
            pages: Pages::of(home),
        })
    }

    /// Where the page is.
    pub(super) fn url(&self) -> Option<String> {
        match self.exporter.as_ref()?.address().ok()? {
            Address::Tcp(address) => Some(format!("http://{address}/metrics")),
            Address::Unix(_) => None,
        }
    }

    /// Serves the page until the drain starts.
    pub(super) fn serve(self, drain: &Drain) {
        if let Some(exporter) = self.exporter {
            exporter.serve(self.pages, drain);
        }
    }
}

/// What the page is made of.
#[derive(Debug)]
struct Pages {
    own: Registry,
    sockets: Vec<(Service, PathBuf)>,
}

impl Pages {
    fn of(home: &Home) -> Self {
        let mut own = metrics::registry("up");
        metrics::register_process(&mut own, None);
        Self {
            own,
            sockets: Service::ALL
                .map(|service| (service, home.metrics_socket(service)))
                .into(),
        }
    }
}

impl Source for Pages {
    async fn page(&self) -> Result<Page, SourceError> {
        let mut page = self.own.page().await?;
        let asked = self
            .sockets
            .iter()
            .map(async |(service, socket)| (*service, metrics::fetch(socket, ANSWER_WITHIN).await));
        for (service, answer) in join_all(asked).await {
            match answer {
                Ok(its) => page.merge(its),
                Err(_) => {
                    page.gauge(
                        "gatehouse_up",
                        "Whether the process answers.",
                        (SERVICE, service.name()),
                        0,
                    );
                }
            }
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_core::{Env, metrics::Format};
    use tokio::net::TcpListener;

    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let env = Env::of([("GATEHOUSE_HOME", folder.path().to_string_lossy())]);
        (folder, Home::read(&env))
    }

    #[tokio::test]
    async fn a_process_that_does_not_answer_is_on_the_page_as_down() {
        let ((_folder, home), drain) = (home(), Drain::new());
        let socket = Address::Unix(home.metrics_socket(Service::Session));
        let mut session = metrics::registry("session");
        metrics::register_process(&mut session, None);
        Exporter::bind(&socket).await.unwrap().serve(session, &drain);

        let page = Pages::of(&home).page().await.unwrap().render(Format::Text);

        for line in [
            "gatehouse_up{service=\"up\"} 1",
            "gatehouse_up{service=\"session\"} 1",
            "gatehouse_up{service=\"agent\"} 0",
            "gatehouse_up{service=\"edge\"} 0",
        ] {
            assert!(
                page.lines().any(|found| found.starts_with(line)),
                "{line}: {page}"
            );
        }
        assert_eq!(page.matches("# TYPE gatehouse_up gauge").count(), 1, "{page}");
    }

    const DOOR: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 18_789);

    #[tokio::test]
    async fn metrics_never_take_the_port_that_clients_are_to_connect_to() {
        let (_folder, home) = home();

        let beside = Metrics::bind(None, DEFAULT, &home).await.unwrap();
        let asked = Metrics::bind(Some(Wanted::At(DOOR)), DOOR, &home)
            .await
            .unwrap_err();

        let url = beside.url().unwrap();
        assert!(!url.contains(":18790/"), "{url}");
        assert!(
            asked.exit == Exit::Usage && asked.to_string().contains("18789"),
            "{asked}"
        );
        let any = SocketAddr::new(DEFAULT.ip(), 0);
        let both = Metrics::bind(Some(Wanted::At(any)), any, &home).await;
        assert!(both.is_ok(), "two free ports are two");
    }

    #[tokio::test]
    async fn a_second_gateway_takes_a_free_port_and_one_that_was_asked_for_must_work() {
        let (_folder, home) = home();
        let first = TcpListener::bind(DEFAULT).await; // or another program of this machine has it
        let second = Metrics::bind(None, DOOR, &home).await.unwrap();

        let url = second.url().unwrap();
        assert!(
            url.starts_with("http://127.0.0.1:") && !url.contains(":18790/"),
            "{url}"
        );
        let taken = url
            .trim_start_matches("http://")
            .trim_end_matches("/metrics")
            .parse()
            .unwrap();
        let refused = Metrics::bind(Some(Wanted::At(taken)), DOOR, &home)
            .await
            .unwrap_err();
        assert!(refused.to_string().contains("--metrics 0"), "{refused}");
        assert_eq!(
            Metrics::bind(Some(Wanted::Off), DOOR, &home).await.unwrap().url(),
            None
        );
        drop(first);
    }
}
