//! What the project says of itself beside the code: one compiler version, no dependency that nobody uses, workflows that run what
//! a developer runs, few circles of modules, and one word for one thing.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is the failure")]

mod circles;
mod lengths;
mod pinned;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde_yaml_ng::Value;

/// The code that `prost` and `tonic` generate needs these; it stands in no folder of ours.
const GENERATED: &[(&str, &str)] = &[
    ("proto", "prost"),
    ("proto", "prost-types"),
    ("proto", "tonic-prost"),
    ("examples/plugins/rust", "prost"),
    ("examples/plugins/rust", "tonic-prost"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect(path)
}

/// The lines of a TOML table of dependencies, as far as our manifests write them: one line each.
fn table(manifest: &str, name: &str) -> Vec<String> {
    let head = format!("[{name}]");
    let lines = manifest.lines().skip_while(|line| *line != head).skip(1);
    lines
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split([' ', '.', '=']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

fn members() -> Vec<String> {
    let manifest = read("Cargo.toml");
    let list = manifest
        .split_once("members = [")
        .unwrap()
        .1
        .split_once(']')
        .unwrap()
        .0;
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Plugins that are workspaces of their own.
fn plugins() -> Vec<String> {
    let manifest = read("Cargo.toml");
    let list = manifest.split_once("\nexclude = [").unwrap().1;
    let folders = list.split_once(']').unwrap().0.split('"').skip(1).step_by(2);
    folders
        .filter(|folder| folder.starts_with("plugins/"))
        .map(str::to_owned)
        .collect()
}

/// Whether a folder holds what is not ours: what was built, made or installed.
fn is_foreign(folder: &Path) -> bool {
    let names = [
        "node_modules",
        "python_modules",
        "conformance/python",
        "platforms/python",
        "synapse/python",
        "target",
        "artifacts",
        "work",
        "corpus",
        ".git",
    ];
    names.iter().any(|name| folder.ends_with(name))
}

/// The Rust below a folder, without whole lines of comments.
fn sources(folder: &Path, text: &mut String) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            if !is_foreign(&path) {
                sources(&path, text);
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            for line in source.lines().filter(|line| !line.trim_start().starts_with("//")) {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
}

/// Whether a source names a crate: at the beginning of a path, or in a `use`. A module of ours with the same name hides that a
/// crate is not used; nothing is taken for unused that is used.
fn names(source: &str, dependency: &str) -> bool {
    let name = dependency.replace('-', "_");
    source.match_indices(&name).any(|(at, _)| {
        let before = source.get(..at).unwrap_or_default().chars().next_back();
        let after = source.get(at + name.len()..).unwrap_or_default();
        let begins = !before.is_some_and(|c| c.is_alphanumeric() || "_.:-\"/".contains(c));
        begins && (after.starts_with("::") || after.starts_with(';') || after.starts_with(" as "))
    })
}

#[test]
fn every_dependency_that_is_declared_is_used() {
    let mut declared = BTreeSet::new();
    let mut unused = Vec::new();
    for member in members() {
        let manifest = read(&format!("{member}/Cargo.toml"));
        let mut text = String::new();
        sources(&root().join(&member), &mut text);
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for dependency in table(&manifest, kind) {
                let is_generated = GENERATED.contains(&(member.as_str(), dependency.as_str()));
                if !is_generated && !names(&text, &dependency) {
                    unused.push(format!("{member}: {dependency} ({kind})"));
                }
                declared.insert(dependency);
            }
        }
    }
    for dependency in table(&read("Cargo.toml"), "workspace.dependencies") {
        if !declared.contains(&dependency) {
            unused.push(format!("workspace: {dependency}"));
        }
    }

    assert_eq!(unused, Vec::<String>::new(), "take them out of the manifests");
}

#[test]
fn a_crate_is_found_where_it_is_used_and_nowhere_else() {
    for used in [
        "use http::Uri;",
        "fn f() -> http::Uri",
        "    http::get()",
        "use http as web;",
        "(http::Uri)",
    ] {
        assert!(names(used, "http"), "{used}");
    }
    for not in [
        "crate::http::get()",
        "use hyper::http::Uri;",
        "https::Uri",
        "axum_http::Uri",
        "let http = 1;",
    ] {
        assert!(!names(not, "http"), "{not}");
    }
}

#[test]
fn one_compiler_version_is_named_everywhere() {
    let between = |text: &str, before: &str, after: &str| {
        let rest = text.split_once(before).unwrap_or_default().1;
        rest.split_once(after).unwrap_or_default().0.to_owned()
    };
    let channel = between(&read("rust-toolchain.toml"), "channel = \"", "\"");

    // What `make test` compiles with is the oldest that is promised: the promise is tried each time.
    let oldest = between(&read("Cargo.toml"), "rust-version = \"", "\"");
    assert!(
        channel == oldest || channel.strip_suffix(".0") == Some(&oldest),
        "rust-version {oldest} in Cargo.toml, {channel} in rust-toolchain.toml"
    );
    assert!(read("README.md").contains(&format!("Rust {oldest}")), "README.md");
    assert!(
        read(".github/workflows/test.yml").contains(&channel),
        "the other architecture is built with the same one"
    );
    for member in members() {
        let manifest = read(&format!("{member}/Cargo.toml"));
        assert!(manifest.contains("rust-version.workspace = true"), "{member}");
    }
}

#[test]
fn a_plugin_with_a_workspace_of_its_own_is_judged_as_the_gateway_is() {
    let lints = |path: &str| {
        let manifest = read(path);
        let table = manifest.split_once("[workspace.lints.rust]").expect(path).1;
        let lines = table.lines().take_while(|line| !line.starts_with("[profile"));
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let makefile = read("Makefile");
    let judged = makefile
        .lines()
        .find_map(|line| line.strip_prefix("PLUGINS = "))
        .unwrap();
    let judged: Vec<&str> = judged
        .split_whitespace()
        .filter_map(|word| word.split(':').next())
        .collect();

    assert!(!plugins().is_empty(), "they are looked for in the wrong place");
    for plugin in plugins() {
        let manifest = format!("{plugin}/Cargo.toml");
        assert_eq!(lints(&manifest), lints("Cargo.toml"), "{manifest}");
        let oldest = |path: &str| {
            let text = read(path);
            let rest = text.split_once("rust-version = \"").expect(path).1;
            rest.split_once('"').unwrap().0.to_owned()
        };
        assert_eq!(oldest(&manifest), oldest("Cargo.toml"), "{manifest}");
        let name = plugin.trim_start_matches("plugins/");
        assert!(judged.contains(&name), "`make test-plugins` leaves {name} out");
    }
}

#[test]
fn a_feature_that_takes_a_check_away_is_in_no_release() {
    let is_danger = |line: &&str| line.contains("danger-") || line.contains("untrusted-");
    for plugin in plugins() {
        let path = format!("{plugin}/Cargo.toml");
        let manifest = read(&path);
        let features = table(&manifest, "features");
        let tests_only = features.iter().find(|feature| feature.starts_with("untrusted-"));
        let (allowed, used) = match tests_only {
            Some(feature) => (format!("{feature} = ["), true),
            None => (String::new(), false),
        };
        // Where it is defined, and what needs it.
        let named: Vec<&str> = manifest
            .lines()
            .filter(is_danger)
            .filter(|line| !line.starts_with("required-features"))
            .filter(|line| !used || !line.starts_with(&allowed))
            .collect();
        assert_eq!(named, [""; 0], "{path}");
        let image = read(&format!("{plugin}/Dockerfile"));
        assert_eq!(
            image.lines().find(|line| line.contains("--features")),
            None,
            "{plugin}"
        );
        if used {
            let name = plugin.trim_start_matches("plugins/");
            let looks = format!("deploy/released-features.sh {name}");
            assert!(
                image.contains(&looks),
                "{plugin}/Dockerfile builds without looking"
            );
        }
    }
    assert!(
        read("deploy/test-plugin.sh").contains("deploy/released-features.sh"),
        "`make test` does not look"
    );
}

#[test]
fn a_clock_that_tests_can_stop_is_in_no_release() {
    let manifests = members().into_iter().map(|member| format!("{member}/Cargo.toml"));
    for path in manifests.chain(["Cargo.toml".to_owned()]) {
        let manifest = read(&path);
        let released = manifest.split("[dev-dependencies]").next().unwrap();
        let named = released.lines().find(|line| line.contains("\"test-util\""));
        assert_eq!(named, None, "{path}");
    }
}

#[test]
fn the_image_knows_every_crate() {
    let (image, empty) = (read("deploy/Dockerfile"), read("deploy/empty-crates.sh"));
    for member in members() {
        assert!(
            image.contains(&format!("COPY {member}/Cargo.toml {member}/")),
            "deploy/Dockerfile: {member}"
        );
        assert!(empty.contains(&member), "deploy/empty-crates.sh: {member}");
    }
}

/// Every command of every step, with what its matrix puts into it.
fn commands(workflow: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for job in workflow["jobs"].as_mapping().unwrap().values() {
        let matrix = job["strategy"]["matrix"].as_mapping();
        let values: BTreeMap<String, Vec<String>> = matrix
            .into_iter()
            .flatten()
            .filter_map(|(name, values)| {
                let values = values.as_sequence()?.iter().filter_map(Value::as_str);
                Some((name.as_str()?.to_owned(), values.map(str::to_owned).collect()))
            })
            .collect();
        for step in job["steps"].as_sequence().unwrap() {
            let Some(run) = step["run"].as_str() else { continue };
            let hole = values.iter().find_map(|(name, values)| {
                let hole = format!("${{{{ matrix.{name} }}}}");
                run.contains(&hole).then_some((hole, values))
            });
            match hole {
                Some((hole, values)) => found.extend(values.iter().map(|value| run.replace(&hole, value))),
                None => found.push(run.to_owned()),
            }
        }
    }
    found
}

#[test]
fn a_workflow_runs_what_a_developer_runs() {
    let makefile = read("Makefile");
    let targets: BTreeSet<&str> = makefile
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter_map(|line| line.split_once(':').map(|(target, _)| target))
        .collect();
    let mut called = BTreeSet::new();
    for entry in fs::read_dir(root().join(".github/workflows")).unwrap() {
        let path = entry.unwrap().path();
        let workflow: Value = serde_yaml_ng::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(
            workflow["permissions"]["contents"].as_str(),
            Some("read"),
            "{}",
            path.display()
        );
        for command in commands(&workflow) {
            let target = match command.split_whitespace().collect::<Vec<_>>()[..] {
                ["make", target, ..] => target.to_owned(),
                ["rustup", "toolchain", "install", ..] => continue,
                _ => format!("`{command}` stands in no Makefile"),
            };
            assert!(targets.contains(target.as_str()), "{}: {target}", path.display());
            called.insert(target);
        }
    }

    for needed in ["test", "fuzz", "crash", "backup-drill", "bench", "image"] {
        assert!(called.contains(needed), "no workflow runs `make {needed}`");
    }
}

#[test]
fn what_is_written_for_people_leads_somewhere() {
    for page in [
        "README.md",
        "SECURITY.md",
        "CODE_OF_CONDUCT.md",
        "CONTRIBUTING.md",
        "ARCHITECTURE.md",
    ] {
        let text = read(page);
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split_once(')').map(|(link, _)| link))
        {
            let path = link.split_once('#').map_or(link, |(path, _)| path);
            if path.starts_with("http") || path.is_empty() {
                continue;
            }
            assert!(
                root().join(path).exists(),
                "{page} leads to {link}, which is not there"
            );
        }
    }
}
