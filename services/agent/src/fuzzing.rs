//! What reads a provider's stream, as a fuzzer calls it (`fuzz/`): the same events and the same answer, however the network cuts the
//! bytes. The corpus is an ordinary test as well.

use crate::provider::{
    openai::trial,
    sse::{Event, Parser},
};

/// The first byte says into which pieces the rest is cut.
pub fn sse(data: &[u8]) {
    let Some((piece, bytes)) = data.split_first() else {
        return;
    };
    let whole = events(bytes, bytes.len().max(1));
    assert_eq!(whole, events(bytes, pieces(*piece)), "the pieces matter");
}

/// The same of the answer: what was thought, what was said, and what the end is.
pub fn answer(data: &[u8]) {
    let Some((piece, bytes)) = data.split_first() else {
        return;
    };
    let whole = trial::read([bytes]);
    assert_eq!(
        whole,
        trial::read(bytes.chunks(pieces(*piece))),
        "the pieces matter"
    );
}

fn pieces(byte: u8) -> usize {
    usize::from(byte % 13) + 1
}

/// The events, and whether one was too long.
fn events(bytes: &[u8], piece: usize) -> (Vec<Event>, String, bool) {
    let (mut parser, mut events) = (Parser::default(), Vec::new());
    let too_long = bytes
        .chunks(piece)
        .any(|piece| parser.push(piece, &mut events).is_err());
    parser.finish(&mut events);
    (events, parser.stray().to_owned(), too_long)
}

#[cfg(test)]
mod tests {
    /// The files of one corpus through its target.
    fn hold(corpus: &str, target: fn(&[u8])) {
        let folder = format!("{}/../../fuzz/corpus/{corpus}", env!("CARGO_MANIFEST_DIR"));
        let files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(files.len() >= 5, "the corpus is missing");
        for file in files {
            target(&std::fs::read(file).unwrap());
        }
    }

    #[test]
    fn what_the_fuzzer_begins_with_and_what_it_found_holds() {
        hold("sse", super::sse);
        hold("answer", super::answer);
    }
}
