use gatehouse_core::Env;
use tempfile::TempDir;

use super::*;
use crate::restore::{place::Folders, target};

struct Bench {
    folder: TempDir,
    home: Home,
    staged: Staged,
    folders: Folders,
}

impl Bench {
    /// A backup with this document.
    fn new(document: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap();
        let home = Home::read(&Env::of([("GATEHOUSE_HOME", home)]));
        let mut bench = Self {
            folder,
            home,
            staged: Staged::default(),
            folders: Folders::default(),
        };
        bench.unpack(archive::DOCUMENT, document);
        bench
    }

    fn unpack(&mut self, name: &str, content: &str) {
        let target = target(&self.home, name).unwrap();
        let mut content = content.as_bytes();
        self.staged
            .unpack(name, target, &mut self.folders, &mut content)
            .unwrap();
    }

    fn include(&mut self, way: &str, content: &str) {
        self.unpack(&format!("{}{way}", archive::INCLUDED), content);
    }

    /// Something stands there already.
    fn stands(&self, way: &str, content: &str) {
        let path = self.folder.path().join(way);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn judge(&mut self) -> Result<Vec<String>, String> {
        judge(&self.home, &mut self.staged).map_err(|failed| failed.message)
    }
}

#[test]
fn files_that_the_document_includes_are_taken_also_through_each_other_and_over_those_that_stand_there() {
    let mut bench = Bench::new(
        "{ agents: { $include: './conf/agents.json5' }, channels: { $include: ['./one.json5'] } }",
    );
    bench.include("conf/agents.json5", "{ $include: './more/list.json5' }");
    bench.include("conf/more/list.json5", "{ list: [] }");
    bench.include("one.json5", "// rooms\n{ irc: {} }");
    bench.stands("one.json5", "{ irc: { enabled: false } }");

    assert_eq!(bench.judge(), Ok(Vec::new()));
    assert_eq!(bench.staged.parts.len(), 4);
}

#[test]
fn a_file_that_the_document_does_not_include_is_refused() {
    for document in [
        "{}",
        "{ $include: './other.json5' }",
        "{ x: './conf/agents.json5' }",
        "{ broken",
    ] {
        let mut bench = Bench::new(document);
        bench.include("conf/agents.json5", "{}");

        let refused = bench.judge().unwrap_err();

        assert!(
            refused.contains("config/included/conf/agents.json5 is not a file that"),
            "{refused}"
        );
    }
}

#[test]
fn nothing_takes_the_place_of_what_is_no_configuration() {
    for (way, stands) in [
        (".bashrc", Some("export A=1\n")),
        (".ssh/authorized_keys", Some("ssh-ed25519 AAAA me\n")),
        ("secrets/openai", Some("sk-1234")),
        ("empty", Some("")),
        ("session/session.db", None),
        ("session/session.db-wal", None),
        ("session/workspace/main/SOUL.md", None),
        ("channel-bridge/more.json5", None),
        ("config/token", None),
        ("config/devices.db", None),
        ("config/devices.db.lock", None),
        ("config/credentials.json", None),
        ("config/history/1.json5", None),
        ("credential/edge", None),
        ("run/up.sock", None),
        ("log/gatehouse.log", None),
        ("up.lock", None),
        ("gatehouse.json5", None),
    ] {
        let mut bench = Bench::new(&format!("{{ $include: './{way}' }}"));
        bench.include(way, "{}");
        if let Some(stands) = stands {
            bench.stands(way, stands);
        }

        let refused = bench.judge().unwrap_err();

        let named = refused.contains("in the way of") || refused.contains("a file of the gateway");
        assert!(named && refused.contains(way), "{way}: {refused}");
    }
}

#[test]
fn what_holds_no_configuration_is_left_out_and_named() {
    let mut bench = Bench::new(
        "{ a: { $include: './.profile' }, b: { $include: './half.json5' }, c: { $include: './c' } }",
    );
    bench.include(".profile", "rm -rf /\n");
    bench.include("half.json5", "{ list: [");
    bench.include("c", "{}");

    assert_eq!(
        bench.judge(),
        Ok(vec![
            "config/included/.profile".to_owned(),
            "config/included/half.json5".to_owned()
        ])
    );
    let left: Vec<_> = bench.staged.parts.keys().map(String::as_str).collect();
    assert_eq!(left, ["config/document", "config/included/c"]);
    assert!(!bench.folder.path().join(".profile.restore").exists());
}

#[test]
fn a_file_that_came_with_the_secrets_as_well_is_one() {
    let mut bench = Bench::new("{ models: { $include: './secrets/models.json5' } }");
    bench.include("secrets/models.json5", "{ providers: {} }");
    bench.unpack("secrets/models.json5", "{ providers: {} }");

    assert_eq!(bench.judge(), Ok(Vec::new()));

    let part = &bench.staged.parts["secrets/models.json5"];
    assert_eq!(bench.staged.parts.len(), 2);
    assert!(part.staged.exists());
}
