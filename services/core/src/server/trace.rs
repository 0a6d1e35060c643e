//! A span around each call: which method, from which process and connection, in which trace. It stands behind the guard and
//! the authority, so that what it says is known.

use std::task::{Context, Poll};

use gatehouse_contract::Identity;
use http::{Request, Response};
use tonic::body::Body;
use tower::{Layer, Service};
use tracing::{Instrument, field::Empty, instrument::Instrumented};

use crate::caller::Caller;

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
    type Future = Instrumented<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let span = tracing::debug_span!(
            "rpc",
            rpc.method = request.uri().path(),
            caller.identity = Empty,
            connection.id = Empty,
            traceparent = Empty
        );
        if let Some(identity) = request.extensions().get::<Identity>() {
            span.record("caller.identity", identity.name());
        }
        if let Some(caller) = request.extensions().get::<Caller>() {
            span.record("connection.id", &caller.connection_id);
            if let Some(traceparent) = &caller.traceparent {
                span.record("traceparent", traceparent);
            }
        }
        self.inner.call(request).instrument(span)
    }
}
