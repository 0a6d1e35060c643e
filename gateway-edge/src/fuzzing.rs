//! The frame reader as a fuzzer calls it (`fuzz/`): whatever comes, it answers the same however the network cuts it. The corpus is an
//! ordinary test as well.

use crate::{
    budget::Budget,
    frame::reader::{Incoming, Reader},
};

/// As a small client may send; the fuzzer's inputs are smaller still.
const LIMIT: usize = 4_096;

/// The first byte says into which pieces the rest is cut.
pub fn frame(data: &[u8]) {
    let Some((piece, bytes)) = data.split_first() else {
        return;
    };
    let whole = read(bytes, bytes.len().max(1));
    let pieces = read(bytes, usize::from(*piece % 13) + 1);
    assert_eq!(whole, pieces, "the pieces matter");
}

/// What comes whole, and the code that ends it.
fn read(bytes: &[u8], piece: usize) -> (Vec<Incoming>, Option<u16>) {
    let mut reader = Reader::new(LIMIT, Budget::new(10 * LIMIT, 0).lease());
    let mut seen = Vec::new();
    for mut input in bytes.chunks(piece) {
        loop {
            match reader.read(&mut input) {
                Ok(Some(Incoming::Fragment(_))) => {}
                Ok(Some(incoming)) => seen.push(incoming),
                Ok(None) => break,
                Err(close) => return (seen, Some(close.code)),
            }
            // A buffer grows by doubling.
            assert!(reader.held() <= 2 * LIMIT, "more is held than a message may have");
        }
        assert!(input.is_empty(), "it takes all of it before it wants more");
    }
    (seen, None)
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_the_fuzzer_begins_with_and_what_it_found_holds() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/frame");
        let files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(files.len() >= 5, "the corpus is missing");
        for file in files {
            super::frame(&std::fs::read(file).unwrap());
        }
    }
}
