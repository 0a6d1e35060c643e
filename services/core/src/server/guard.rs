//! Nobody calls a service without a credential that it knows. Only health answers anybody: it says nothing but yes or no.

use std::{
    mem,
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::{BoxFuture, Either, FutureExt, Ready, ready};
use http::{Request, Response, header::AUTHORIZATION};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use super::HEALTH;
use crate::{
    credential::Directory,
    error::{Failure, Kind},
};

#[derive(Clone, Debug)]
pub(super) struct GuardLayer(Directory);

impl GuardLayer {
    pub(super) fn new(callers: Directory) -> Self {
        Self(callers)
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard {
            callers: self.0.clone(),
            inner,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Guard<S> {
    callers: Directory,
    inner: S,
}

type Answer<E> = Result<Response<Body>, E>;

impl<S> Service<Request<Body>> for Guard<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error: Send, Future: Send> + Clone + Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, Either<Ready<Answer<S::Error>>, BoxFuture<'static, Answer<S::Error>>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if request.uri().path().starts_with(HEALTH) {
            return Either::Left(self.inner.call(request));
        }
        let Some(shown) = shown(&request) else {
            let refusal =
                "a credential is missing: send `authorization: Bearer <content of credential/operator>`";
            return Either::Right(Either::Left(ready(Ok(refuse(refusal)))));
        };
        if let Some(identity) = self.callers.identify(&shown) {
            request.extensions_mut().insert(identity);
            return Either::Left(self.inner.call(request));
        }
        if !self.callers.looks_again() {
            return Either::Right(Either::Left(ready(Ok(refuse(UNKNOWN)))));
        }
        // Perhaps the secret was made after we read the digests. The service that was asked whether it is ready is the one
        // to call.
        let clone = self.inner.clone();
        let (mut inner, callers) = (mem::replace(&mut self.inner, clone), self.callers.clone());
        let again = async move {
            callers.reread().await;
            let Some(identity) = callers.identify(&shown) else {
                return Ok(refuse(UNKNOWN));
            };
            request.extensions_mut().insert(identity);
            inner.call(request).await
        };
        Either::Right(Either::Right(again.boxed()))
    }
}

const UNKNOWN: &str = "the credential is not known here: it is that of another home, of another service, or was replaced; an \
                       operator's tool shows the content of credential/operator";

fn shown(request: &Request<Body>) -> Option<Arc<str>> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").map(Arc::from)
}

fn refuse(message: &'static str) -> Response<Body> {
    let refusal = Failure::new(Kind::Unauthenticated, message).reason("UNKNOWN_CREDENTIAL");
    Status::from(refusal).into_http()
}
