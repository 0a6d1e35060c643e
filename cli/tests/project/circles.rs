//! Which modules of a crate need each other. A circle of them cannot be read one after the other, and grows by itself: each one that
//! stays has its reason here and in ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};

use self::tree::{Module, Tree, named, read, resolve};
use super::{members, root};

mod tree;

/// More than these are not accepted, at whatever depth of the tree of modules.
const CIRCLES_MAX: usize = 3;

/// The circles that stay: the crate's folder, the module in which they are (empty: at its root), and why.
const REASONS: [(&str, &str, &str); 3] = [
    (
        "services/session",
        "",
        "one transaction touches several nouns: each says what its store must do, and `store` is all of them together",
    ),
    (
        "services/channel-bridge",
        "",
        "an account drives adapter, inbox and outbox and is shown by them; `store` is what all of them keep, in one file",
    ),
    (
        "gateway-edge",
        "http",
        "`context` is handed to each route and holds what each keeps between requests",
    ),
];

type Graph = BTreeMap<String, BTreeSet<String>>;

/// Who needs whom among the modules of one module, each with all that is within it.
fn graph(tree: &Tree, within: &Module) -> Graph {
    let part = |module: &Module| module.strip_prefix(within.as_slice())?.first().cloned();
    let mut graph = Graph::new();
    for (module, named) in tree {
        let Some(one) = part(module) else { continue };
        let needed = named
            .paths
            .iter()
            .filter_map(|path| part(&resolve(tree, module, path, 0)?))
            .filter(|other| *other != one)
            .collect::<Vec<_>>();
        graph.entry(one).or_default().extend(needed);
    }
    graph
}

/// All that can be reached from a module.
fn reach(graph: &Graph, from: &str) -> BTreeSet<String> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
    while let Some(module) = open.pop() {
        for next in graph.get(&module).into_iter().flatten() {
            if reached.insert(next.clone()) {
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

/// The circles of a crate, at every depth, each with the module that it is in.
fn all_circles(tree: &Tree) -> Vec<(String, BTreeSet<String>)> {
    let within: BTreeSet<Module> = tree
        .keys()
        .filter_map(|module| Some(module.split_last()?.1.to_vec()))
        .collect();
    let of = |within: &Module| {
        let found = circles(&graph(tree, within)).into_iter();
        found
            .map(|circle| (within.join("::"), circle))
            .collect::<Vec<_>>()
    };
    within.iter().flat_map(of).collect()
}

#[test]
fn modules_that_need_each_other_are_few_and_each_circle_has_its_reason() {
    let mut found = Vec::new();
    for member in members() {
        let src = root().join(&member).join("src");
        let mut tree = Tree::new();
        read(&src, &src, &mut tree);
        let circles = all_circles(&tree).into_iter();
        found.extend(circles.map(|(within, circle)| (member.clone(), within, circle)));
    }

    assert!(found.len() <= CIRCLES_MAX, "{found:#?}");
    let places: BTreeSet<(&str, &str)> = found
        .iter()
        .map(|(member, within, _)| (member.as_str(), within.as_str()))
        .collect();
    let reasons: BTreeSet<(&str, &str)> = REASONS
        .iter()
        .map(|(member, within, _)| (*member, *within))
        .collect();
    assert_eq!(found.len(), places.len(), "two circles in one place: {found:#?}");
    assert_eq!(
        places, reasons,
        "open it (a type or a constant stands in the wrong module as a rule), or give its reason here and in ARCHITECTURE.md: \
         {found:#?}"
    );
}

/// A crate of these files.
fn crate_of(files: &[(&str, &str)]) -> Tree {
    let module = |path: &str| {
        path.split("::")
            .filter(|step| !step.is_empty())
            .map(str::to_owned)
            .collect()
    };
    files
        .iter()
        .map(|(path, text)| (module(path), named(text)))
        .collect()
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
        ("use super::Shown;", "pub(crate) use crate::a::Other as Another;"),
    ] {
        let tree = crate_of(&[
            (
                "",
                "mod a;\nmod b;\nmod c;\npub(crate) use self::b::Thing as Shown;",
            ),
            ("a", one),
            ("b", other),
            (
                "c",
                "// use crate::a::X;\n#[cfg(test)]\nmod tests { use crate::b::X; }",
            ),
        ]);
        let both = BTreeSet::from(["a".to_owned(), "b".to_owned()]);

        assert_eq!(all_circles(&tree), [(String::new(), both)], "{one}");
    }
}

#[test]
fn a_circle_is_found_at_every_depth_and_what_stands_in_a_module_itself_is_none() {
    let tree = crate_of(&[
        ("", "mod a;"),
        ("a", "mod b;\nmod c;\nstruct Own;\nfn f() { b::run(); c::run(); }"),
        ("a::b", "use super::{Own, c::X};"),
        ("a::c", "use super::Own;"),
        ("a::c::d", "use crate::a::b::Y;"),
    ]);

    let both = BTreeSet::from(["b".to_owned(), "c".to_owned()]);
    assert_eq!(all_circles(&tree), [("a".to_owned(), both)]);
}
