//! What is left of a request's body when its answer is made.
//!
//! A request may be refused before its body is read. What is left must not meet a socket that is closed without a word: the client
//! takes the socket for kept alive and asks on it again, or the reset of it overtakes the answer (RFC 9112, 9.3 and 9.6).

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use tokio::{sync::oneshot, time::timeout};

/// How long a client is given to get to the end of a body that nobody read.
const DISCARD_MAX: Duration = Duration::from_secs(2);

/// A body that comes back when its reader lets go of it.
#[derive(Debug)]
pub(super) struct Lent<B> {
    body: Option<B>,
    back: Option<oneshot::Sender<B>>,
}

/// Where it comes back to.
#[derive(Debug)]
pub(super) struct Rest<B> {
    back: oneshot::Receiver<B>,
    /// The client sends its body when it is told to, and was not.
    waits: bool,
}

/// Lends the body of a request with these headers.
pub(super) fn lend<B>(headers: &HeaderMap, body: B) -> (Lent<B>, Rest<B>) {
    let (sender, back) = oneshot::channel();
    let lent = Lent {
        body: Some(body),
        back: Some(sender),
    };
    let waits = headers.contains_key(header::EXPECT);
    (lent, Rest { back, waits })
}

impl<B: Body + Unpin> Rest<B> {
    /// Reads on to the end of the body, but not for long, and has the answer say when the socket takes no further request.
    pub(super) async fn settle(self, status: StatusCode, headers: &mut HeaderMap) {
        // An answer of 101 has no body before it, and its socket speaks another protocol now.
        if status != StatusCode::SWITCHING_PROTOCOLS && !self.read_on().await {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }

    /// Whether the end was reached.
    async fn read_on(mut self) -> bool {
        // Who still has the body reads it.
        let Ok(mut body) = self.back.try_recv() else {
            return true;
        };
        if body.is_end_stream() {
            return true;
        }
        if self.waits {
            return false;
        }
        let to_the_end = async {
            loop {
                match body.frame().await {
                    Some(Ok(_)) => (),
                    Some(Err(_)) => return false,
                    None => return true,
                }
            }
        };
        timeout(DISCARD_MAX, to_the_end).await.unwrap_or(false)
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Lent<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B> Drop for Lent<B> {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take()) {
            // Nobody waits: the socket is over.
            let _ = back.send(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::{StreamExt, stream};
    use http_body_util::StreamBody;
    use tokio::time::{Instant, sleep};

    use super::*;

    /// What the answer says of its socket when a reader has taken `read` of `count` pieces, one every `pause`.
    async fn said(
        read: usize,
        count: usize,
        pause: Duration,
        asked: &[(header::HeaderName, &str)],
    ) -> Option<HeaderValue> {
        let pieces = stream::iter(0..count).then(move |_| async move {
            sleep(pause).await;
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x")))
        });
        let asked = asked
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()));
        let (mut lent, rest) = lend(&asked.collect(), Box::pin(StreamBody::new(pieces)));
        for _ in 0..read {
            lent.frame().await;
        }
        drop(lent);
        let mut answer = HeaderMap::new();
        rest.settle(StatusCode::UNAUTHORIZED, &mut answer).await;
        answer.remove(header::CONNECTION)
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_is_kept_when_the_rest_of_its_body_comes_soon_and_given_up_aloud_when_not() {
        let soon = Duration::from_millis(10);
        for read in [0, 3, 10, 11] {
            assert_eq!(said(read, 10, soon, &[]).await, None);
        }

        let begun = Instant::now();
        assert_eq!(said(0, 2, DISCARD_MAX, &[]).await.unwrap(), "close");
        assert_eq!(begun.elapsed(), DISCARD_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_asked_before_it_sends_is_not_waited_for() {
        let begun = Instant::now();

        let expects = [(header::EXPECT, "100-continue")];
        assert_eq!(said(0, 1, DISCARD_MAX, &expects).await.unwrap(), "close");

        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_somebody_still_reads_is_theirs() {
        let body = http_body_util::Full::new(Bytes::from_static(b"x"));
        let (lent, rest) = lend(&HeaderMap::new(), body);
        let mut answer = HeaderMap::new();

        rest.settle(StatusCode::OK, &mut answer).await;

        assert!(answer.is_empty());
        assert_eq!(lent.collect().await.unwrap().to_bytes(), "x");
    }
}
