//! The bounds that a contract declares beside its fields hold for every caller: a gRPC tool is refused as a client of the
//! edge is, by the same library and with the same path.

use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use gatehouse_contract::{Contract, Method};
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use super::MESSAGE_BYTES_MAX;
use crate::error::{Failure, Kind};

/// The bytes before a gRPC message: a compression flag and a length of four (gRPC over HTTP/2).
const PREFIX_BYTES: usize = 5;

#[derive(Clone, Copy, Debug)]
pub(super) struct BoundsLayer;

impl<S> Layer<S> for BoundsLayer {
    type Service = Bounds<S>;

    fn layer(&self, inner: S) -> Bounds<S> {
        Bounds { inner }
    }
}

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
        let Some(method) = Contract::house().rpc(request.uri().path()) else {
            return self.inner.call(request).boxed(); // health, reflection, or nothing that exists
        };
        // The service that was asked whether it is ready is the one to call.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        async move {
            let (head, body) = request.into_parts();
            match checked(method, body).await {
                Ok(body) => inner.call(Request::from_parts(head, body)).await,
                Err(refusal) => Ok(Status::from(refusal).into_http()),
            }
        }
        .boxed()
    }
}

/// The body again, when what it says is within the bounds.
async fn checked(method: &Method, body: Body) -> Result<Body, Failure> {
    let whole = Limited::new(body, PREFIX_BYTES + MESSAGE_BYTES_MAX)
        .collect()
        .await;
    let bytes = whole
        .map_err(|_| Failure::new(Kind::Invalid, "the request is cut short or larger than 32 MiB"))?
        .to_bytes();
    let message = message(&bytes)
        .ok_or_else(|| Failure::new(Kind::Invalid, "the request is not one uncompressed gRPC message"))?;
    method
        .request
        .check(message)
        .map_err(|error| Failure::new(Kind::Invalid, error.to_string()).path(error.path.clone()))?;
    Ok(Body::new(Full::new(bytes)))
}

/// The one message of a unary request, without its prefix.
fn message(bytes: &Bytes) -> Option<&[u8]> {
    let (prefix, message) = bytes.split_at_checked(PREFIX_BYTES)?;
    let (flag, length) = prefix.split_first()?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    (*flag == 0 && usize::try_from(length).ok()? == message.len()).then_some(message)
}
