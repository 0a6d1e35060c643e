//! What names a version of somebody else's: each such file is looked through for newer ones, or it would grow old unseen.

use std::{collections::BTreeSet, fs, path::Path};

use serde_yaml_ng::Value;

use super::{is_foreign, read, root};

/// Files in which versions are fixed, and whose they are.
const PINNED: [(&str, &str); 4] = [
    ("Cargo.lock", "cargo"),
    ("package-lock.json", "npm"),
    ("requirements.txt", "pip"),
    ("Dockerfile", "docker"),
];

/// Each file below a folder that fixes versions: the ecosystem, and its folder as it is written in `dependabot.yml`.
fn pinned(folder: &Path, found: &mut BTreeSet<(String, String)>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !is_foreign(&path) && !path.is_symlink() && !name.starts_with('.') {
                pinned(&path, found);
            }
        } else if let Some((_, ecosystem)) = PINNED.iter().find(|(pinned, _)| *pinned == name) {
            let place = folder.strip_prefix(root()).unwrap_or(folder);
            found.insert(((*ecosystem).to_owned(), format!("/{}", place.display())));
        }
    }
}

#[test]
fn every_file_that_fixes_versions_is_looked_through_for_newer_ones() {
    let text = read(".github/dependabot.yml");
    let watched: Value = serde_yaml_ng::from_str(&text).unwrap();
    let mut known = BTreeSet::new();
    for update in watched["updates"].as_sequence().unwrap() {
        let ecosystem = update["package-ecosystem"].as_str().unwrap();
        let one = update["directory"].as_str();
        let several = update["directories"].as_sequence().into_iter().flatten();
        for folder in several.filter_map(Value::as_str).chain(one) {
            known.insert((ecosystem.to_owned(), folder.to_owned()));
        }
    }
    let mut found = BTreeSet::new();
    pinned(&root(), &mut found);

    assert!(
        found.len() > 5,
        "they are looked for in the wrong place: {found:?}"
    );
    let unseen: Vec<_> = found.difference(&known).collect();
    assert!(
        unseen.is_empty(),
        "add them to .github/dependabot.yml: {unseen:?}"
    );
}
