//! Large requests are sent as they are.
//!
//! The client's side of gRPC writes each message into a buffer of its own, behind five bytes that say how long it is. For a request of 25 MiB
//! that is 25 MiB more, while it is kept to be sent again anyway. So the five bytes go out by themselves and the request behind them,
//! uncopied; a small one is copied, because two pieces cost more than that.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use gatehouse_core::client::PeerChannel;
use http::{Request, Response};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tonic::{Status, body::Body};
use tower::Service;

/// What is no larger is copied.
const COPIED_MAX: usize = 64 * 1024;

/// A channel on which one request is sent.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    channel: PeerChannel,
    /// A large request. Nothing of it is in the message that the client's side of gRPC writes.
    large: Option<Bytes>,
}

impl Sent {
    /// The channel for a request, and what the client's side of gRPC is given to write.
    pub(super) fn new(channel: PeerChannel, request: Bytes) -> (Self, Bytes) {
        let (large, written) = if request.len() > COPIED_MAX {
            (Some(request), Bytes::new())
        } else {
            (None, request)
        };
        (Self { channel, large }, written)
    }
}

impl Service<Request<Body>> for Sent {
    type Response = Response<Body>;
    type Error = tonic::transport::Error;
    type Future = <PeerChannel as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.channel.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let request = match &self.large {
            Some(message) => request.map(|_| Body::new(Framed::new(message.clone()))),
            None => request,
        };
        self.channel.call(request)
    }
}

/// One message in its frame: not compressed, so many bytes.
#[derive(Debug)]
struct Framed {
    head: Option<Bytes>,
    message: Option<Bytes>,
}

impl Framed {
    fn new(message: Bytes) -> Self {
        // No request is that long: see `PAYLOAD_MAX`.
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        let [a, b, c, d] = length.to_be_bytes();
        Self {
            head: Some(Bytes::copy_from_slice(&[0, a, b, c, d])),
            message: Some(message),
        }
    }
}

impl HttpBody for Framed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let next = self.head.take().or_else(|| self.message.take());
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.head.is_none() && self.message.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let left = [&self.head, &self.message].into_iter().flatten().map(Bytes::len);
        SizeHint::with_exact(left.sum::<usize>() as u64)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_large_message_goes_out_behind_its_length_and_is_not_copied() {
        let message = Bytes::from(vec![7; COPIED_MAX + 1]);
        let mut framed = Framed::new(message.clone());
        assert_eq!(framed.size_hint().exact(), Some(5 + message.len() as u64));

        let mut next = async || {
            framed
                .frame()
                .await
                .map(|frame| frame.unwrap().into_data().unwrap())
        };
        let (head, sent) = (next().await.unwrap(), next().await.unwrap());

        assert_eq!(&*head, [0, 0, 1, 0, 1]);
        assert_eq!(sent.as_ptr(), message.as_ptr(), "the same bytes");
        assert!(next().await.is_none());
        assert!(framed.is_end_stream());
    }
}
