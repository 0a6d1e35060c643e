//! The reader of IRC lines as a fuzzer calls it (`fuzz/`): the same lines, however the network cuts them. The corpus is an ordinary
//! test as well.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use futures::executor::block_on;
use tokio::io::{AsyncRead, ReadBuf};

use crate::platform::irc::{line::Line, wire::Reader};

/// The first byte says into which pieces the rest is cut.
pub fn irc(data: &[u8]) {
    let Some((piece, bytes)) = data.split_first() else {
        return;
    };
    let whole = lines(bytes, bytes.len().max(1));
    assert_eq!(
        whole,
        lines(bytes, usize::from(*piece % 13) + 1),
        "the pieces matter"
    );
}

fn lines(bytes: &[u8], piece: usize) -> Vec<Line> {
    let mut reader = Reader::new(Pieces { bytes, piece });
    let mut lines = Vec::new();
    while let Ok(Some(message)) = block_on(reader.next()) {
        lines.push(Line::from(message));
    }
    lines
}

/// A socket that brings a piece at a time.
struct Pieces<'a> {
    bytes: &'a [u8],
    piece: usize,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let len = self.piece.min(self.bytes.len()).min(out.remaining());
        let (piece, rest) = self.bytes.split_at(len);
        out.put_slice(piece);
        self.bytes = rest;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_the_fuzzer_begins_with_and_what_it_found_holds() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/irc");
        let files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(files.len() >= 5, "the corpus is missing");
        for file in files {
            super::irc(&std::fs::read(file).unwrap());
        }
    }
}
