//! The reader of server-sent events as a fuzzer calls it (`fuzz/`): the same events, however the network cuts them. The corpus is an
//! ordinary test as well.

use crate::provider::sse::Parser;

/// The first byte says into which pieces the rest is cut.
pub fn sse(data: &[u8]) {
    let Some((piece, bytes)) = data.split_first() else {
        return;
    };
    let whole = read(bytes, bytes.len().max(1));
    assert_eq!(
        whole,
        read(bytes, usize::from(*piece % 13) + 1),
        "the pieces matter"
    );
}

/// The events, and whether one was too long.
fn read(bytes: &[u8], piece: usize) -> (Vec<String>, bool) {
    let (mut parser, mut events) = (Parser::default(), Vec::new());
    let too_long = bytes
        .chunks(piece)
        .any(|piece| parser.push(piece, &mut events).is_err());
    (events, too_long)
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_the_fuzzer_begins_with_and_what_it_found_holds() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/sse");
        let files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(files.len() >= 5, "the corpus is missing");
        for file in files {
            super::sse(&std::fs::read(file).unwrap());
        }
    }
}
