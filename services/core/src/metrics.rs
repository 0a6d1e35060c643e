//! Prometheus metrics, on a listener of their own: what an operator reads is not on the door that guests use.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::{net::TcpListener, sync::Semaphore, time::timeout};

use crate::drain::Drain;

/// Scrapers at once: one or two in a household.
const SCRAPERS_MAX: usize = 8;

/// A scrape takes milliseconds; whoever holds a connection longer is not a scraper that works.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves `/metrics` until the drain starts. Returns the address, with the port that was given when any was asked for.
///
/// # Errors
/// When the address cannot be bound.
pub async fn serve(registry: Registry, address: SocketAddr, drain: &Drain) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    let (registry, places, end) = (
        Arc::new(registry),
        Arc::new(Semaphore::new(SCRAPERS_MAX)),
        drain.clone(),
    );
    drain.spawn("metrics", async move {
        loop {
            let accepted =
                tokio::select! { accepted = listener.accept() => accepted, () = end.requested() => return };
            let (Ok((socket, _)), Ok(place)) = (accepted, Arc::clone(&places).try_acquire_owned()) else {
                continue;
            };
            let registry = Arc::clone(&registry);
            tokio::spawn(async move {
                let answer = hyper::service::service_fn(move |request| {
                    let answer = answer(&registry, &request);
                    async move { Ok::<_, std::convert::Infallible>(answer) }
                });
                let mut server = hyper::server::conn::http1::Builder::new();
                let connection = server
                    .timer(TokioTimer::new())
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(socket), answer);
                let _ = timeout(SCRAPE_TIMEOUT, connection).await;
                drop(place);
            });
        }
    });
    Ok(bound)
}

fn answer(registry: &Registry, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let (status, body) = match (request.method(), request.uri().path()) {
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

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;

    #[tokio::test]
    async fn a_scrape_shows_the_counters() {
        let mut registry = Registry::default();
        let counter = Counter::<u64>::default();
        registry.register("frames", "Frames so far", counter.clone());
        counter.inc();
        let drain = Drain::new();
        let address = serve(registry, ([127, 0, 0, 1], 0).into(), &drain).await.unwrap();

        let mut socket = TcpStream::connect(address).await.unwrap();
        socket
            .write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).await.unwrap();

        assert!(text.contains("frames_total 1"), "{text}");
    }
}
