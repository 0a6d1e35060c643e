//! The modules of a crate, and what each names of the others.

use std::{collections::BTreeMap, fs, path::Path};

/// A module of a crate: the way to it from the root.
pub(super) type Module = Vec<String>;

/// The module that a file is. `None`: it is for tests alone, or a suite that stores and adapters are held to.
fn module_of(path: &Path, src: &Path) -> Option<Module> {
    let path = path.strip_prefix(src).unwrap().with_extension("");
    let parts: Module = path
        .iter()
        .map(|part| part.to_str().unwrap().to_owned())
        .collect();
    let has = |name: &str| parts.iter().any(|part| part == name);
    let is_for_tests = ["tests", "testing", "fuzzing"].into_iter().any(has);
    let is_suite = has("contract") && ["store", "adapter", "bus"].into_iter().any(has);
    let is_root = matches!(parts.as_slice(), [only] if only == "lib" || only == "main");
    let is_program = parts.first().is_some_and(|first| first == "bin");
    (!is_for_tests && !is_suite && !is_program).then(|| if is_root { Module::new() } else { parts })
}

/// The paths of a `use`, each whole: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn expand(tree: &str, before: &str, found: &mut Vec<String>) {
    let Some((head, inner)) = tree.split_once('{') else {
        found.push(format!("{before}{}", tree.trim()));
        return;
    };
    let inner = inner.rsplit_once('}').map_or(inner, |(inner, _)| inner);
    let (mut depth, mut start) = (0, 0);
    let before = format!("{before}{}", head.trim());
    for (at, letter) in inner.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(inner.get(start..at).unwrap(), &before, found);
                start = at + 1;
            }
            _ => {}
        }
    }
    expand(inner.get(start..).unwrap(), &before, found);
}

/// A source without comments and without its own tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = text.lines().map(|line| line.split("//").next().unwrap());
    lines.collect::<Vec<_>>().join("\n")
}

/// What a file names, and what it shows as its own: the path behind each name of a `pub use`.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) paths: Vec<String>,
    shown: BTreeMap<String, String>,
}

pub(super) fn named(text: &str) -> Named {
    let text = code(text);
    let mut named = Named::default();
    for statement in text.split(';') {
        let Some(line) = statement.rfind("use ").filter(|at| {
            let before = statement.get(..*at).unwrap().rsplit('\n').next().unwrap().trim();
            before.is_empty() || before.starts_with("pub")
        }) else {
            continue;
        };
        let is_shown = statement.get(..line).unwrap().trim_end().ends_with([')', 'b']);
        let mut paths = Vec::new();
        expand(statement.get(line + 4..).unwrap(), "", &mut paths);
        for path in paths {
            let (path, name) = match path.split_once(" as ") {
                Some((path, name)) => (path.trim().to_owned(), name.trim().to_owned()),
                None => (path.clone(), path.rsplit("::").next().unwrap().trim().to_owned()),
            };
            if is_shown {
                named.shown.insert(name, path.clone());
            }
            named.paths.push(path);
        }
    }
    for head in ["crate::", "super::"] {
        for (at, _) in text.match_indices(head) {
            let rest = text.get(at..).unwrap();
            let mut ends = rest.split(|letter: char| !(letter.is_alphanumeric() || "_:".contains(letter)));
            named.paths.push(ends.next().unwrap().to_owned());
        }
    }
    named
}

pub(super) type Tree = BTreeMap<Module, Named>;

/// How many `pub use` are followed for one name.
const SHOWN_MAX: usize = 5;

/// The module in which what a path names stands, whoever shows it on the way. `None`: it is of another crate.
pub(super) fn resolve(tree: &Tree, from: &Module, path: &str, followed: usize) -> Option<Module> {
    let mut steps = path
        .split("::")
        .map(str::trim)
        .filter(|step| !step.is_empty())
        .peekable();
    let mut at = from.clone();
    let below = |at: &Module, step: &str| [at.as_slice(), &[step.to_owned()]].concat();
    if steps.next_if_eq(&"crate").is_some() {
        at.clear();
    } else if matches!(steps.peek(), Some(&("self" | "super"))) {
        while let Some(step) = steps.next_if(|step| ["self", "super"].contains(step)) {
            if step == "super" {
                at.pop();
            }
        }
    } else if !steps
        .peek()
        .is_some_and(|step| tree.contains_key(&below(&at, step)))
    {
        return None;
    }
    while let Some(step) = steps.next_if(|step| tree.contains_key(&below(&at, step))) {
        at = below(&at, step);
    }
    let shown = steps.peek().and_then(|step| tree.get(&at)?.shown.get(*step));
    let further = shown
        .filter(|_| followed < SHOWN_MAX)
        .and_then(|shown| resolve(tree, &at, shown, followed + 1));
    Some(further.unwrap_or(at))
}

pub(super) fn read(folder: &Path, src: &Path, tree: &mut Tree) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            read(&path, src, tree);
        } else if path.extension().is_some_and(|ending| ending == "rs")
            && let Some(module) = module_of(&path, src)
        {
            tree.insert(module, named(&fs::read_to_string(&path).unwrap()));
        }
    }
}
