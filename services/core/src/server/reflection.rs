//! Reflection, for tools that know nothing of the contracts. It is made when the first one asks: two versions of the protocol, each with
//! its copy of all descriptors and an index of their names, are megabytes in each process, and hardly any process is ever asked.

use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use http::{Request, Response};
use tonic::{body::Body, server::NamedService, service::RoutesBuilder};
use tonic_reflection::server::Builder;
use tower::Service as TowerService;

/// Offers both versions of reflection, with these services.
pub(super) fn offer(routes: &mut RoutesBuilder, names: &[&'static str]) {
    let v1_names = names.to_vec();
    routes.add_service(Lazy::new(move || builder(&v1_names).build_v1().expect(READABLE)));
    let v1alpha_names = names.to_vec();
    routes.add_service(Lazy::new(move || {
        builder(&v1alpha_names).build_v1alpha().expect(READABLE)
    }));
}

const READABLE: &str = "the build made these descriptors, and the map of methods was read from them";

fn builder(names: &[&'static str]) -> Builder<'static> {
    let builder = Builder::configure()
        .register_encoded_file_descriptor_set(gatehouse_proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        // What a refusal says besides its message: tools show it only when they know its types.
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        .with_service_name("grpc.health.v1.Health");
    names
        .iter()
        .fold(builder, |builder, name| builder.with_service_name(*name))
}

/// A service that is made with its first call. Clones share it.
struct Lazy<S> {
    made: Arc<OnceLock<S>>,
    make: Arc<dyn Fn() -> S + Send + Sync>,
}

impl<S> Lazy<S> {
    fn new(make: impl Fn() -> S + Send + Sync + 'static) -> Self {
        Self {
            made: Arc::default(),
            make: Arc::new(make),
        }
    }
}

impl<S> Clone for Lazy<S> {
    fn clone(&self) -> Self {
        Self {
            made: Arc::clone(&self.made),
            make: Arc::clone(&self.make),
        }
    }
}

impl<S: NamedService> NamedService for Lazy<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> TowerService<Request<Body>> for Lazy<S>
where
    S: TowerService<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = S::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(())) // as generated services always are
    }

    fn call(&mut self, request: Request<Body>) -> S::Future {
        self.made.get_or_init(|| (self.make)()).clone().call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone)]
    struct Echo;

    impl TowerService<Request<Body>> for Echo {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<Body>) -> Self::Future {
            std::future::ready(Ok(Response::new(request.into_body())))
        }
    }

    #[tokio::test]
    async fn nothing_is_made_before_the_first_call_and_once_for_all_of_them() {
        let made = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let count = Arc::clone(&made);
        let count_of = || made.load(std::sync::atomic::Ordering::Relaxed);
        let mut lazy = Lazy::new(move || {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Echo
        });
        let mut other = lazy.clone();
        assert_eq!(count_of(), 0);

        for service in [&mut lazy, &mut other] {
            let Ok(_) = service.call(Request::new(Body::empty())).await;
        }

        assert_eq!(count_of(), 1);
    }
}
