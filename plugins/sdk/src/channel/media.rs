//! Files in both directions, piece by piece, within the contract's bounds.

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use gatehouse_proto::channel::v1::{FetchMediaResponse, MediaHead};
use tonic::Status;

use crate::Fetched;

/// The largest file, in bytes, whatever the gateway takes: it has a bound of its own, which is smaller as a rule.
const FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// The largest piece, in bytes.
const PIECE_BYTES_MAX: usize = 256 * 1024;
/// The longest media type, in bytes: the contract's.
const MIME_BYTES_MAX: usize = 255;

/// What somebody sent, as the bridge is given it: what it is, and then its bytes.
pub(super) fn pieces(
    fetched: Fetched,
) -> impl Stream<Item = Result<FetchMediaResponse, Status>> + Send + 'static {
    let head = FetchMediaResponse {
        mime_type: fetched.mime_type.filter(|mime| mime.len() <= MIME_BYTES_MAX),
        data: Bytes::new(),
    };
    let bytes = fetched.data.scan(0_u64, |read, chunk| {
        let piece = chunk.and_then(|chunk| {
            *read = read.saturating_add(chunk.len() as u64);
            if *read > FILE_BYTES_MAX {
                Err(Status::failed_precondition("the file is too large"))
            } else {
                Ok(chunk)
            }
        });
        std::future::ready(Some(piece))
    });
    let small = bytes.flat_map(|piece| {
        let small = match piece {
            Err(status) => vec![Err(status)],
            Ok(mut chunk) => {
                let mut small = Vec::new();
                while !chunk.is_empty() {
                    let data = chunk.split_to(chunk.len().min(PIECE_BYTES_MAX));
                    small.push(Ok(FetchMediaResponse {
                        mime_type: None,
                        data,
                    }));
                }
                small
            }
        };
        stream::iter(small)
    });
    stream::once(async { Ok(head) }).chain(small)
}

/// The bytes of a file that is to be sent: as many as its head says, or an error where it broke off.
pub(super) fn whole(
    head: &MediaHead,
    first: Bytes,
    rest: impl Stream<Item = Result<Bytes, Status>> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, Status>> + Send + 'static {
    let wanted = u64::try_from(head.size_bytes).unwrap_or_default();
    let pieces = stream::once(async { Some(Ok(first)) }).chain(rest.map(Some));
    pieces
        .chain(stream::once(async { None }))
        .scan(0_u64, move |read, piece| {
            let checked = match piece {
                Some(Ok(piece)) => {
                    *read = read.saturating_add(piece.len() as u64);
                    let is_within = *read <= wanted;
                    Some(
                        is_within
                            .then_some(piece)
                            .ok_or_else(|| Status::invalid_argument("the file is larger than its head says")),
                    )
                }
                Some(Err(status)) => Some(Err(status)),
                None if *read == wanted => None,
                None => Some(Err(Status::aborted("the file broke off"))),
            };
            std::future::ready(checked)
        })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::{StreamExt, TryStreamExt, stream};
    use gatehouse_proto::channel::v1::MediaHead;
    use tonic::{Code, Status};

    use super::{PIECE_BYTES_MAX, pieces, whole};
    use crate::Fetched;

    #[tokio::test]
    async fn a_large_chunk_leaves_in_pieces_behind_what_it_is() {
        let chunk = Bytes::from(vec![7; PIECE_BYTES_MAX + 1]);
        let fetched = Fetched {
            mime_type: Some("image/png".into()),
            data: stream::iter([Ok(chunk)]).boxed(),
        };

        let sent: Vec<_> = pieces(fetched).try_collect().await.expect("no error");

        assert_eq!(sent[0].mime_type.as_deref(), Some("image/png"));
        let lengths: Vec<_> = sent.iter().map(|piece| piece.data.len()).collect();
        assert_eq!(lengths, [0, PIECE_BYTES_MAX, 1]);
    }

    #[tokio::test]
    async fn a_file_is_whole_or_it_is_none() {
        let head = MediaHead {
            size_bytes: 4,
            ..MediaHead::default()
        };
        let taken = |rest: &'static [&'static [u8]]| {
            let rest = stream::iter(rest).map(|piece| Ok(Bytes::from_static(piece)));
            whole(&head, Bytes::from_static(b"a"), rest).try_collect::<Vec<_>>()
        };
        let code = |taken: Result<Vec<Bytes>, Status>| taken.map_err(|status| status.code());

        let whole = taken(&[b"bc", b"d"]).await.expect("it is whole");
        assert_eq!(whole.concat(), b"abcd");
        assert_eq!(code(taken(&[b"bc"]).await), Err(Code::Aborted));
        assert_eq!(code(taken(&[b"bcde"]).await), Err(Code::InvalidArgument));
    }
}
