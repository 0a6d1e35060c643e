//! With the kernel's own signs, one test for each way in which people and machines change a file.

use std::{fs, os::unix::fs::symlink, time::Duration};

use tempfile::TempDir;
use tokio::time::timeout;

use super::*;

/// The regular look is not part of these tests: what gives no sign within this time gives none.
const SOON: Duration = Duration::from_secs(5);

struct Watched {
    home: TempDir,
    watcher: Watcher,
    signs: mpsc::Receiver<()>,
}

impl Watched {
    /// A folder that is prepared, and `gatehouse.json5` in it watched.
    fn new(prepare: impl FnOnce(&Path)) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        prepare(home.path());
        let (watcher, signs) = watch(&[&home.path().join("gatehouse.json5")]);
        Self { home, watcher, signs }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Does something, waits for the sign, and takes what else comes of it.
    async fn sign_of(&mut self, change: impl FnOnce(&Path)) {
        change(self.home.path());
        timeout(SOON, self.signs.recv())
            .await
            .expect("a sign")
            .expect("watched");
        self.settle().await;
    }

    /// As the gateway does after each sign: it watches what is there now, and reads.
    async fn settle(&mut self) {
        while timeout(Duration::from_millis(300), self.signs.recv())
            .await
            .is_ok()
        {}
        self.watcher.follow(&[]);
        let _ = fs::read(self.path("gatehouse.json5"));
        while self.signs.try_recv().is_ok() {}
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
}

#[tokio::test]
async fn an_edit_in_place_or_by_a_new_file_is_noticed_again_and_again() {
    let mut watched = Watched::new(|home| write(&home.join("gatehouse.json5"), "{}"));

    for round in 0..3 {
        let text = format!("{{ a: {round} }}");
        watched
            .sign_of(|home| write(&home.join("gatehouse.json5"), &text))
            .await;
        watched
            .sign_of(|home| {
                write(&home.join(".gatehouse.json5.swp"), &text);
                fs::rename(home.join(".gatehouse.json5.swp"), home.join("gatehouse.json5")).expect("renamed");
            })
            .await;
        watched
            .sign_of(|home| {
                fs::rename(home.join("gatehouse.json5"), home.join("gatehouse.json5~")).expect("renamed");
                write(&home.join("gatehouse.json5"), &text);
            })
            .await;
    }
}

#[tokio::test]
async fn an_edit_of_what_a_link_leads_to_is_noticed() {
    let mut watched = Watched::new(|home| {
        fs::create_dir(home.join("dotfiles")).expect("made");
        write(&home.join("dotfiles/g.json5"), "{}");
        symlink("dotfiles/g.json5", home.join("gatehouse.json5")).expect("linked");
    });

    for round in 0..2 {
        let text = format!("{{ a: {round} }}");
        watched
            .sign_of(|home| write(&home.join("dotfiles/g.json5"), &text))
            .await;
        watched
            .sign_of(|home| {
                write(&home.join("dotfiles/.new"), &text);
                fs::rename(home.join("dotfiles/.new"), home.join("dotfiles/g.json5")).expect("renamed");
            })
            .await;
    }
}

#[tokio::test]
async fn a_link_that_is_led_elsewhere_is_noticed_and_followed() {
    let mut watched = Watched::new(|home| {
        for side in ["one", "two"] {
            fs::create_dir(home.join(side)).expect("made");
            write(&home.join(side).join("g.json5"), "{}");
        }
        symlink("one/g.json5", home.join("gatehouse.json5")).expect("linked");
    });

    watched
        .sign_of(|home| {
            symlink("two/g.json5", home.join(".new")).expect("linked");
            fs::rename(home.join(".new"), home.join("gatehouse.json5")).expect("renamed");
        })
        .await;
    watched
        .sign_of(|home| write(&home.join("two/g.json5"), "{ a: 1 }"))
        .await;
}

#[tokio::test]
async fn a_swap_of_the_folder_behind_a_config_map_is_noticed_each_time() {
    let generation = |home: &Path, number: usize| {
        let folder = home.join(format!("..{number}"));
        fs::create_dir(&folder).expect("made");
        write(&folder.join("gatehouse.json5"), &format!("{{ a: {number} }}"));
    };
    let mut watched = Watched::new(|home| {
        generation(home, 0);
        symlink("..0", home.join("..data")).expect("linked");
        symlink("..data/gatehouse.json5", home.join("gatehouse.json5")).expect("linked");
    });

    for number in 1..4 {
        watched
            .sign_of(|home| {
                generation(home, number);
                symlink(format!("..{number}"), home.join("..data_tmp")).expect("linked");
                fs::rename(home.join("..data_tmp"), home.join("..data")).expect("renamed");
                fs::remove_dir_all(home.join(format!("..{}", number - 1))).expect("removed");
            })
            .await;
        let text = fs::read_to_string(watched.path("gatehouse.json5")).expect("there");
        assert_eq!(text, format!("{{ a: {number} }}"));
    }
}

#[tokio::test]
async fn a_change_of_the_file_under_another_name_is_noticed_as_behind_a_mount() {
    // A mounted file and the host's are one file under two names, and the folder of the one hears nothing of the other.
    let elsewhere = tempfile::tempdir().expect("a folder");
    let host = elsewhere.path().join("one.json5");
    write(&host, "{}");
    let mut watched =
        Watched::new(|home| fs::hard_link(&host, home.join("gatehouse.json5")).expect("linked"));

    watched.sign_of(|_| write(&host, "{ a: 1 }")).await;
    watched.sign_of(|_| write(&host, "{ a: 2 }")).await;
}

#[tokio::test]
async fn a_folder_that_was_put_in_anothers_place_is_watched_from_the_next_look_on() {
    let mut watched = Watched::new(|home| {
        fs::create_dir(home.join("conf")).expect("made");
        write(&home.join("conf/g.json5"), "{}");
        symlink("conf/g.json5", home.join("gatehouse.json5")).expect("linked");
    });
    let home = watched.home.path().to_owned();
    fs::rename(home.join("conf"), home.join("conf.old")).expect("renamed");
    fs::create_dir(home.join("conf")).expect("made");
    write(&home.join("conf/g.json5"), "{ a: 1 }");

    watched.settle().await;

    watched
        .sign_of(|home| write(&home.join("conf/g.json5"), "{ a: 2 }"))
        .await;
}

#[tokio::test]
async fn reading_and_other_files_give_no_sign() {
    let mut watched = Watched::new(|home| write(&home.join("gatehouse.json5"), "{}"));

    let home = watched.home.path().to_owned();
    for _ in 0..20 {
        let _ = fs::read(home.join("gatehouse.json5"));
        write(&home.join("other.json5"), "{}");
    }

    assert!(
        timeout(Duration::from_millis(500), watched.signs.recv())
            .await
            .is_err()
    );
}
