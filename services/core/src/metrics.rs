//! Prometheus metrics, on a listener of their own: what an operator reads is not on the one that clients use.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::{
    drain::Drain,
    net::{HostName, host_of},
};

/// Scrapers at once: one or two in a household.
const SCRAPERS_MAX: usize = 8;

/// A scrape takes milliseconds; whoever holds a connection longer is not a scraper that works.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(10);

/// A listener for scrapers that is bound and does not answer yet.
#[derive(Debug)]
pub struct Exporter(TcpListener);

impl Exporter {
    /// Binds.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        Ok(Self(TcpListener::bind(address).await?))
    }

    /// Where it listens, with the port that was given when it asked for any.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Serves `/metrics` until the drain starts.
    pub fn serve(self, registry: Registry, drain: &Drain) {
        let (registry, places, end) = (
            Arc::new(registry),
            Arc::new(Semaphore::new(SCRAPERS_MAX)),
            drain.clone(),
        );
        drain.spawn("metrics", async move {
            loop {
                let accepted =
                    tokio::select! { accepted = self.0.accept() => accepted, () = end.requested() => return };
                if let (Ok((socket, _)), Ok(place)) = (accepted, Arc::clone(&places).try_acquire_owned()) {
                    tokio::spawn(scrape(socket, Arc::clone(&registry), place));
                }
            }
        });
    }
}

/// Answers one scraper.
async fn scrape(socket: TcpStream, registry: Arc<Registry>, _place: OwnedSemaphorePermit) {
    let service = hyper::service::service_fn(move |request| {
        let answer = answer(&registry, &request);
        async move { Ok::<_, std::convert::Infallible>(answer) }
    });
    let mut server = hyper::server::conn::http1::Builder::new();
    let connection = server
        .timer(TokioTimer::new())
        .keep_alive(false)
        .serve_connection(TokioIo::new(socket), service);
    let _ = timeout(SCRAPE_TIMEOUT, connection).await;
}

fn answer(registry: &Registry, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let (status, body) = match (request.method(), request.uri().path()) {
        // A page whose name was made to point here must not read what an operator reads.
        _ if !is_ours(request) => (
            StatusCode::FORBIDDEN,
            "ask for an address, for localhost or for a name without dots\n".into(),
        ),
        (&Method::GET, "/metrics") => {
            let mut text = String::new();
            match encode(&mut text, registry) {
                Ok(()) => (StatusCode::OK, text),
                Err(_) => (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the metrics cannot be written\n".into(),
                ),
            }
        }
        (_, "/metrics") => (StatusCode::METHOD_NOT_ALLOWED, "GET /metrics\n".into()),
        _ => (StatusCode::NOT_FOUND, "GET /metrics\n".into()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}

/// Whether the request was meant for this listener, by every name that it gives. A scraper of HTTP/1.0 gives none.
fn is_ours(request: &Request<Incoming>) -> bool {
    let page = request.headers().contains_key(header::ORIGIN);
    let ours = |authority: &str| match HostName::of(host_of(authority)) {
        HostName::Fixed => true,
        HostName::Plain => !page,
        HostName::Owned => false,
    };
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let target = request.uri().authority();
    hosts.all(|host| host.to_str().is_ok_and(ours)) && target.is_none_or(|authority| ours(authority.as_str()))
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_scrape_shows_the_counters() {
        let mut registry = Registry::default();
        let counter = Counter::<u64>::default();
        registry.register("frames", "Frames so far", counter.clone());
        counter.inc();
        let drain = Drain::new();
        let address = serve(registry, &drain).await;

        for host in ["x", "127.0.0.1:1", "localhost", "[::1]:9"] {
            let text = ask(address, &format!("GET /metrics HTTP/1.1\r\nhost: {host}\r\n\r\n")).await;
            assert!(text.contains("frames_total 1"), "{host}: {text}");
        }
    }

    #[tokio::test]
    async fn a_name_that_was_made_to_point_here_shows_nothing() {
        let drain = Drain::new();
        let address = serve(Registry::default(), &drain).await;

        for head in [
            "GET /metrics HTTP/1.1\r\nhost: rebound.example\r\n",
            "GET /metrics HTTP/1.1\r\nhost: localhost\r\nhost: rebound.example\r\n",
            "GET http://rebound.example/metrics HTTP/1.1\r\nhost: localhost\r\n",
            "GET /metrics HTTP/1.1\r\nhost: edge\r\norigin: http://edge\r\n",
            "GET /metrics HTTP/1.1\r\nhost: 0.0.0.0\r\n",
        ] {
            let text = ask(address, &format!("{head}\r\n")).await;
            assert!(text.starts_with("HTTP/1.1 403"), "{head}: {text}");
        }
    }

    async fn serve(registry: Registry, drain: &Drain) -> SocketAddr {
        let exporter = Exporter::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = exporter.address().unwrap();
        exporter.serve(registry, drain);
        address
    }

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).await.unwrap();
        text
    }
}
