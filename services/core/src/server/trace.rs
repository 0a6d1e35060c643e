//! The trace context and a span around each call: which method, from which process and connection. It stands behind the guard
//! and the authority, so that what it says is known.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use gatehouse_contract::Identity;
use http::{Request, Response};
use tokio::task::futures::TaskLocalFuture;
use tokio_util::either::Either;
use tonic::{Code, body::Body};
use tower::{Layer, Service};
use tracing::{Instrument, field::Empty, instrument::Instrumented};

use crate::{
    caller::Caller,
    trace::{self, Kind, Span, TRACEPARENT},
};

/// What every server offers beside its own services: health and reflection. Whoever asks for those is no message.
const STANDARD: &str = "/grpc.";

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

type InContext<F> = TaskLocalFuture<trace::Context, Instrumented<F>>;
type Recorded<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<S> Service<Request<Body>> for Trace<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error: Send + 'static, Future: Send + 'static>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<InContext<S::Future>, Recorded<Result<Response<Body>, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut step = step(&request);
        let context = step.context();
        let span = tracing::debug_span!(
            "rpc",
            rpc.method = request.uri().path(),
            trace.id = context.trace_id(),
            caller.identity = Empty,
            connection.id = Empty,
        );
        if let Some(identity) = request.extensions().get::<Identity>() {
            span.record("caller.identity", identity.name());
            step.set("gatehouse.caller", identity.name());
        }
        if let Some(caller) = request.extensions().get::<Caller>() {
            span.record("connection.id", &caller.connection_id);
        }
        let called = trace::within(context, self.inner.call(request).instrument(span));
        if !step.is_recorded() {
            return Either::Left(called);
        }
        Either::Right(Box::pin(async move {
            let answered = called.await;
            if let Ok(answer) = &answered {
                ended(&mut step, answer);
            }
            answered
        }))
    }
}

/// The step of a call. One without a context comes from a tool of the operator, for every service brings one.
fn step(request: &Request<Body>) -> Span {
    let path = request.uri().path();
    let method = || path.trim_start_matches('/').to_owned();
    let given = request.headers().get(TRACEPARENT);
    let mut step = match given.and_then(trace::Context::from_header) {
        _ if path.starts_with(STANDARD) => Span::unrecorded(trace::Context::new()),
        Some(context) => Span::of(context, Kind::Server, method),
        None => Span::root(Kind::Server, method),
    };
    step.set("rpc.system.name", "grpc");
    step.set("rpc.method", path.trim_start_matches('/'));
    step
}

/// How it ended, as far as it is known before the body: a refusal is in the head of an answer.
fn ended(step: &mut Span, answer: &Response<Body>) {
    let status = answer.headers().get("grpc-status");
    let code = status.map_or(Code::Ok, |status| Code::from_bytes(status.as_bytes()));
    let name = format!("{code:?}");
    step.set("rpc.response.status_code", name.as_str());
    if code != Code::Ok {
        step.fail(&name);
    }
}
