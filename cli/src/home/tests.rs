use std::{fs, os::unix::net::UnixListener};

use tempfile::TempDir;

use super::*;

/// A user with a home folder of their own, who stands in a folder.
struct Person {
    root: TempDir,
    env: Env,
}

impl Person {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name).to_string_lossy().into_owned();
        for folder in ["home", "here", "run", "tmp"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        let env = Env::of([
            ("HOME", path("home")),
            ("XDG_RUNTIME_DIR", path("run")),
            ("TMPDIR", path("tmp")),
        ]);
        Self { root, env }
    }

    fn search(&self) -> Search<'_> {
        Search {
            env: &self.env,
            here: self.root.path().join("here"),
        }
    }

    /// A home where a gateway has run.
    fn home(&self, name: &str) -> PathBuf {
        let home = self.root.path().join(name);
        fs::create_dir_all(home.join("run")).unwrap();
        fs::write(home.join("up.lock"), "").unwrap();
        record::note(&self.env, &home, &home.join("run")).unwrap();
        home.canonicalize().unwrap()
    }

    fn default_home(&self) -> PathBuf {
        self.root.path().join("home/.local/share/gatehouse")
    }
}

/// As a supervisor does as long as it lives.
fn runs(home: &Path) -> UnixListener {
    let path = home.join("run").join(control::SOCKET);
    let _ = fs::remove_file(&path);
    UnixListener::bind(path).unwrap()
}

#[test]
fn what_is_named_goes_before_all_else() {
    let person = Person::new();
    let running = person.home("elsewhere");
    let _gateway = runs(&running);

    let chosen = person
        .search()
        .choose(Some(Path::new("/named")), For::Client)
        .unwrap();

    assert_eq!(chosen, Chosen::new("/named".into(), Found::Named));
}

#[test]
fn the_gateway_that_runs_is_found_from_every_folder_and_one_that_ended_is_not() {
    let person = Person::new();
    let elsewhere = person.home("elsewhere");
    person.home("here/data");
    let gateway = runs(&elsewhere);

    let while_it_runs = person.search().choose(None, For::Client).unwrap();
    drop(gateway); // the socket's file stays, as after a crash
    let afterwards = person.search().choose(None, For::Client).unwrap();

    assert_eq!(while_it_runs.found, Found::Running);
    assert_eq!(while_it_runs.path, elsewhere);
    assert_eq!(while_it_runs.run, Some(elsewhere.join("run")));
    assert_eq!(afterwards.found, Found::Folder);
}

#[test]
fn a_folder_named_data_that_no_gateway_left_is_not_taken_for_a_home() {
    let person = Person::new();
    fs::create_dir(person.root.path().join("here/data")).unwrap();
    fs::write(person.root.path().join("here/data/photos.zip"), "").unwrap();

    for wanted in [For::Client, For::Start, For::Alone] {
        let chosen = person.search().choose(None, wanted).unwrap();
        assert_eq!(
            chosen,
            Chosen::new(person.default_home(), Found::Default),
            "{wanted:?}"
        );
    }
}

#[test]
fn a_second_empty_home_is_not_begun_while_a_gateway_runs_or_has_its_home_elsewhere() {
    let person = Person::new();
    let elsewhere = person.home("elsewhere");
    let gateway = runs(&elsewhere);

    let running = person.search().choose(None, For::Start).expect_err("one runs");
    drop(gateway);
    let stopped = person
        .search()
        .choose(None, For::Start)
        .expect_err("one has a home");

    let name = elsewhere.display().to_string();
    for failed in [running, stopped] {
        assert_eq!(failed.exit, Exit::Refused);
        assert!(failed.to_string().contains(&name), "{failed}");
        assert!(failed.to_string().contains("--home"), "{failed}");
    }
    let named = person.search().choose(Some(&elsewhere), For::Start).unwrap();
    assert_eq!(named.path, elsewhere);
    fs::create_dir_all(person.default_home().join("credential")).unwrap();
    let own = person.search().choose(None, For::Start).unwrap();
    assert_eq!(own.found, Found::Default, "a home that is there is started");
}

#[test]
fn of_several_that_run_the_one_in_this_folder_is_meant_else_one_has_to_be_named() {
    let person = Person::new();
    let (a, b) = (person.home("a"), person.home("b"));
    let _running = [runs(&a), runs(&b)];

    let failed = person.search().choose(None, For::Client).expect_err("which one?");
    let here = person.home("here/data");
    let _third = runs(&here);
    let chosen = person.search().choose(None, For::Client).unwrap();

    let text = failed.to_string();
    assert!(
        text.contains(a.to_str().unwrap()) && text.contains(b.to_str().unwrap()),
        "{text}"
    );
    assert_eq!((chosen.path, chosen.found), (here, Found::Running));
}

#[test]
fn a_record_that_others_may_have_written_is_not_read() {
    use std::os::unix::fs::PermissionsExt;
    let person = Person::new();
    let elsewhere = person.home("elsewhere");
    let _gateway = runs(&elsewhere);
    let folder = person.root.path().join("home/.local/state/gatehouse/homes");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);

    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let chosen = person.search().choose(None, For::Client).unwrap();

    assert_eq!(chosen.found, Found::Default);
}

#[test]
fn homes_that_are_gone_are_forgotten() {
    let person = Person::new();
    for number in 0..50 {
        let home = person.home(&format!("home-{number}"));
        fs::remove_dir_all(home).unwrap();
    }
    person.home("last");

    let folder = person.root.path().join("home/.local/state/gatehouse/homes");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    assert_eq!(record::known(&person.env).len(), 1);
}
