//! Reads a body that has to come at a rate.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::{Instant, timeout_at};

use crate::budget::Lease;

/// What a body may be, and how slow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) max: usize,
    /// How long it may take before it has to keep the pace.
    pub(super) grace: Duration,
    /// Bytes a second.
    pub(super) pace: f64,
}

/// Why a body is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    TooLarge,
    Cut,
    TooSlow,
    /// The memory for messages is in use.
    NoMemory,
}

/// Reads a body within bounds. A body that may be large takes its memory from a lease.
pub(super) async fn read<B>(body: B, bounds: &Bounds, lease: Option<&mut Lease>) -> Result<Bytes, Unread>
where
    B: Body<Data: Buf> + Unpin,
{
    let mut reading = Reading::new(body, *bounds);
    reading.read(lease).await?;
    Ok(reading.read.freeze())
}

/// A body that is being read. What has come so far decides until when the next piece must be there.
#[derive(Debug)]
pub(super) struct Reading<B> {
    body: B,
    bounds: Bounds,
    begun: Instant,
    read: BytesMut,
}

impl<B: Body<Data: Buf> + Unpin> Reading<B> {
    pub(super) fn new(body: B, bounds: Bounds) -> Self {
        Self {
            body,
            bounds,
            begun: Instant::now(),
            read: BytesMut::new(),
        }
    }

    /// Reads to the end.
    ///
    /// # Cancel safety
    /// What was read stays, and the next call goes on behind it.
    pub(super) async fn read(&mut self, mut lease: Option<&mut Lease>) -> Result<(), Unread> {
        let Bounds { max, grace, pace } = self.bounds;
        loop {
            #[expect(clippy::cast_precision_loss, reason = "a body has at most 25 MiB")]
            let earned = Duration::from_secs_f64(self.read.len() as f64 / pace);
            let next = timeout_at(self.begun + grace + earned, self.body.frame());
            match next.await.map_err(|_| Unread::TooSlow)? {
                None => return Ok(()),
                Some(Err(_)) => return Err(Unread::Cut),
                Some(Ok(frame)) => {
                    let Ok(mut data) = frame.into_data() else { continue };
                    if self.read.len() + data.remaining() > max {
                        return Err(Unread::TooLarge);
                    }
                    // Taken in before the memory is asked for: the piece is here, and must not be lost to a later call.
                    let length = data.remaining();
                    while data.has_remaining() {
                        let chunk = data.chunk();
                        let length = chunk.len();
                        self.read.extend_from_slice(chunk);
                        data.advance(length);
                    }
                    if let Some(lease) = &mut lease {
                        lease.grow(length).map_err(|_| Unread::NoMemory)?;
                    }
                }
            }
        }
    }

    /// What was read.
    pub(super) fn into_bytes(self) -> Bytes {
        self.read.freeze()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::{StreamExt, stream};
    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use tokio::time::sleep;

    use super::*;

    const GRACE: Duration = Duration::from_secs(2);

    /// A body of `count` pieces of `bytes` bytes, one every `pause`.
    async fn pieces(count: usize, bytes: usize, pause: Duration) -> Result<usize, Unread> {
        let pieces = stream::iter(0..count).then(move |_| async move {
            sleep(pause).await;
            Ok::<_, Infallible>(Frame::data(Bytes::from(vec![b'x'; bytes])))
        });
        let bounds = Bounds {
            max: 64 * 1024,
            grace: GRACE,
            pace: 8.0 * 1024.0,
        };
        read(Box::pin(StreamBody::new(pieces)), &bounds, None)
            .await
            .map(|body| body.len())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_keeps_the_rate_is_read_however_many_pieces_it_comes_in() {
        let steady = pieces(640, 100, Duration::from_millis(10)).await;
        assert_eq!(steady, Ok(64_000));
        assert_eq!(pieces(0, 0, GRACE).await, Ok(0));
        assert_eq!(pieces(1, 10, Duration::from_millis(1999)).await, Ok(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_let_go_soon_after_the_grace() {
        let begun = Instant::now();

        assert_eq!(
            pieces(60_000, 1, Duration::from_millis(100)).await,
            Err(Unread::TooSlow)
        );

        assert!(begun.elapsed() < GRACE + Duration::from_secs(1));
        assert_eq!(pieces(1, 10, GRACE * 2).await, Err(Unread::TooSlow));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_without_a_length_that_is_too_large_is_not_read_to_its_end() {
        assert_eq!(
            pieces(usize::MAX, 1000, Duration::ZERO).await,
            Err(Unread::TooLarge)
        );
        assert_eq!(pieces(64, 1024, Duration::ZERO).await, Ok(64 * 1024));
    }
}
