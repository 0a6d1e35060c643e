//! A stream of requests, checked message by message, and the answer of a call whose stream turned out to be bad.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures::{
    FutureExt,
    future::{Either, select},
};
use gatehouse_contract::MessagePlan;
use http::{HeaderMap, Response};
use http_body::Frame;
use tokio::sync::oneshot;
use tonic::{Status, body::Body};

use super::{check, messages::Messages};

/// The refusal of a bad message, told beside the stream: the service may take the end of its stream for the end of the call,
/// and that would be an answer.
pub(super) type Verdict = oneshot::Receiver<Status>;

/// The same body, ending at the first message that is not within the bounds.
pub(super) fn checked(plan: Arc<MessagePlan>, body: Body) -> (Checked, Verdict) {
    let (refused, verdict) = oneshot::channel();
    let checked = Checked {
        plan,
        body,
        messages: Messages::default(),
        refused: Some(refused),
    };
    (checked, verdict)
}

pub(super) struct Checked {
    plan: Arc<MessagePlan>,
    body: Body,
    messages: Messages,
    /// Gone once a message was refused.
    refused: Option<oneshot::Sender<Status>>,
}

impl Checked {
    fn next(&mut self) -> Result<Option<Bytes>, Status> {
        let message = self.messages.next()?;
        if let Some(message) = &message {
            check(&self.plan, message)?;
        }
        Ok(message)
    }

    fn refuse(&mut self, refusal: Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(refused) = self.refused.take() {
            let _ = refused.send(refusal.clone()); // nobody waits for an answer any more
        }
        Poll::Ready(Some(Err(refusal)))
    }
}

impl http_body::Body for Checked {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.refused.is_none() {
            return Poll::Ready(None);
        }
        loop {
            match self.next() {
                Ok(Some(message)) => return Poll::Ready(Some(Ok(Frame::data(message)))),
                Ok(None) => {}
                Err(refusal) => return self.refuse(refusal),
            }
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.messages.feed(data),
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                Some(Err(lost)) => return Poll::Ready(Some(Err(lost))),
                None => {
                    return match self.messages.end() {
                        Ok(()) => Poll::Ready(None),
                        Err(refusal) => self.refuse(refusal),
                    };
                }
            }
        }
    }
}

/// The answer of the service, or the refusal, whichever is there first; and the refusal at its end if it comes later.
pub(super) async fn answered<E>(
    call: impl Future<Output = Result<Response<Body>, E>>,
    mut verdict: Verdict,
) -> Result<Response<Body>, E> {
    let call = pin!(call);
    let answer = match select(&mut verdict, call).await {
        Either::Left((Ok(refusal), _)) => return Ok(refusal.into_http()),
        Either::Left((Err(_), call)) => return call.await, // read to its end, or let go: nothing was refused
        Either::Right((answer, _)) => answer?,
    };
    match verdict.try_recv() {
        Ok(refusal) => Ok(refusal.into_http()),
        Err(oneshot::error::TryRecvError::Closed) => Ok(answer),
        Err(oneshot::error::TryRecvError::Empty) => Ok(answer.map(|body| {
            Body::new(Answer {
                body,
                verdict: Some(verdict),
                refused: false,
            })
        })),
    }
}

/// The messages of an answer, cut off by a refusal.
struct Answer {
    body: Body,
    /// Gone when nothing can be refused any more.
    verdict: Option<Verdict>,
    refused: bool,
}

impl Answer {
    /// The end that a refusal makes, if there is one by now.
    fn refusal(&mut self, context: &mut Context<'_>) -> Option<Frame<Bytes>> {
        match self.verdict.as_mut()?.poll_unpin(context) {
            Poll::Pending => None,
            Poll::Ready(verdict) => {
                self.verdict = None;
                let refusal = verdict.ok()?;
                self.refused = true;
                let mut trailers = HeaderMap::new();
                // A refusal is made of text that headers can carry; if not, the code alone says enough.
                if refusal.add_header(&mut trailers).is_err() {
                    trailers = HeaderMap::new();
                    let _ = Status::new(refusal.code(), "").add_header(&mut trailers);
                }
                Some(Frame::trailers(trailers))
            }
        }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.refused {
            return Poll::Ready(None);
        }
        if let Some(end) = self.refusal(context) {
            return Poll::Ready(Some(Ok(end)));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let ends = !matches!(&frame, Some(Ok(frame)) if frame.is_data());
        // The service may have met the bad message just now, and ended well all the same.
        let refusal = if ends { self.refusal(context) } else { None };
        Poll::Ready(refusal.map_or(frame, |end| Some(Ok(end))))
    }
}
