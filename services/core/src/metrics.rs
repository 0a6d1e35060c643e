//! Prometheus metrics, on a listener of their own: what an operator reads is not on the one that clients use.
//!
//! Each process has a registry with its name as a label. Where a process stands for several, as `gatehouse up` does, the pages are
//! joined as they are ([`Page::merge`]).

mod fetch;
mod format;
mod page;
mod process;
mod push;
mod words;

use std::{future::Future, io, path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use futures::future::join_all;

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::text::encode;
pub use prometheus_client::registry::Registry;
use tokio::{
    net::{TcpStream, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::either::Either;

pub(crate) use self::push::begin as begin_to_push;
pub use self::{
    fetch::fetch,
    format::Format,
    page::{Page, PageError},
    process::register as register_process,
    words::Words,
};
pub use crate::histograms::Histograms;
use crate::{
    address::{Address, Listener},
    drain::Drain,
    error::Chain,
    net::{HostName, host_of},
    server::socket_identity,
};

/// Scrapers at once: one or two in a household.
const SCRAPERS_MAX: usize = 8;

/// A scrape takes milliseconds; whoever holds a connection longer is not a scraper that works.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(10);

/// Out of descriptors, the next accept would fail at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The label that names the process.
pub const SERVICE: &str = "service";

/// A registry whose metrics all say which process they are of.
#[must_use]
pub fn registry(service: &'static str) -> Registry {
    Registry::with_labels(std::iter::once((SERVICE.into(), service.into())))
}

/// Where a page comes from, made anew for each scrape.
pub trait Source: Send + Sync + 'static {
    /// The page as it is now.
    fn page(&self) -> impl Future<Output = Result<Page, SourceError>> + Send;
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The registry could not be written.
    #[error("the metrics cannot be written")]
    Encode(#[from] std::fmt::Error),
    /// What was written is no page.
    #[error("what the registry wrote is not a page of metrics")]
    Page(#[from] PageError),
}

impl Source for Registry {
    async fn page(&self) -> Result<Page, SourceError> {
        let mut text = String::new();
        encode(&mut text, self)?;
        Ok(Page::read(&text)?)
    }
}

impl<S: Source> Source for Arc<S> {
    async fn page(&self) -> Result<Page, SourceError> {
        S::page(self).await
    }
}

/// Brings gauges up to date whose figures cost a question, for example of a database: asked when somebody scrapes, and not before.
pub type Sample = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// A database that hangs must not take the page with it: its gauges stay as they were.
const SAMPLE_WITHIN: Duration = Duration::from_millis(500);

/// A registry, and what is asked before it is written.
pub(crate) struct Sampled {
    pub(crate) registry: Registry,
    pub(crate) samples: Vec<Sample>,
}

impl Source for Sampled {
    async fn page(&self) -> Result<Page, SourceError> {
        let asked = join_all(self.samples.iter().map(|sample| sample()));
        let _ = timeout(SAMPLE_WITHIN, asked).await;
        self.registry.page().await
    }
}

/// A listener for scrapers that is bound and does not answer yet.
#[derive(Debug)]
pub struct Exporter(Listener);

impl Exporter {
    /// Binds. A Unix socket is for this user alone.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(address: &Address) -> io::Result<Self> {
        Ok(Self(Listener::bind(address).await?))
    }

    /// Where it listens, with the port that was given when it asked for any.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn address(&self) -> io::Result<Address> {
        self.0.address()
    }

    /// Serves `/metrics` until the drain starts.
    pub fn serve(self, source: impl Source, drain: &Drain) {
        let (source, places, end) = (
            Arc::new(source),
            Arc::new(Semaphore::new(SCRAPERS_MAX)),
            drain.clone(),
        );
        drain.spawn("metrics", async move {
            let _file = SocketFile::of(&self.0);
            loop {
                let accepted =
                    tokio::select! { accepted = accept(&self.0) => accepted, () = end.requested() => return };
                match accepted {
                    Ok(socket) => {
                        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                            tokio::spawn(scrape(socket, Arc::clone(&source), place));
                        }
                    }
                    Err(error) => {
                        tracing::debug!(%error, "a scraper could not be accepted");
                        sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        });
    }
}

async fn accept(listener: &Listener) -> io::Result<Either<TcpStream, UnixStream>> {
    match listener {
        Listener::Tcp(listener) => Ok(Either::Left(listener.accept().await?.0)),
        Listener::Unix(listener, _) => Ok(Either::Right(listener.accept().await?.0)),
    }
}

/// The file of a Unix socket goes with its listener, unless a successor has bound the path by then.
struct SocketFile(Option<(PathBuf, (u64, u64))>);

impl SocketFile {
    fn of(listener: &Listener) -> Self {
        let path = match listener {
            Listener::Unix(_, path) => Some(path.clone()),
            Listener::Tcp(_) => None,
        };
        Self(path.and_then(|path| socket_identity(&path).map(|identity| (path, identity))))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Some((path, ours)) = self.0.take()
            && socket_identity(&path) == Some(ours)
        {
            let _ = std::fs::remove_file(path); // the next one takes it over all the same
        }
    }
}

/// Answers one scraper.
async fn scrape(
    socket: Either<TcpStream, UnixStream>,
    source: Arc<impl Source>,
    _place: OwnedSemaphorePermit,
) {
    let service = hyper::service::service_fn(move |request| {
        let source = Arc::clone(&source);
        async move { Ok::<_, std::convert::Infallible>(answer(&*source, &request).await) }
    });
    let mut server = hyper::server::conn::http1::Builder::new();
    let connection = server
        .timer(TokioTimer::new())
        .keep_alive(false)
        .serve_connection(TokioIo::new(socket), service);
    let _ = timeout(SCRAPE_TIMEOUT, connection).await;
}

async fn answer(source: &impl Source, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let plain = |status, text: &'static str| respond(status, Format::Text.content_type(), text.into());
    match (request.method(), request.uri().path()) {
        // A page whose name was made to point here must not read what an operator reads.
        _ if !is_ours(request) => plain(
            StatusCode::FORBIDDEN,
            "ask for an address, for localhost or for a name without dots\n",
        ),
        (&Method::GET | &Method::HEAD, "/metrics") => match source.page().await {
            Ok(page) => {
                let format = Format::accepted(request.headers());
                respond(StatusCode::OK, format.content_type(), page.render(format))
            }
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "metrics could not be written");
                plain(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the metrics cannot be written; the log says why\n",
                )
            }
        },
        (_, "/metrics") => {
            let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "GET /metrics\n");
            let allowed = HeaderValue::from_static("GET, HEAD");
            refused.headers_mut().insert(header::ALLOW, allowed);
            refused
        }
        _ => plain(StatusCode::NOT_FOUND, "GET /metrics\n"),
    }
}

fn respond(status: StatusCode, kind: HeaderValue, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
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
mod tests;
