//! The trace context and a span around each call: which method, from which process and connection. It stands behind the guard
//! and the authority, so that what it says is known.

use std::task::{Context, Poll};

use gatehouse_contract::Identity;
use http::{Request, Response};
use tokio::task::futures::TaskLocalFuture;
use tonic::body::Body;
use tower::{Layer, Service};
use tracing::{Instrument, field::Empty, instrument::Instrumented};

use crate::{
    caller::Caller,
    trace::{self, TRACEPARENT},
};

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
    type Future = TaskLocalFuture<trace::Context, Instrumented<S::Future>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let given = request.headers().get(TRACEPARENT);
        let context = given.and_then(trace::Context::from_header).unwrap_or_default();
        let span = tracing::debug_span!(
            "rpc",
            rpc.method = request.uri().path(),
            trace.id = context.trace_id(),
            caller.identity = Empty,
            connection.id = Empty,
        );
        if let Some(identity) = request.extensions().get::<Identity>() {
            span.record("caller.identity", identity.name());
        }
        if let Some(caller) = request.extensions().get::<Caller>() {
            span.record("connection.id", &caller.connection_id);
        }
        trace::within(context, self.inner.call(request).instrument(span))
    }
}
