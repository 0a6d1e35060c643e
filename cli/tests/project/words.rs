//! The words of CONTRIBUTING.md: those that it says are not used stand nowhere, and those of the glossary are there to be used.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{members, plugins, read, root};

/// Where a word may stand nevertheless, and why.
const ALLOWED: [(&str, &str, &str); 4] = [
    (
        "gateway-edge/src/dialect/strict.rs",
        "visitor",
        "a trait of serde",
    ),
    (
        "services/channel-bridge/src/platform/irc/text.rs",
        "keeper",
        "a name that somebody in a room may have",
    ),
    (
        "changes/methods-by-http.md",
        "crowd",
        "the former name of a label",
    ),
    (
        "ARCHITECTURE.md",
        "crowd",
        "many clients, and not more than are taken",
    ),
];

/// Files that are the record of what was, or list these words themselves.
const NOT_READ: [&str; 3] = ["CHANGELOG.md", "CONTRIBUTING.md", "cli/tests/project/words.rs"];

/// Files without an ending of these hold no words of ours.
const ENDINGS: [&str; 10] = [
    "rs", "md", "proto", "mjs", "js", "html", "yml", "yaml", "json5", "toml",
];

/// The words of a line in lower case: those of identifiers as well, `SnakeAndCamel_case` is four.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for letter in line.chars() {
        if !letter.is_alphabetic() || (letter.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        if letter.is_alphabetic() {
            words.last_mut().unwrap().extend(letter.to_lowercase());
        }
        was_lower = letter.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The first cells of a table under a heading: what is not said, or what is.
fn table(heading: &str) -> Vec<String> {
    let text = read("CONTRIBUTING.md");
    let (_, rest) = text.split_once(&format!("\n{heading}\n")).expect(heading);
    let section = rest.split("\n#").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    let cells = rows.map(|row| row.split('|').nth(1).unwrap().trim().to_owned());
    cells.collect()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            if !crate::is_foreign(&path) {
                files(&path, found);
            }
        } else if path
            .extension()
            .is_some_and(|ending| ENDINGS.iter().any(|ours| ending == *ours))
        {
            found.push(path);
        }
    }
}

#[test]
fn a_word_that_is_not_used_stands_in_no_code_log_or_page() {
    let banned: Vec<Vec<String>> = table("### Words that are not used")
        .iter()
        .flat_map(|cell| cell.split(','))
        .map(words)
        .collect();
    assert!(banned.len() > 10, "the table is not read");
    let mut paths = Vec::new();
    let folders = [members(), plugins()].concat();
    for folder in folders.iter().map(String::as_str).chain([
        "docs",
        "deploy",
        "changes",
        ".github",
        "fuzz/fuzz_targets",
    ]) {
        files(&root().join(folder), &mut paths);
    }
    paths.extend(["README.md", "ARCHITECTURE.md", "SECURITY.md", "Makefile"].map(|name| root().join(name)));
    assert!(paths.len() > 1_000, "they are looked for in the wrong place");

    let (mut found, mut allowed) = (Vec::new(), BTreeSet::new());
    for path in paths {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        if NOT_READ.contains(&name.as_str()) {
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            let said = words(line);
            for word in &banned {
                if !said.windows(word.len()).any(|here| here == word.as_slice()) {
                    continue;
                }
                let word = word.join(" ");
                match ALLOWED
                    .iter()
                    .find(|(file, may, _)| *file == name && *may == word)
                {
                    Some(one) => {
                        allowed.insert(one);
                    }
                    None => found.push(format!("{name}:{}: {word}: {}", number + 1, line.trim())),
                }
            }
        }
    }

    assert!(
        found.is_empty(),
        "CONTRIBUTING.md has the word for it, or allow it here with the reason:\n{}",
        found.join("\n")
    );
    let unused: Vec<_> = ALLOWED
        .iter()
        .filter(|one| !allowed.contains(one) && one.0.ends_with(".rs"))
        .collect();
    assert!(unused.is_empty(), "allowed for nothing: {unused:?}");
}

#[test]
fn the_glossary_has_each_word_once_and_all_of_them_are_used() {
    let rows = table("## Words");
    let mut paths = vec![root().join("ARCHITECTURE.md")];
    for member in members() {
        files(&root().join(member).join("src"), &mut paths);
    }
    let mut used = BTreeSet::new();
    for path in paths {
        used.extend(fs::read_to_string(path).unwrap().lines().flat_map(words));
    }
    let mut seen = BTreeSet::new();

    assert!(rows.len() >= 40, "{} rows", rows.len());
    for word in rows.iter().flat_map(|row| row.split(',')) {
        // `lease (of memory)` is one meaning of `lease`.
        let plain = word.split('(').next().unwrap().trim();
        assert!(seen.insert(word.trim().to_owned()), "{word} stands there twice");
        for part in words(plain) {
            assert!(
                used.contains(&part) || used.contains(&format!("{part}s")),
                "nobody says {part}"
            );
        }
    }
}

#[test]
fn words_are_found_in_names_of_every_form() {
    assert_eq!(
        words("let HouseKeeper_x = the_house(\"A 1st\");"),
        ["let", "house", "keeper", "x", "the", "house", "a", "st"]
    );
    assert_eq!(words("gatehouse"), ["gatehouse"]);
}
