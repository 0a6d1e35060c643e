//! The answers of one call as an event stream (HTML, 9.2): each payload is an event, a refusal is an event `error` and the last.

use std::{convert::Infallible, pin::Pin, sync::Arc, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use tokio::time::sleep;

use crate::{
    call::Payload,
    error::{Refusal, to_bytes},
    http::{
        bearer::Known,
        context::Http,
        intake::{UnderWay, auth_changed, counted, revoked},
        socket::Socket,
    },
};

/// A proxy closes what is silent, often after 30 or 60 seconds.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

type Answer = Result<Payload, Refusal>;

/// What is still to come.
pub(super) struct Events {
    http: Arc<Http>,
    socket: Arc<Socket>,
    known: Arc<Known>,
    answers: Pin<Box<dyn Stream<Item = Answer> + Send>>,
    _under_way: UnderWay,
}

impl Events {
    /// The events of a call whose first answer has come.
    pub(super) fn new(
        http: Arc<Http>,
        socket: Arc<Socket>,
        known: Arc<Known>,
        first: Option<Payload>,
        following: impl Stream<Item = Answer> + Send + 'static,
        under_way: UnderWay,
    ) -> Self {
        Self {
            http,
            socket,
            known,
            answers: Box::pin(stream::iter(first.map(Ok)).chain(following)),
            _under_way: under_way,
        }
    }

    /// The body of the answer. It is asked for as fast as the client reads; dropping it cancels the call.
    pub(super) fn body(self) -> Body {
        Body::from_stream(stream::unfold(Some(self), |events| async move {
            let mut events = events?;
            let (event, goes_on) = events.next().await?;
            Some((Ok::<_, Infallible>(event), goes_on.then_some(events)))
        }))
    }

    /// The next event, and whether another may follow.
    async fn next(&mut self) -> Option<(Bytes, bool)> {
        let answer = tokio::select! {
            answer = self.answers.next() => answer?,
            () = revoked(&self.http.edge, &self.known) => Err(auth_changed()),
            () = sleep(KEEP_ALIVE) => return Some((Bytes::from_static(b":\n\n"), true)),
        };
        let sent = answer.and_then(|mut payload| {
            payload.bytes = event("", &payload.bytes);
            counted(&self.http.edge, &self.socket, payload)
        });
        Some(match sent {
            Ok(sent) => (sent, true),
            Err(refusal) => (event("event: error\n", &to_bytes(&refusal)), false),
        })
    }
}

/// One event of JSON text on one line: a line end in it would end the event's data.
fn event(kind: &str, json: &[u8]) -> Bytes {
    let mut event = Vec::with_capacity(kind.len() + json.len() + 8);
    event.extend_from_slice(kind.as_bytes());
    event.extend_from_slice(b"data: ");
    // JSON has line ends between its tokens only, where a space says the same.
    event.extend(json.iter().map(|byte| match byte {
        b'\r' | b'\n' => b' ',
        other => *other,
    }));
    event.extend_from_slice(b"\n\n");
    event.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_of_data_whatever_the_json_looks_like() {
        assert_eq!(event("", b"{\"a\":\r\n 1}"), "data: {\"a\":   1}\n\n");
        assert_eq!(event("event: error\n", b"{}"), "event: error\ndata: {}\n\n");
    }
}
