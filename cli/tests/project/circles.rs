//! Which modules of a crate need each other. A circle of them cannot be read one after the other, and grows by itself: each one that
//! stays has its reason here and in ARCHITECTURE.md.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use super::{members, root};

/// More than these are not accepted; each with the crate in which it is.
const CIRCLES_MAX: usize = 3;

/// The circles that stay, by the folder of their crate. A second one in the same crate fails as well.
const REASONS: [(&str, &str); 2] = [
    (
        "services/session",
        "one transaction touches several nouns: each says what its store must do, and `store` is all of them together",
    ),
    (
        "services/channel-bridge",
        "an account drives adapter, inbox and outbox and is shown by them; `store` is what all of them keep, in one file",
    ),
];

/// The module at the root of its crate that a file belongs to. `None`: the root itself, or what is for tests alone.
fn module_of(path: &Path, src: &Path) -> Option<String> {
    let path = path.strip_prefix(src).unwrap().with_extension("");
    let parts: Vec<&str> = path.iter().map(|part| part.to_str().unwrap()).collect();
    let is_for_tests = parts
        .iter()
        .any(|part| ["tests", "testing", "fuzzing"].contains(part));
    let is_suite = parts.contains(&"contract") && (parts.contains(&"store") || parts.contains(&"adapter"));
    let is_root = matches!(*parts.as_slice(), ["lib" | "main"]);
    (!is_for_tests && !is_suite && !is_root).then(|| parts[0].to_owned())
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

/// The modules at the root of the crate that a file names. `depth`: how many modules it stands below the root.
fn named(text: &str, depth: usize) -> BTreeSet<String> {
    let text = code(text);
    let mut paths = Vec::new();
    for rest in text.split("use ").skip(1) {
        if rest.starts_with("crate::") || rest.starts_with("super::") {
            expand(rest.split(';').next().unwrap(), "", &mut paths);
        }
    }
    for head in ["crate::", "super::"] {
        for (at, _) in text.match_indices(head) {
            let rest = text.get(at..).unwrap();
            let mut ends = rest.split(|letter: char| !(letter.is_alphanumeric() || "_:".contains(letter)));
            paths.push(ends.next().unwrap().to_owned());
        }
    }
    let from_root = |path: &String| {
        let mut steps = path.split("::").map(str::trim).peekable();
        let mut ups = 0;
        while steps.next_if(|step| *step == "super").is_some() {
            ups += 1;
        }
        let is_from_root = steps.next_if(|step| *step == "crate").is_some() || ups == depth;
        let first = steps.next().filter(|first| !first.is_empty());
        first.filter(|_| is_from_root).map(str::to_owned)
    };
    paths.iter().filter_map(from_root).collect()
}

type Graph = BTreeMap<String, BTreeSet<String>>;

fn read(folder: &Path, src: &Path, graph: &mut Graph) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            read(&path, src, graph);
        } else if path.extension().is_some_and(|ending| ending == "rs")
            && let Some(module) = module_of(&path, src)
        {
            let depth = path.strip_prefix(src).unwrap().iter().count();
            let text = fs::read_to_string(&path).unwrap();
            graph.entry(module).or_default().extend(named(&text, depth));
        }
    }
}

/// All that can be reached from a module.
fn reach(graph: &Graph, from: &str) -> BTreeSet<String> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(module) = open.pop() {
        for next in graph.get(&module).into_iter().flatten() {
            if *next != module && graph.contains_key(next) && reached.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    reached
}

/// The circles of a graph: modules each of which reaches all others.
fn circles(graph: &Graph) -> BTreeSet<BTreeSet<String>> {
    let reached: BTreeMap<&String, _> = graph
        .keys()
        .map(|module| (module, reach(graph, module)))
        .collect();
    let around = |module: &String| -> BTreeSet<String> {
        let mates = reached[module].iter();
        mates
            .filter(|mate| reached[mate].contains(module))
            .cloned()
            .collect()
    };
    graph
        .keys()
        .map(around)
        .filter(|circle| circle.len() > 1)
        .collect()
}

#[test]
fn modules_that_need_each_other_are_few_and_each_circle_has_its_reason() {
    let mut found = Vec::new();
    for member in members() {
        let src = root().join(&member).join("src");
        let mut graph = Graph::new();
        read(&src, &src, &mut graph);
        found.extend(circles(&graph).into_iter().map(|circle| (member.clone(), circle)));
    }

    assert!(found.len() <= CIRCLES_MAX, "{found:#?}");
    let crates: BTreeSet<&str> = found.iter().map(|(member, _)| member.as_str()).collect();
    let reasons: BTreeSet<&str> = REASONS.iter().map(|(member, _)| *member).collect();
    assert_eq!(found.len(), crates.len(), "two circles in one crate: {found:#?}");
    assert_eq!(
        crates, reasons,
        "open it (a type or a constant stands in the wrong module as a rule), or give its reason here and in ARCHITECTURE.md: \
         {found:#?}"
    );
}

#[test]
fn a_circle_is_found_through_every_way_of_naming_a_module() {
    for (one, other) in [
        ("use crate::b::Thing;", "use crate::a::{self, Other};"),
        (
            "use crate::{\n    c::X,\n    b::{Y, z::Z},\n};",
            "fn f() -> crate::a::Other {}",
        ),
        ("use super::b::Thing;", "use super::{a::Other, c};"),
    ] {
        let graph = Graph::from([
            ("a".to_owned(), named(one, 1)),
            ("b".to_owned(), named(other, 1)),
            (
                "c".to_owned(),
                named(
                    "// use crate::a::X;\n#[cfg(test)]\nmod tests { use crate::a::X; }",
                    1,
                ),
            ),
        ]);
        let both = BTreeSet::from(["a".to_owned(), "b".to_owned()]);

        assert_eq!(circles(&graph), BTreeSet::from([both]), "{one}");
    }
    let below = named(
        "use super::helper; use super::super::b::Thing; use self::c::X;",
        2,
    );
    assert_eq!(
        below,
        BTreeSet::from(["b".to_owned()]),
        "what stands in the module itself is not at the root"
    );
}
