//! How calls go wrong on purpose: the same faults on every platform that is called over HTTP.

use std::{
    collections::{HashMap, VecDeque},
    io,
    time::Duration,
};

use axum::{
    body::Body,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures::stream;
use serde_json::Value;

/// Half of an answer, of whatever platform.
pub(crate) const GARBLED: &str = r#"{"ok": true, "id": "12", "mess"#;

/// How the next call of a method goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Nothing goes wrong: what stands behind it is for the call after this one.
    Right,
    /// It is refused with this status and this body.
    Refuse(u16, Value),
    /// Too fast: seconds to wait.
    Wait(u64),
    /// Something in between answers in HTML.
    Gateway(u16),
    /// Nothing is done and no answer comes.
    Hang,
    /// Nothing is done, and the answer breaks off.
    Drop,
    /// It is done, and the answer breaks off.
    Lose,
    /// It is done, and half of the answer comes as if it were whole.
    Garble,
    /// It is done after so long, whether anybody waits for it any more or not.
    Late(Duration),
}

/// Faults that are due, by method.
#[derive(Debug, Default)]
pub(crate) struct Faults(HashMap<String, VecDeque<Fault>>);

impl Faults {
    pub(crate) fn add(&mut self, method: &str, fault: Fault) {
        self.0.entry(method.to_owned()).or_default().push_back(fault);
    }

    pub(crate) fn next(&mut self, method: &str) -> Option<Fault> {
        let next = self.0.get_mut(method).and_then(VecDeque::pop_front);
        next.filter(|fault| *fault != Fault::Right)
    }
}

/// The answer that a fault gives; nothing for one that lets the call be done first.
pub(crate) async fn answer(fault: &Fault, waits: impl FnOnce(u64) -> Response) -> Option<Response> {
    match fault {
        Fault::Refuse(status, body) => Some(json(*status, body)),
        Fault::Wait(seconds) => Some(waits(*seconds)),
        Fault::Gateway(code) => Some((status(*code), "<html>Bad Gateway</html>").into_response()),
        Fault::Hang => std::future::pending().await,
        Fault::Drop => Some(broken()),
        Fault::Right | Fault::Lose | Fault::Garble | Fault::Late(_) => None,
    }
}

/// Does something after so long, also when nobody waits for it any more.
pub(crate) async fn late<T: Send + 'static>(
    after: Duration,
    done: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let late = tokio::spawn(async move {
        tokio::time::sleep(after).await;
        done()
    });
    late.await.ok()
}

/// JSON with a status.
pub(crate) fn json(code: u16, body: &Value) -> Response {
    (status(code), axum::Json(body)).into_response()
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// An answer that breaks off.
pub(crate) fn broken() -> Response {
    let body = stream::once(async { Err::<Vec<u8>, _>(io::Error::other("on purpose")) });
    Response::new(Body::from_stream(body))
}

/// What comes back of something that was done all the same.
pub(crate) fn lost(fault: &Fault) -> Response {
    match fault {
        Fault::Garble => (StatusCode::OK, GARBLED).into_response(),
        _ => broken(),
    }
}

/// The first half of a file, and then no more.
pub(crate) fn half(bytes: &[u8]) -> Response {
    let half = bytes.get(..bytes.len() / 2).unwrap_or_default().to_vec();
    let parts = [Ok(half), Err(io::Error::other("on purpose"))];
    Response::new(Body::from_stream(stream::iter(parts)))
}
