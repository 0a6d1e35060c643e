//! How long source files may be.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{members, plugins, root};

/// Lines of a file at most.
const LINES_MAX: usize = 500;

/// Lines that nine files of ten have at most.
const LINES_OF_MOST: usize = 300;

/// Every source file of ours with its lines.
fn lengths(folder: &Path, found: &mut Vec<(usize, PathBuf)>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            if !crate::is_foreign(&path) {
                lengths(&path, found);
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            found.push((lines, path));
        }
    }
}

#[test]
fn a_source_file_is_short_enough_to_be_read_at_once() {
    let mut found = Vec::new();
    let folders = [members(), plugins()].concat();
    for folder in folders.iter().map(String::as_str).chain(["fuzz/fuzz_targets"]) {
        lengths(&root().join(folder), &mut found);
    }
    found.sort();
    found.dedup(); // a member may lie in another

    assert!(found.len() > 500, "they are looked for in the wrong place");
    let too_long: Vec<_> = found.iter().filter(|(lines, _)| *lines > LINES_MAX).collect();
    assert!(too_long.is_empty(), "part them: {too_long:?}");
    let (of_most, _) = found[found.len() * 9 / 10];
    assert!(
        of_most <= LINES_OF_MOST,
        "one file of ten is longer than {of_most} lines: part some"
    );
}
