//! Large answers pass one at a time.
//!
//! A connection may have 256 requests under way, and each may be answered with a page of 8 MiB, which takes up to four times that
//! while it is received, rendered and framed. So an answer that turns out to be large needs a place, and keeps it until it is
//! handed to the connection's outbox, where the budget for unread answers counts it.
//!
//! An answer without a place is let go, and asked for again when there is one. It is not left half read: all calls of a service
//! share one HTTP/2 connection, and what nobody reads there holds up everybody. Therefore only calls that may be repeated are
//! held to it; those that may not are answered in a few words.
//!
//! A method whose last answer was large is asked for by one call of each connection at a time: thirty connections that each ask
//! for a large page 256 times would make the service write all of them, to be let go here.

use std::{
    collections::HashSet,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Status, body::Body};
use tower::Service;

use super::sent::Sent;

/// Answers up to this size need no place.
pub(crate) const SMALL_MAX: usize = 64 * 1024;

/// Places for large answers of one service.
const PLACES: usize = 1;

/// The places of one service.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(PLACES)))
    }
}

/// The methods whose last answer was large, by their paths. It holds no more than the contracts have.
#[derive(Debug, Default)]
pub(super) struct Expected(Mutex<HashSet<String>>);

impl Expected {
    pub(super) fn is_large(&self, path: &str) -> bool {
        self.lock().contains(path)
    }

    /// Notes how large an answer of this method was.
    pub(super) fn note(&self, path: &str, held: &Held) {
        let large = held.is_large();
        let mut paths = self.lock();
        if large && !paths.contains(path) {
            paths.insert(path.to_owned());
        } else if !large {
            paths.remove(path);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one answer, if it is a large one. Dropping it lets the next one pass.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    place: Option<OwnedSemaphorePermit>,
    /// The turn of whoever asked.
    turn: Option<OwnedSemaphorePermit>,
    /// The answer turned out to be large, and no place was free.
    lacking: bool,
}

impl Held {
    /// Whether the answer was let go for want of a place.
    pub(super) fn is_lacking(&self) -> bool {
        self.lock().lacking
    }

    /// Waits until no other large answer of whoever asks is under way; the next one waits for this.
    pub(super) async fn wait_for_turn(&self, turns: &Arc<Semaphore>) {
        if self.lock().turn.is_none() {
            let turn = Arc::clone(turns).acquire_owned().await.ok();
            self.lock().turn = turn;
        }
    }

    /// Waits for a place.
    pub(super) async fn wait_for(&self, places: &Places) {
        let place = Arc::clone(&places.0).acquire_owned().await.ok();
        let mut state = self.lock();
        (state.place, state.lacking) = (place, false);
    }

    /// Whether the answer turned out to be large.
    fn is_large(&self) -> bool {
        let state = self.lock();
        state.place.is_some() || state.lacking
    }

    /// Takes a place if there is none yet. False: none is free.
    fn take(&self, places: &Places) -> bool {
        let mut state = self.lock();
        if state.place.is_none() {
            state.place = Arc::clone(&places.0).try_acquire_owned().ok();
            state.lacking = state.place.is_none();
        }
        !state.lacking
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A channel whose large answers need a place.
#[derive(Debug, Clone)]
pub(super) struct Metered {
    channel: Sent,
    places: Places,
    held: Held,
}

impl Metered {
    pub(super) fn new(channel: Sent, places: Places, held: Held) -> Self {
        Self {
            channel,
            places,
            held,
        }
    }
}

impl Service<Request<Body>> for Metered {
    type Response = Response<Answer<Body>>;
    type Error = tonic::transport::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.channel.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = self.channel.call(request);
        let (places, held) = (self.places.clone(), self.held.clone());
        Box::pin(async move { Ok(answer.await?.map(|body| Answer::new(body, places, held))) })
    }
}

/// A body that needs a place once it has brought more than a little.
#[derive(Debug)]
pub(super) struct Answer<B> {
    body: B,
    seen: usize,
    places: Places,
    held: Held,
}

impl<B> Answer<B> {
    fn new(body: B, places: Places, held: Held) -> Self {
        Self {
            body,
            seen: 0,
            places,
            held,
        }
    }
}

impl<B> HttpBody for Answer<B>
where
    B: HttpBody<Data = Bytes, Error = Status> + Unpin,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.seen > SMALL_MAX && !self.held.take(&self.places) {
            let lacking = Status::resource_exhausted("no place for a large answer");
            return Poll::Ready(Some(Err(lacking)));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            self.seen += frame.data_ref().map_or(0, Bytes::len);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use http_body_util::{BodyExt, StreamBody};

    use super::*;

    type Pieces = StreamBody<stream::Iter<std::vec::IntoIter<Result<Frame<Bytes>, Status>>>>;

    fn answer(pieces: usize, places: &Places, held: &Held) -> Answer<Pieces> {
        let piece = |_| Ok(Frame::data(Bytes::from(vec![0; 16 * 1024])));
        let pieces: Vec<_> = (0..pieces).map(piece).collect();
        Answer::new(
            StreamBody::new(stream::iter(pieces)),
            places.clone(),
            held.clone(),
        )
    }

    #[tokio::test]
    async fn a_large_answer_is_let_go_while_another_has_the_place_and_small_ones_pass() {
        let places = Places::default();
        let (first, second, small) = (Held::default(), Held::default(), Held::default());

        answer(8, &places, &first).collect().await.unwrap();
        assert!(answer(8, &places, &second).collect().await.is_err());
        assert!(second.is_lacking() && !first.is_lacking());
        answer(4, &places, &small).collect().await.unwrap();

        let expected = Expected::default();
        expected.note("/s/Page", &second);
        assert!(expected.is_large("/s/Page") && !expected.is_large("/s/Other"));
        expected.note("/s/Page", &small);
        assert!(!expected.is_large("/s/Page"), "the last answer counts");

        drop(first);
        let waited = Held::default();
        waited.wait_for(&places).await;
        let whole = answer(8, &places, &waited).collect().await.unwrap().to_bytes();
        assert_eq!((whole.len(), waited.is_lacking()), (8 * 16 * 1024, false));
    }
}
