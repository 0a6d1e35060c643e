use std::{fs, os::unix::fs::symlink};

use serde_json::json;
use tempfile::TempDir;

use super::*;

struct Folder(TempDir);

impl Folder {
    fn of(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        for (name, text) in files {
            let path = folder.0.path().join(name);
            fs::create_dir_all(path.parent().expect("in the folder")).expect("made");
            fs::write(path, text).expect("written");
        }
        folder
    }

    fn follow(&self, document: &str) -> Included {
        look(document, self.0.path())
    }

    fn said(&self, document: &str) -> Value {
        let included = self.follow(document);
        assert_eq!(included.issues, [], "{document}");
        included.value
    }

    fn refused(&self, document: &str) -> String {
        let issues = self.follow(document).issues;
        assert!(!issues.is_empty(), "{document} is followed");
        issues
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; ")
    }
}

#[test]
fn files_merge_in_the_order_of_their_names_and_what_stands_beside_them_wins() {
    let folder = Folder::of(&[
        (
            "a.json5",
            "{ gateway: { port: 1, bind: 'loopback' }, list: [1], /* mine */ x: 'a' }",
        ),
        ("b.json5", "{ gateway: { port: 2 }, list: [2, 3], x: { y: 1 } }"),
        (
            "conf/agents.json5",
            "{ $include: './more/one.json5', defaults: { model: 'p/m' } }",
        ),
        (
            "conf/more/one.json5",
            "{ defaults: { model: 'p/old', timeoutSeconds: 5 } }",
        ),
        ("people.json5", "['@a', '@b']"),
    ]);

    let said = folder.said(
        "{ $include: ['./a.json5', 'b.json5'], gateway: { port: 3 }, list: [4], agents: { $include: 'conf/agents.json5' },
           channels: { irc: { allowFrom: { $include: './people.json5' } } } }",
    );

    assert_eq!(
        said,
        json!({
            "gateway": {"port": 3, "bind": "loopback"},
            "list": [1, 2, 3, 4],
            "x": {"y": 1},
            "agents": {"defaults": {"model": "p/m", "timeoutSeconds": 5}},
            "channels": {"irc": {"allowFrom": ["@a", "@b"]}},
        })
    );
}

#[test]
fn no_name_leads_out_of_the_folder_and_no_link_does() {
    let outside = Folder::of(&[("secret.json5", "{ gateway: { port: 666 } }")]);
    let folder = Folder::of(&[
        ("in/a.json5", "{ $include: '../../up.json5' }"),
        ("real.json5", "{ x: 1 }"),
    ]);
    let secret = outside.0.path().join("secret.json5");
    symlink(&secret, folder.0.path().join("link.json5")).expect("linked");
    symlink(outside.0.path(), folder.0.path().join("out")).expect("linked");
    symlink("real.json5", folder.0.path().join("inner.json5")).expect("linked");

    for name in [
        secret.to_str().expect("UTF-8"),
        "../secret.json5",
        "in/../../secret.json5",
        "./in/a.json5",
        "link.json5",
        "out/secret.json5",
        "/proc/self/environ",
        ".",
        "",
    ] {
        let refused = folder.refused(&json!({"$include": name}).to_string());
        assert!(!refused.contains("666"), "{name}: {refused}");
    }
    assert_eq!(folder.said("{ $include: './inner.json5' }"), json!({"x": 1}));
    let absolute = folder.0.path().join("real.json5");
    assert_eq!(
        folder.said(&json!({"$include": absolute}).to_string()),
        json!({"x": 1})
    );
}

#[test]
fn circles_chains_and_floods_come_to_an_end() {
    let list = format!("{{ $include: [{}] }}", "'./leaf.json5',".repeat(300));
    let folder = Folder::of(&[
        ("circle.json5", "{ x: { $include: './other.json5' } }"),
        ("other.json5", "{ $include: './circle.json5' }"),
        ("many.json5", &list),
        ("leaf.json5", "{ x: [1] }"),
        (
            "deep.json5",
            &format!("{{ x: {}1{} }}", "[".repeat(50), "]".repeat(50)),
        ),
    ]);
    for number in 0..12 {
        let text = format!("{{ $include: './{}.json5' }}", number + 1);
        fs::write(folder.0.path().join(format!("{number}.json5")), text).expect("written");
    }

    assert!(
        folder
            .refused("{ $include: './circle.json5' }")
            .contains("includes itself")
    );
    assert!(
        folder
            .refused("{ $include: './0.json5' }")
            .contains("more than 10 files include each other")
    );
    assert!(
        folder
            .refused("{ $include: './many.json5' }")
            .contains("more than 200 files")
    );
    let nested = format!(
        "{}{{ $include: './deep.json5' }}{}",
        "{ a: ".repeat(20),
        "}".repeat(20)
    );
    assert!(folder.refused(&nested).contains("nested deeper than 64"));
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_name_and_the_place_in_it() {
    let folder = Folder::of(&[
        ("broken.json5", "{ a: 1,\n  b: }"),
        ("blank.json5", "// nothing yet\n"),
        ("list.json5", "[1]"),
    ]);
    for (document, part) in [
        ("{ agents: { $include: './broken.json5' } }", "broken.json5: "),
        ("{ agents: { $include: './broken.json5' } }", "in line 2"),
        (
            "{ agents: { $include: './blank.json5' } }",
            "blank.json5 is empty",
        ),
        (
            "{ agents: { $include: './none.json5' } }",
            "none.json5 is not there",
        ),
        (
            "{ agents: { $include: 5 } }",
            "agents: `$include` must be the name of a file",
        ),
        (
            "{ agents: { $include: ['./list.json5', 5] } }",
            "must be the name of a file",
        ),
        (
            "{ agents: { $include: './list.json5', x: 1 } }",
            "must be an object",
        ),
        ("{ $include: './list.json5' }", "must be an object"),
    ] {
        let refused = folder.refused(document);
        assert!(refused.contains(part), "{document}: {refused}");
    }
    assert!(folder.follow("{ $include: './none.json5' }").only_absent);
    assert!(
        !folder
            .follow("{ $include: ['./none.json5', './broken.json5'] }")
            .only_absent
    );
    assert!(folder.follow("{ $include: './blank.json5' }").is_unfinished);
}

#[test]
fn a_document_without_includes_has_the_hash_of_its_text_and_one_with_them_another_for_each_content() {
    let folder = Folder::of(&[("a.json5", "{}")]);
    let text = "{ $include: './a.json5' }";

    let first = folder.follow(text).hash;
    fs::write(folder.0.path().join("a.json5"), "{ x: 1 }").expect("written");
    let second = folder.follow(text).hash;
    fs::remove_file(folder.0.path().join("a.json5")).expect("removed");

    let all = [
        first,
        second,
        folder.follow(text).hash,
        crate::revision::hash(text),
    ];
    assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    assert_eq!(folder.follow("{ x: 1 }").hash, crate::revision::hash("{ x: 1 }"));
    assert_eq!(folder.follow("{ '\\u0024include': './a.json5' }").files.len(), 1);
}
