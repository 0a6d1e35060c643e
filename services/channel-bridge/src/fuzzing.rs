//! The reader of IRC lines as a fuzzer calls it (`fuzz/`): the same lines, however the network cuts them; and of recordings. The corpora
//! are ordinary tests as well.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use futures::executor::block_on;
use tokio::io::{AsyncRead, ReadBuf};

use crate::platform::{
    irc::{line::Line, wire::Reader},
    web::voice::Voice,
};

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

/// A recording is within its bounds, or none.
pub fn ogg(data: &[u8]) {
    if let Some(Voice { seconds, loudness }) = Voice::of(data) {
        assert!(seconds > 0.0 && seconds <= 3600.0, "{seconds}");
        assert!((1..=256).contains(&loudness.len()), "{} moments", loudness.len());
    }
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
        type Target = fn(&[u8]);
        let targets: [(&str, Target); 2] = [("irc", super::irc), ("ogg", super::ogg)];
        for (target, holds) in targets {
            let folder = format!("{}/../../fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
            let files: Vec<_> = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .collect();
            assert!(files.len() >= 5, "the corpus of {target} is missing");
            for file in files {
                holds(&std::fs::read(file).unwrap());
            }
        }
    }
}
