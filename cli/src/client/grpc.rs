//! Straight to one service, past the edge: the same contract, the operator's credential, bytes in and bytes out.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use gatehouse_contract::{Identity, Map, Method, Refuse};
use gatehouse_core::{
    Address, Failure, Home, Service, ServiceSettings, client::Peer, credential::Credential, raw::RawBytes,
};
use tonic::{Request, Status, client::Grpc};

use crate::exit::{Exit, Failed};

/// One service, reachable.
#[derive(Debug)]
pub(crate) struct Backend {
    service: Service,
    address: Address,
    peer: Peer,
}

impl Backend {
    /// The service where the settings, or `address`, say that it is.
    pub(crate) fn find(
        settings: &ServiceSettings,
        service: Service,
        address: Option<&str>,
    ) -> Result<Self, Failed> {
        let address = match address {
            Some(text) => text
                .parse()
                .map_err(|error| Failed::new(Exit::Usage, format!("{error}")))?,
            None => settings.peers.address(service).clone(),
        };
        let credential = load_credential(&settings.home)?;
        Ok(Self {
            service,
            peer: credential.peer(service, &address),
            address,
        })
    }

    /// Calls a method and hands each answer to `each`, as JSON.
    pub(crate) async fn call(
        &self,
        method: &Method,
        params: &str,
        deadline: Duration,
        mut each: impl FnMut(&str) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        let wire = method.request.encode(params, &mut Refuse).map_err(|error| {
            Failed::new(
                Exit::Usage,
                format!("the parameters of {} are wrong: {error}", method.path),
            )
        })?;
        let path = method
            .path
            .parse()
            .map_err(|error| Failed::new(Exit::Usage, format!("{}: {error}", method.path)))?;
        let mut request = Request::new(Bytes::from(wire));
        self.peer.prepare(request.metadata_mut());
        if !method.streaming {
            request.set_timeout(deadline);
        }
        let refused = |status: &Status| self.refused(status);
        let mut grpc = Grpc::new(self.peer.channel());
        grpc.ready()
            .await
            .map_err(|error| refused(&Status::unavailable(error.to_string())))?;
        let answers = grpc
            .server_streaming(request, path, RawBytes)
            .await
            .map_err(|status| refused(&status))?;
        let mut answers = answers.into_inner();
        while let Some(answer) = answers.message().await.map_err(|status| refused(&status))? {
            let mut json = Vec::new();
            method.response.render(&answer, &mut json).map_err(|error| {
                Failed::new(
                    Exit::Failed,
                    format!("the answer does not fit our contract: {error}"),
                )
                .next("the service runs another version of Gatehouse")
            })?;
            each(&String::from_utf8_lossy(&json))?;
        }
        Ok(())
    }

    fn refused(&self, status: &Status) -> Failed {
        let failure = Failure::from_status(status);
        let code = failure.kind.protocol_code();
        let message = match &failure.path {
            Some(path) => format!("{code}: at {path}: {}", failure.message),
            None => format!("{code}: {}", failure.message),
        };
        let exit = match status.code() {
            tonic::Code::Unavailable | tonic::Code::DeadlineExceeded => Exit::Unavailable,
            tonic::Code::Unauthenticated | tonic::Code::PermissionDenied => Exit::Refused,
            tonic::Code::ResourceExhausted => Exit::Busy,
            _ => Exit::Failed,
        };
        let failed = match exit {
            Exit::Unavailable => Failed::new(
                exit,
                format!("{} does not answer at {}: {message}", self.service, self.address),
            )
            .next("`gatehouse up` starts it; --address names another place"),
            Exit::Refused => Failed::new(exit, message).next(
                "`credential/operator` of the home opens what clients may call, and nothing between services: see --home and GATEHOUSE_CREDENTIAL",
            ),
            Exit::Busy => Failed::new(exit, message).next("try again in a moment"),
            Exit::Failed | Exit::Usage | Exit::Warnings | Exit::Configuration | Exit::Interrupted | Exit::OutputClosed => {
                Failed::new(exit, message)
            }
        };
        let code = failure.reason.map_or_else(|| code.to_owned(), Into::into);
        failed.about(code, failure.path.map(String::from))
    }
}

fn load_credential(home: &Home) -> Result<Credential, Failed> {
    Credential::load(home, Identity::Operator).map_err(|error| {
        Failed::new(Exit::Refused, format!("{}", gatehouse_core::Chain(&error)))
            .next("run this where the gateway runs, as its user, or name the file with GATEHOUSE_CREDENTIAL")
    })
}

/// A name that is less like another one than that is no typing error for it.
const ALIKE_MIN: f64 = 0.85;

/// The last part of its path: how gRPC tools and `--service` name it.
pub(crate) fn rpc_name(method: &Method) -> &str {
    method.path.rsplit('/').next().unwrap_or(&method.path)
}

/// Every method of a service, those between services included.
pub(crate) fn methods(service: Service) -> impl Iterator<Item = &'static Arc<Method>> {
    Map::documented()
        .rpcs()
        .filter(move |method| method.is_served_by(service.identity()))
}

/// The method of a service that somebody means: its client name, its RPC name, or its whole path.
pub(crate) fn method(service: Service, name: &str) -> Result<&'static Method, Failed> {
    if service == Service::Edge {
        return Err(Failed::new(Exit::Usage, "the edge is called without --service"));
    }
    let map = Map::core();
    let named = if name.contains('/') {
        map.rpc(&format!("/{}", name.trim_start_matches('/')))
    } else {
        map.method(name)
    };
    let rpc = format!("/{}", name.rsplit('/').next().unwrap_or(name));
    let is_own = |method: &&Arc<Method>| method.is_served_by(service.identity());
    let short = || {
        map.rpcs()
            .filter(is_own)
            .find(|method| method.path.ends_with(&rpc))
    };
    match named.or_else(short) {
        Some(method) if is_own(&method) => Ok(method),
        Some(method) => Err(Failed::new(
            Exit::Usage,
            format!("{name} belongs to {}, not to {service}", method.service),
        )),
        None => {
            let failed = Failed::new(Exit::Usage, format!("{service} has no method {name}"));
            let names = map.rpcs().filter(is_own).map(|method| rpc_name(method));
            let near = names
                .map(|known| (strsim::jaro_winkler(name, known), known))
                .max_by(|(a, _), (b, _)| a.total_cmp(b))
                .filter(|(likeness, _)| *likeness >= ALIKE_MIN);
            let list = format!("`gatehouse call --service {service} --list` lists them all");
            Err(failed.next(match near {
                Some((_, near)) => format!("did you mean {near}? {list}"),
                None => list,
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_found_by_each_of_its_names() {
        let path = "/gatehouse.session.v1.SessionService/ListSessions";
        for name in [
            "ListSessions",
            "sessions.list",
            "SessionService/ListSessions",
            path,
            path.trim_start_matches('/'),
        ] {
            assert_eq!(method(Service::Session, name).unwrap().path, path, "{name}");
        }
    }

    #[test]
    fn a_method_between_services_is_found_and_is_not_an_operators() {
        let deliver = method(Service::Session, "DeliverMessage").unwrap();

        assert!(!deliver.callers.contains(&Identity::Operator));
    }

    #[test]
    fn a_method_of_another_service_is_said_to_be_one() {
        let failed = method(Service::Agent, "sessions.list").expect_err("it is session's");

        assert!(failed.to_string().contains("SessionService"), "{failed}");
        assert_eq!(
            method(Service::Agent, "nothing").expect_err("unknown").exit,
            Exit::Usage
        );
    }
}
