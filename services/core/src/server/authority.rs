//! Who may call what, behind the edge too. The contract is the table: a process calls the methods that list it, and a client
//! the ones that its grants allow. Whatever no rule names is refused.
//!
//! The method is looked up here, once: the layers behind find it among the request's extensions.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::{Either, Ready, ready};
use gatehouse_contract::{Access, Identity, Map, Method};
use http::{HeaderMap, Request, Response};
use tonic::{Status, body::Body, metadata::MetadataMap};
use tower::{Layer, Service};

use super::HEALTH;
use crate::{
    caller::{CALLER_KEY, Caller},
    error::{Failure, Kind},
};

/// Only operators' tools ask which services there are; services know.
const REFLECTION: &str = "/grpc.reflection.";

#[derive(Clone, Debug)]
pub(super) struct AuthorityLayer(pub(super) Arc<Map>);

impl<S> Layer<S> for AuthorityLayer {
    type Service = Authority<S>;

    fn layer(&self, inner: S) -> Authority<S> {
        Authority {
            map: Arc::clone(&self.0),
            inner,
        }
    }
}

/// It stands behind the guard, which says whose call it is.
#[derive(Clone, Debug)]
pub(super) struct Authority<S> {
    map: Arc<Map>,
    inner: S,
}

impl<S: Service<Request<Body>, Response = Response<Body>>> Service<Request<Body>> for Authority<S> {
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response<Body>, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let path = request.uri().path();
        if path.starts_with(HEALTH) {
            return Either::Left(self.inner.call(request));
        }
        let identity = request.extensions().get().copied();
        let decided = caller(request.headers()).and_then(|caller| {
            let identity = identity.ok_or_else(|| refuse("nobody is known to make this call"))?;
            let method = decide(&self.map, path, identity, caller.as_ref())?;
            Ok((method.map(Arc::clone), caller))
        });
        match decided {
            Ok((method, caller)) => {
                if let Some(method) = method {
                    request.extensions_mut().insert(method);
                }
                if let Some(caller) = caller {
                    request.extensions_mut().insert(caller);
                }
                Either::Left(self.inner.call(request))
            }
            Err(refusal) => {
                let identity = identity.map_or("nobody", Identity::name);
                tracing::warn!(rpc.method = path, caller.identity = identity, reason = %refusal.message, "a call is refused");
                Either::Right(ready(Ok(Status::from(refusal).into_http())))
            }
        }
    }
}

/// The client behind a call. One that cannot be read is not taken for none: a call without one is the process's own.
fn caller(headers: &HeaderMap) -> Result<Option<Caller>, Failure> {
    let unreadable = || Failure::new(Kind::Invalid, format!("`{CALLER_KEY}` cannot be read"));
    match headers.get_all(CALLER_KEY).iter().count() {
        0 => Ok(None),
        1 => {
            let metadata = MetadataMap::from_headers(headers.clone());
            Caller::from_metadata(&metadata).map(Some).ok_or_else(unreadable)
        }
        _ => Err(unreadable()),
    }
}

/// The method, if it may be called. `None` for what no contract declares: the router knows what is offered beside them.
fn decide<'m>(
    map: &'m Map,
    path: &str,
    identity: Identity,
    caller: Option<&Caller>,
) -> Result<Option<&'m Arc<Method>>, Failure> {
    if caller.is_some() && !identity.forwards_clients() {
        return Err(refuse(format!(
            "{identity} may not speak for a client, only edge may"
        )));
    }
    let Some(method) = map.rpc(path) else {
        // Nothing else is offered: the router answers that it does not exist.
        return if path.starts_with(REFLECTION) && identity != Identity::Operator {
            Err(refuse(format!(
                "{identity} may not ask for reflection, only operator may"
            )))
        } else {
            Ok(None)
        };
    };
    if !method.callers.contains(&identity) {
        let may: Vec<_> = method.callers.iter().map(|caller| caller.name()).collect();
        let may = may.join(", ");
        return Err(refuse(format!(
            "{identity} may not call {path}: its callers are {may}"
        )));
    }
    match caller {
        Some(caller) => client(method, caller)?,
        None if identity.forwards_clients() && method.access != Access::Internal => {
            return Err(refuse(format!(
                "{identity} calls {path} for clients only, and names none"
            )));
        }
        None => {}
    }
    Ok(Some(method))
}

/// The edge has decided the same; a mistake there must not open anything here.
fn client(method: &Method, caller: &Caller) -> Result<(), Failure> {
    let path = &method.path;
    if method.access == Access::Internal {
        return Err(refuse(format!(
            "{path} is called between services, never for a client"
        )));
    }
    let allowed = caller
        .grants()
        .is_some_and(|grants| method.access.allows(&grants));
    if allowed {
        return Ok(());
    }
    Err(refuse(match method.access.required_scope() {
        Some(scope) => format!("{path} needs scope {scope}"),
        None => format!("role {:?} may not call {path}", caller.role),
    }))
}

fn refuse(message: impl Into<String>) -> Failure {
    Failure::new(Kind::Forbidden, message).reason("CALLER_NOT_ALLOWED")
}

#[cfg(test)]
mod tests;
