//! Bytes on their way in pieces of one size.
//!
//! Whoever sends a file chooses how it is cut, and many small pieces cost more than their bytes: HTTP/2 breaks a connection off, with all
//! calls on it, when too many small ones lie unread. What passes through here leaves in full pieces.

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, stream};

/// The bytes of a source in pieces of this size; the last one may be smaller. An error ends it, and what came since the last full piece is
/// left out: it is of no use without the rest. A piece that is large enough already is cut without a copy.
///
/// # Panics
/// When the size is nought.
pub fn of_size<E>(
    source: impl Stream<Item = Result<Bytes, E>>,
    size: usize,
) -> impl Stream<Item = Result<Bytes, E>> {
    assert!(size > 0, "pieces have bytes");
    let source = Box::pin(source);
    let first = Some((source, BytesMut::new(), Bytes::new()));
    stream::unfold(first, move |state| async move {
        let (mut source, mut filling, mut rest) = state?;
        loop {
            if filling.is_empty() && rest.len() >= size {
                let piece = rest.split_to(size);
                return Some((Ok(piece), Some((source, filling, rest))));
            }
            let fits = rest.split_to(rest.len().min(size - filling.len()));
            filling.extend_from_slice(&fits);
            if filling.len() == size {
                let piece = filling.split().freeze();
                return Some((Ok(piece), Some((source, filling, rest))));
            }
            match source.next().await {
                Some(Ok(next)) => rest = next,
                Some(Err(error)) => return Some((Err(error), None)),
                None if filling.is_empty() => return None,
                None => return Some((Ok(filling.freeze()), None)),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::{StreamExt, TryStreamExt, stream};
    use proptest::prelude::*;

    use super::of_size;

    fn cut(source: &[Vec<u8>], size: usize) -> Vec<Vec<u8>> {
        let source = stream::iter(
            source
                .iter()
                .map(|piece| Ok::<_, ()>(Bytes::copy_from_slice(piece))),
        );
        let pieces: Vec<Bytes> =
            futures::executor::block_on(of_size(source, size).try_collect()).expect("no error");
        pieces.into_iter().map(Into::into).collect()
    }

    proptest! {
        #[test]
        fn however_it_comes_it_leaves_in_full_pieces(
            source in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..20),
            size in 1_usize..12,
        ) {
            let whole = source.concat();
            let expected: Vec<Vec<u8>> = whole.chunks(size).map(<[u8]>::to_vec).collect();
            prop_assert_eq!(cut(&source, size), expected);
        }
    }

    #[test]
    fn what_breaks_off_says_so_where_it_does() {
        let source = stream::iter([
            Ok(Bytes::from_static(b"abc")),
            Ok(Bytes::from_static(b"d")),
            Err("gone"),
            Ok(Bytes::from_static(b"efg")),
        ]);
        let pieces: Vec<_> = futures::executor::block_on(of_size(source, 3).collect());
        assert_eq!(pieces, [Ok(Bytes::from_static(b"abc")), Err("gone")]);
    }

    #[test]
    fn a_large_piece_is_not_copied() {
        let whole = Bytes::from(vec![7; 100]);
        let source = stream::iter([Ok::<_, ()>(whole.clone())]);
        let pieces: Vec<Bytes> =
            futures::executor::block_on(of_size(source, 40).try_collect()).expect("no error");
        assert_eq!(pieces[1].as_ptr(), whole[40..].as_ptr());
        assert_eq!(pieces[2].len(), 20);
    }
}
