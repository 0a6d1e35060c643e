//! Where a trace begins that comes in by the edge, and whose word about it counts.
//!
//! A client that has shown an operator's credential brings a trace of its own, and what it decided about recording holds. A node is a
//! machine that somebody paired, and a webhook is anybody's: the context that they send is a link of a new trace and decides
//! nothing ([`Span::entered`]).

use gatehouse_contract::{Grants, Role};
use gatehouse_core::trace::{Context, Kind, Span, TRACEPARENT};
use gatehouse_proto::broadcast::v1 as broadcast;
use http::{HeaderMap, Method};

/// A request on a WebSocket.
pub(crate) fn of_frame(given: Option<&str>, grants: &Grants, method: &str) -> Span {
    let given = given.and_then(|text| text.parse().ok());
    let mut step = Span::entered(given, is_trusted(grants), Kind::Server, || method.to_owned());
    step.set("network.protocol.name", "websocket");
    step
}

/// A call behind one of the endpoints for programs, by the method that it becomes.
pub(crate) fn of_endpoint(headers: &HeaderMap, grants: &Grants, method: &str) -> Span {
    let mut step = Span::entered(brought(headers), is_trusted(grants), Kind::Server, || {
        method.to_owned()
    });
    step.set("network.protocol.name", "http");
    step
}

/// A request over HTTP of somebody who has shown a credential.
pub(crate) fn of_client(headers: &HeaderMap, grants: &Grants, method: &Method, route: &'static str) -> Span {
    of_request(headers, is_trusted(grants), method, route)
}

/// A request over HTTP whose sender somebody else has to know.
pub(crate) fn of_stranger(headers: &HeaderMap, method: &Method, route: &'static str) -> Span {
    of_request(headers, false, method, route)
}

/// An event on its way to the screens, if it ends something that is recorded.
pub(crate) fn of_event(event: &broadcast::Event) -> Option<Span> {
    let context: Context = event.traceparent.as_deref()?.parse().ok()?;
    let mut step = Span::of(context, Kind::Consumer, || format!("deliver {}", event.r#type));
    step.set("messaging.system", "gatehouse");
    step.set("messaging.operation.name", "deliver");
    step.set("messaging.operation.type", "process");
    Some(step)
}

fn of_request(headers: &HeaderMap, trusted: bool, method: &Method, route: &'static str) -> Span {
    let mut step = Span::entered(brought(headers), trusted, Kind::Server, || {
        format!("{method} {route}")
    });
    step.set("network.protocol.name", "http");
    step.set("http.request.method", method.as_str());
    step.set("http.route", route);
    step
}

fn brought(headers: &HeaderMap) -> Option<Context> {
    headers.get(TRACEPARENT)?.to_str().ok()?.parse().ok()
}

fn is_trusted(grants: &Grants) -> bool {
    grants.role() == Role::Operator
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROUGHT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn an_operator_brings_a_trace_and_a_stranger_does_not() {
        let (operator, node) = (
            Grants::new(Role::Operator, ["operator.read"]),
            Grants::new(Role::Node, []),
        );
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, BROUGHT.parse().expect("a value"));
        let brought: Context = BROUGHT.parse().expect("a context");
        let is_brought = |step: Span| step.context().trace_id() == brought.trace_id();

        assert!(is_brought(of_frame(Some(BROUGHT), &operator, "chat.send")));
        assert!(is_brought(of_client(&headers, &operator, &Method::POST, "/rpc")));
        assert!(!is_brought(of_frame(Some(BROUGHT), &node, "node.event")));
        assert!(!is_brought(of_stranger(&headers, &Method::POST, "/hooks")));
        assert!(!is_brought(of_frame(
            Some("not a context"),
            &operator,
            "chat.send"
        )));
    }
}
