//! A bound on how many calls are served at once, and a wall around each: a panic is one caller's failure.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::{BoxFuture, FutureExt};
use http::{Request, Response};
use tokio::sync::Semaphore;
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use crate::error::{Failure, Kind};

/// Calls at once: four edges with 256 waiting calls each. More is a caller gone wild; it is told to come back.
const CALLS_MAX: usize = 1024;

#[derive(Clone, Debug)]
pub(super) struct RoomLayer(Arc<Semaphore>);

impl RoomLayer {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(CALLS_MAX)))
    }
}

impl<S> Layer<S> for RoomLayer {
    type Service = Room<S>;

    fn layer(&self, inner: S) -> Room<S> {
        Room {
            places: Arc::clone(&self.0),
            inner,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Room<S> {
    places: Arc<Semaphore>,
    inner: S,
}

impl<S> Service<Request<Body>> for Room<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Future: Send + 'static>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            let full = Failure::new(
                Kind::Exhausted,
                format!("{CALLS_MAX} calls are under way: try again"),
            )
            .reason("BUSY");
            return async move { Ok(Status::from(full).into_http()) }.boxed();
        };
        let path = request.uri().path().to_owned();
        let call = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        async move {
            let answer = call.await.unwrap_or_else(|_| {
                tracing::error!(rpc.method = path, "a call panicked");
                Ok(Status::internal("internal failure").into_http())
            });
            drop(place);
            answer
        }
        .boxed()
    }
}
