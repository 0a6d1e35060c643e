//! The bounds that a contract declares beside its fields hold for every caller: a gRPC tool is refused as a client of the
//! edge is, by the same library and with the same path.
//!
//! A request of one message is checked whole before the service hears of it. Of a stream each message is checked as it is
//! read; the first bad one ends the call with the refusal that it would get alone, whatever the service makes of it.

mod messages;
mod stream;

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use gatehouse_contract::{MessagePlan, Method};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use tonic::{Status, body::Body, metadata::MetadataValue};
use tower::{Layer, Service};

use self::messages::Messages;
use crate::error::{Failure, Kind};

#[derive(Clone, Copy, Debug)]
pub(super) struct BoundsLayer;

impl<S> Layer<S> for BoundsLayer {
    type Service = Bounds<S>;

    fn layer(&self, inner: S) -> Bounds<S> {
        Bounds { inner }
    }
}

/// It stands behind the authority, which says which method is called.
#[derive(Clone, Debug)]
pub(super) struct Bounds<S> {
    inner: S,
}

impl<S> Service<Request<Body>> for Bounds<S>
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
        let Some(method) = request.extensions().get::<Arc<Method>>().map(Arc::clone) else {
            return self.inner.call(request).boxed(); // health, reflection, or nothing that exists
        };
        if let Some(encoding) = compression(request.headers()) {
            let refusal = compressed(&encoding);
            return async move { Ok(refusal.into_http()) }.boxed();
        }
        let (head, body) = request.into_parts();
        if method.request_stream {
            let (body, verdict) = stream::checked(Arc::clone(&method.request), body);
            let call = self.inner.call(Request::from_parts(head, Body::new(body)));
            return async move { stream::answered(call, verdict).await }.boxed();
        }
        // The service that was asked whether it is ready is the one to call.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        async move {
            match one(&method.request, body).await {
                Ok(message) => {
                    let body = Body::new(Full::new(message));
                    inner.call(Request::from_parts(head, body)).await
                }
                Err(refusal) => Ok(refusal.into_http()),
            }
        }
        .boxed()
    }
}

/// The one message of a body, when what it says is within the bounds.
async fn one(plan: &MessagePlan, body: Body) -> Result<Bytes, Status> {
    let mut body = pin!(body);
    let mut messages = Messages::default();
    let mut first = None;
    loop {
        while let Some(message) = messages.next()? {
            if first.replace(message).is_some() {
                return Err(invalid("more than one message came, and the method takes one"));
            }
        }
        match body.frame().await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    messages.feed(data);
                }
            }
            Some(Err(_)) => return Err(cut_short()),
            None => break,
        }
    }
    messages.end()?;
    let message = first.ok_or_else(|| invalid("no message came, and the method takes one"))?;
    check(plan, &message)?;
    Ok(message)
}

/// Holds a message, given with its prefix, against its contract.
fn check(plan: &MessagePlan, message: &Bytes) -> Result<(), Status> {
    let content = message.get(messages::PREFIX_BYTES..).unwrap_or_default();
    plan.check(content).map_err(|error| {
        let failure = Failure::new(Kind::Invalid, error.to_string());
        Status::from(failure.path(error.path))
    })
}

fn invalid(message: impl Into<String>) -> Status {
    Failure::new(Kind::Invalid, message.into()).into()
}

fn cut_short() -> Status {
    invalid("the request ends in the middle of a message")
}

/// How the messages are compressed, if they are.
fn compression(headers: &HeaderMap) -> Option<String> {
    let encoding = headers.get("grpc-encoding")?;
    (encoding != "identity").then(|| String::from_utf8_lossy(encoding.as_bytes()).into_owned())
}

/// What gRPC asks of a server that does not know an encoding (compression.md): the code, and what it does know. A small
/// message that grows to a large one is a way to use up memory, and between processes of one machine it saves nothing.
fn compressed(encoding: &str) -> Status {
    let mut status = Status::unimplemented(format!(
        "messages compressed with {} are not understood: send them uncompressed (grpc-encoding: identity)",
        encoding.escape_default()
    ));
    let identity = MetadataValue::from_static("identity");
    status.metadata_mut().insert("grpc-accept-encoding", identity);
    status
}

#[cfg(test)]
mod tests;
