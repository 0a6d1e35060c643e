//! Reads a body that has to come at a rate.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::{Instant, timeout_at};

/// Slower than this, after the grace, a body does not come in time: 64 KiB are allowed eight seconds. A platform sends its
/// body at once; whoever needs longer holds a place that others wait for.
const BYTES_PER_SECOND: f64 = 8.0 * 1024.0;

/// Why a body is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    TooLarge,
    Cut,
    TooSlow,
}

/// Reads a body of at most `max` bytes. What has come so far decides until when the next piece must be there.
pub(super) async fn read<B>(body: B, max: usize, grace: Duration) -> Result<Bytes, Unread>
where
    B: Body<Data: Buf> + Unpin,
{
    let begun = Instant::now();
    let mut body = body;
    let mut read = BytesMut::new();
    loop {
        #[expect(clippy::cast_precision_loss, reason = "a body has at most a megabyte")]
        let earned = Duration::from_secs_f64(read.len() as f64 / BYTES_PER_SECOND);
        let next = timeout_at(begun + grace + earned, body.frame());
        match next.await.map_err(|_| Unread::TooSlow)? {
            None => return Ok(read.freeze()),
            Some(Err(_)) => return Err(Unread::Cut),
            Some(Ok(frame)) => {
                let Ok(mut data) = frame.into_data() else { continue };
                if read.len() + data.remaining() > max {
                    return Err(Unread::TooLarge);
                }
                while data.has_remaining() {
                    let chunk = data.chunk();
                    let length = chunk.len();
                    read.extend_from_slice(chunk);
                    data.advance(length);
                }
            }
        }
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
        read(Box::pin(StreamBody::new(pieces)), 64 * 1024, GRACE)
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
