//! A bound on the calls that are served at once, and a wall around each: a panic is one caller's failure.
//!
//! There are three kinds of places, and none can be taken by another kind: calls for clients, their long waits, and the
//! calls of each process for itself. Health checks need no place. A place is held until the last byte of the answer is
//! written: a stream that is open, or an answer that is not read, costs as much as a call that waits. Who asks for a large answer waits
//! in its place for its turn ([`large`](super::large)).

use std::{
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use gatehouse_contract::{Identity, Method};
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use super::{
    HEALTH,
    budget::{self, Budget, Full, Payer},
    large::{LargeAnswers, Turn},
    meters::Meters,
};
use crate::{
    caller::Caller,
    error::{Failure, Kind},
};

/// Calls for clients at once. They end within milliseconds. Three quarters of them, what clients with the one shared token
/// may take, are those of four edges with 256 waiting calls each, and some more.
const CALLS_MAX: usize = 1536;

/// Long waits for clients at once. One that waits costs some kilobytes. Three quarters of them are more than the answers to programs that
/// an edge has under way at once, which all may come with the one shared token.
const LONG_WAITS_MAX: usize = 2048;

/// Calls of one process for itself: turns that run, messages that are handed over, streams that are followed.
const OWN_CALLS_MAX: usize = 1024;

/// Open health watches. Anybody may ask for one; nobody needs more than a few.
const HEALTH_WATCHES_MAX: usize = 64;

/// When a short call may be tried again.
const RETRY_CALL: Duration = Duration::from_millis(250);

/// The same for a long wait: places come back when runs end.
const RETRY_WAIT: Duration = Duration::from_secs(2);

/// What all devices are known by that show the one gateway token.
const SHARED_TOKEN: &str = "token";

#[derive(Clone, Debug)]
pub(super) struct PlacesLayer {
    places: Arc<Places>,
    meters: Meters,
}

#[derive(Debug)]
struct Places {
    calls: Arc<Budget>,
    waits: Arc<Budget>,
    own: [(Identity, Arc<Semaphore>); Identity::ALL.len()],
    watches: Arc<Semaphore>,
    large: Arc<LargeAnswers>,
}

impl PlacesLayer {
    pub(super) fn new(meters: Meters) -> Self {
        let places = Places {
            calls: Budget::new(CALLS_MAX),
            waits: Budget::new(LONG_WAITS_MAX),
            own: Identity::ALL.map(|identity| (identity, Arc::new(Semaphore::new(OWN_CALLS_MAX)))),
            watches: Arc::new(Semaphore::new(HEALTH_WATCHES_MAX)),
            large: LargeAnswers::new(),
        };
        Self {
            places: Arc::new(places),
            meters,
        }
    }

    /// How many places of each kind are taken, of how many: those of clients, of their long waits, and of each process.
    pub(super) fn taken(&self) -> Vec<(&'static str, usize, usize)> {
        let (calls, waits) = (self.places.calls.taken(), self.places.waits.taken());
        let mut all = vec![("clients", calls.0, calls.1), ("waits", waits.0, waits.1)];
        all.extend(self.places.own.iter().map(|(identity, places)| {
            let taken = OWN_CALLS_MAX - places.available_permits();
            (identity.name(), taken, OWN_CALLS_MAX)
        }));
        all
    }
}

impl<S> Layer<S> for PlacesLayer {
    type Service = Placed<S>;

    fn layer(&self, inner: S) -> Placed<S> {
        Placed {
            places: Arc::clone(&self.places),
            meters: self.meters.clone(),
            inner,
        }
    }
}

/// What a call holds while it is served.
#[derive(Debug)]
#[expect(dead_code, reason = "held for what its end does")]
enum Place {
    Client(budget::Place),
    Own(OwnedSemaphorePermit),
    /// Answered at once, from memory.
    None,
}

impl Places {
    fn take(&self, request: &Request<Body>) -> Result<Place, Failure> {
        let path = request.uri().path();
        if let Some(method) = path.strip_prefix(HEALTH) {
            let watches = method == "Watch";
            return if watches {
                own(&self.watches)
            } else {
                Ok(Place::None)
            };
        }
        let extensions = request.extensions();
        if let Some(caller) = extensions.get::<Caller>() {
            let waits = extensions
                .get::<Arc<Method>>()
                .is_some_and(|method| method.long_wait);
            let budget = if waits { &self.waits } else { &self.calls };
            return match budget.take(payer(caller)) {
                Ok(place) => Ok(Place::Client(place)),
                Err(full) => Err(refusal(full, waits)),
            };
        }
        let places = extensions
            .get::<Identity>()
            .and_then(|identity| self.own.iter().find(|(other, _)| other == identity));
        let (_, places) = places.ok_or_else(|| Failure::new(Kind::Internal, "a call of nobody"))?;
        own(places)
    }

    /// The turn that a call waits for, when its answer may be large. Processes that call for themselves are each one connection.
    fn turn(&self, request: &Request<Body>) -> Option<impl Future<Output = Turn> + use<>> {
        let extensions = request.extensions();
        extensions
            .get::<Arc<Method>>()
            .filter(|method| method.large_answer)?;
        let connection = match extensions.get::<Caller>() {
            Some(caller) => caller.connection_id.as_str().into(),
            None => extensions.get::<Identity>()?.to_string().into(),
        };
        Some(Arc::clone(&self.large).turn(connection))
    }
}

/// The connection's id is the edge's own, the device is bound to what was shown: a client chooses neither.
fn payer(caller: &Caller) -> Payer {
    Payer {
        principal: caller.device_id.as_deref().unwrap_or(SHARED_TOKEN).into(),
        connection: caller.connection_id.as_str().into(),
    }
}

fn own(places: &Arc<Semaphore>) -> Result<Place, Failure> {
    Arc::clone(places)
        .try_acquire_owned()
        .map(Place::Own)
        .map_err(|_| {
            busy(
                "too many calls of this process are under way: try again",
                "BUSY",
                RETRY_CALL,
            )
        })
}

fn refusal(full: Full, waits: bool) -> Failure {
    let (what, retry) = if waits {
        ("long waits", RETRY_WAIT)
    } else {
        ("calls", RETRY_CALL)
    };
    let (message, reason) = match full {
        Full::All { total } => (
            format!("all {total} places for {what} are taken: try again"),
            "BUSY",
        ),
        Full::Principal { places } => (
            format!("{places} {what} are under way with this credential, its share for now: try again"),
            "CREDENTIAL_BUSY",
        ),
        Full::Connection { places } => (
            format!("{places} {what} of this connection are under way, its share for now: try again"),
            "CONNECTION_BUSY",
        ),
    };
    busy(message, reason, retry)
}

fn busy(message: impl Into<String>, reason: &'static str, retry: Duration) -> Failure {
    Failure::new(Kind::Exhausted, message)
        .reason(reason)
        .retry_after(retry)
}

#[derive(Clone, Debug)]
pub(super) struct Placed<S> {
    places: Arc<Places>,
    meters: Meters,
    inner: S,
}

impl<S> Service<Request<Body>> for Placed<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Future: Send + 'static> + Clone + Send + 'static,
    S::Error: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let place = match self.places.take(&request) {
            Ok(place) => place,
            Err(full) => return async move { Ok(Status::from(full).into_http()) }.boxed(),
        };
        let path = request.uri().path().to_owned();
        let is_declared = request.extensions().get::<Arc<Method>>().is_some();
        let (meters, began) = (self.meters.clone(), Instant::now());
        let turn = self.places.turn(&request);
        // The service that was asked whether it is ready is the one to call.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        async move {
            let turn = match turn {
                Some(turn) => Some(turn.await),
                None => None,
            };
            let call = AssertUnwindSafe(async move { inner.call(request).await }).catch_unwind();
            let answer = call.await.unwrap_or_else(|_| {
                tracing::error!(rpc.method = path, "a call panicked");
                Ok(Status::internal("internal failure").into_http())
            })?;
            if is_declared {
                meters.answered(&path, began.elapsed());
            }
            let holding = |body| Holding {
                body,
                _place: place,
                _turn: turn,
            };
            Ok(answer.map(|body| Body::new(holding(body))))
        }
        .boxed()
    }
}

/// An answer, and what it holds until it is written or given up.
struct Holding {
    body: Body,
    _place: Place,
    _turn: Option<Turn>,
}

impl http_body::Body for Holding {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
