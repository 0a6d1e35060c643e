//! A span around each call: which method, from which connection, in which trace. It stands behind the credential, so that what
//! it reads was written by the house; a caller that cannot be read is refused, because a call without one is the house's own.

use std::task::{Context, Poll};

use futures::future::{Either, Ready, ready};
use http::{Request, Response};
use tonic::{Status, body::Body, metadata::MetadataMap};
use tower::{Layer, Service};
use tracing::{Instrument, field::Empty, instrument::Instrumented};

use crate::caller::{CALLER_KEY, Caller};

#[derive(Clone, Copy, Debug)]
pub(super) struct TraceLayer;

impl<S> Layer<S> for TraceLayer {
    type Service = Trace<S>;

    fn layer(&self, inner: S) -> Trace<S> {
        Trace { inner }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Trace<S> {
    inner: S,
}

impl<S: Service<Request<Body>, Response = Response<Body>>> Service<Request<Body>> for Trace<S> {
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<Instrumented<S::Future>, Ready<Result<Response<Body>, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let span = tracing::debug_span!(
            "rpc",
            rpc.method = request.uri().path(),
            connection.id = Empty,
            traceparent = Empty
        );
        if request.headers().contains_key(CALLER_KEY) {
            let metadata = MetadataMap::from_headers(request.headers().clone());
            let Some(caller) = Caller::from_metadata(&metadata) else {
                let refusal = Status::invalid_argument(format!("`{CALLER_KEY}` cannot be read"));
                return Either::Right(ready(Ok(refusal.into_http())));
            };
            span.record("connection.id", caller.connection_id);
            if let Some(traceparent) = caller.traceparent {
                span.record("traceparent", traceparent);
            }
        }
        Either::Left(self.inner.call(request).instrument(span))
    }
}
