//! The text of the configuration as a fuzzer calls its scanner and its editor (`fuzz/`): whatever stands in a file, it is read or
//! refused, and an edit in place says what the merge of the values says. The corpus is an ordinary test as well.

use crate::text::{merge, merge_text, parse};

/// A document, and behind a zero byte a change to it.
pub fn config_text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (document, patch) = text.split_once('\0').unwrap_or((text, "{}"));
    let (Ok((mut value, _)), Ok((patch, _))) = (parse(document), parse(patch)) else {
        return;
    };
    let Some(edited) = merge_text(document, &patch) else {
        return; // written anew then
    };
    merge(&mut value, &patch);
    let read = parse(&edited);
    assert!(
        matches!(&read, Ok((read, _)) if *read == value),
        "{document:?} with {patch} became {edited:?}"
    );
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_the_fuzzer_begins_with_and_what_it_found_holds() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/config_text");
        let files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(files.len() >= 5, "the corpus is missing");
        for file in files {
            super::config_text(&std::fs::read(file).unwrap());
        }
    }
}
