//! Nobody calls a service of the house without its credential. Only health answers to anybody: it says nothing but yes or no.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::{Either, Ready, ready};
use http::{Request, Response, header::AUTHORIZATION};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use crate::secret::Secret;

const HEALTH: &str = "/grpc.health.v1.Health/";

#[derive(Clone, Debug)]
pub(super) struct GuardLayer(Arc<Secret>);

impl GuardLayer {
    pub(super) fn new(credential: Secret) -> Self {
        Self(Arc::new(credential))
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard {
            credential: Arc::clone(&self.0),
            inner,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Guard<S> {
    credential: Arc<Secret>,
    inner: S,
}

impl<S: Service<Request<Body>, Response = Response<Body>>> Service<Request<Body>> for Guard<S> {
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response<Body>, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let offered = request
            .headers()
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let offered = offered.and_then(|value| value.strip_prefix("Bearer "));
        if request.uri().path().starts_with(HEALTH)
            || offered.is_some_and(|offered| self.credential.matches(offered))
        {
            return Either::Left(self.inner.call(request));
        }
        let refusal = match offered {
            Some(_) => "the service credential is wrong: read it from the house's credential/service file",
            None => {
                "the service credential is missing: send `authorization: Bearer <content of credential/service>`"
            }
        };
        Either::Right(ready(Ok(Status::unauthenticated(refusal).into_http())))
    }
}
