use std::path::PathBuf;

use super::*;

fn common(home: &Path, url: Option<&str>) -> Common {
    Common {
        url: url.map(str::to_owned),
        token: None,
        token_file: None,
        tls_fingerprint: None,
        home: home.to_owned(),
        found: crate::home::Found::Named,
        json: false,
        run_dir: None,
        no_color: None,
    }
}

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join("config")).unwrap();
    fs::create_dir_all(home.path().join("run")).unwrap();
    fs::write(home.path().join(TOKEN_FILE), "the-token\n").unwrap();
    home
}

/// A gateway that runs, as its edge announces itself.
fn announce(home: &tempfile::TempDir, url: &str) -> File {
    let path = home.path().join("run").join(URL_FILE);
    fs::write(&path, format!("{url}\n")).unwrap();
    let file = File::open(path).unwrap();
    file.try_lock().unwrap();
    file
}

fn find(common: &Common, env: &[(&str, &str)]) -> Gateway {
    Gateway::find_in(common, &Env::of(env.iter().copied())).unwrap()
}

#[test]
fn the_gateway_in_the_home_is_found_with_its_port_and_token() {
    let home = home();
    let edge = announce(&home, "ws://127.0.0.1:4321");

    for url in [
        None,
        Some("ws://127.0.0.1:4321"),
        Some("127.0.0.1:4321"),
        Some("http://localhost:4321"),
    ] {
        let gateway = find(&common(home.path(), url), &[]);

        assert_eq!(gateway.url.as_str(), "ws://127.0.0.1:4321/", "{url:?}");
        assert_eq!(gateway.token.unwrap().expose(), "the-token", "{url:?}");
    }
    drop(edge);
}

#[test]
fn the_token_of_the_home_goes_to_the_gateway_of_the_home_alone() {
    let home = home();
    let edge = announce(&home, "ws://127.0.0.1:4321");
    for url in [
        "ws://127.evil.example:4321",
        "wss://example.org",
        "ws://10.0.0.1:4321",
        "ws://localhost.evil.example:4321",
        "ws://127.0.0.1:4322",
        "ws://127.0.0.2:4321",
        "ws://[::1]:4321",
        "localhost:18789",
        "wss://127.0.0.1:4321",
    ] {
        // On the command line, and in the environment.
        for env in [&[][..], &[("GATEHOUSE_URL", url)]] {
            let gateway = find(&common(home.path(), Some(url)), env);

            assert!(gateway.token.is_none(), "{url}");
            assert!(gateway.no_token.unwrap().contains("--token"), "{url}");
        }
    }
    drop(edge);
}

#[test]
fn an_address_that_a_dead_gateway_left_behind_is_shown_no_token() {
    let home = home();
    drop(announce(&home, "ws://127.0.0.1:4321"));

    for url in [None, Some("ws://127.0.0.1:4321"), Some("ws://127.0.0.1:18789")] {
        let gateway = find(&common(home.path(), url), &[]);

        assert!(gateway.token.is_none(), "{url:?}");
        assert!(gateway.no_token.unwrap().contains("--token"), "{url:?}");
    }
}

#[test]
fn a_token_goes_where_it_was_given_for() {
    let home = home();
    let edge = announce(&home, "ws://127.0.0.1:4321");
    let with = |url: Option<&str>, token: &str| Common {
        token: Some(token.to_owned()),
        ..common(home.path(), url)
    };
    let is_shown = |common: &Common, env: &[(&str, &str)]| find(common, env).token.is_some();
    let (a, b) = ("wss://a.example", "wss://b.example");

    // Beside the address, on the command line.
    assert!(is_shown(&with(Some(b), "t"), &[]));
    assert!(is_shown(
        &with(Some(b), "t"),
        &[("GATEHOUSE_URL", a), ("GATEHOUSE_TOKEN", "u")]
    ));
    // Both in the environment, and a token there for the home or for any one address.
    assert!(is_shown(
        &with(Some(a), "t"),
        &[("GATEHOUSE_URL", a), ("GATEHOUSE_TOKEN", "t")]
    ));
    assert!(is_shown(&with(None, "t"), &[("GATEHOUSE_TOKEN", "t")]));
    assert!(is_shown(&with(Some(b), "t"), &[("GATEHOUSE_TOKEN", "t")]));
    // Another address on the command line than the one that the environment has it for.
    assert!(!is_shown(
        &with(Some(b), "t"),
        &[("GATEHOUSE_URL", a), ("GATEHOUSE_TOKEN", "t")]
    ));
    // The home's own token, put into the environment.
    assert!(!is_shown(
        &with(Some(b), "the-token"),
        &[("GATEHOUSE_TOKEN", "the-token")]
    ));
    assert!(is_shown(
        &with(None, "the-token"),
        &[("GATEHOUSE_TOKEN", "the-token")]
    ));
    let file = home.path().join(TOKEN_FILE);
    let by_file = |url| Common {
        token_file: Some(file.clone()),
        ..common(home.path(), url)
    };
    let in_env = [("GATEHOUSE_TOKEN_FILE", file.to_str().unwrap())];
    assert!(
        is_shown(&by_file(Some(b)), &[]),
        "given by hand, beside the address"
    );
    assert!(!is_shown(&by_file(Some(b)), &in_env));
    drop(edge);
}

#[test]
fn a_secret_in_an_address_is_refused_and_not_repeated() {
    for url in [
        "ws://me:hunter2@h",
        "ws://h?token=hunter2",
        "wss://h/#hunter2",
        "hunter2@h",
    ] {
        let failed = Gateway::find(&common(Path::new("/nonexistent"), Some(url))).expect_err(url);

        assert!(
            !failed.to_string().contains("hunter2") && failed.to_string().contains("--token"),
            "{failed}"
        );
    }
}

#[test]
fn looking_for_a_gateway_writes_nothing_and_gives_up_on_a_disk_that_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    fs::create_dir(&home).unwrap();
    assert!(Gateway::find(&common(&home, None)).unwrap().token.is_none());
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0, "nothing was made");
    // A reader of a pipe that nobody writes to waits for ever, as on a disk that hangs.
    let pipe = |path: &Path| {
        fs::create_dir(path.parent().unwrap()).unwrap();
        nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    };
    pipe(&home.join("run").join(URL_FILE));

    let failed = Gateway::find(&common(&home, None)).expect_err("it hangs");

    assert_eq!(failed.exit, Exit::Unavailable);
    assert!(failed.to_string().contains("does not answer"), "{failed}");
    let mut named = common(&home, Some("ws://127.0.0.1:1"));
    named.token = Some("t".to_owned());
    assert!(Gateway::find(&named).unwrap().token.is_some(), "nothing is read");
}

#[test]
fn an_address_that_is_none_is_refused_with_an_example() {
    let home = PathBuf::from("/nonexistent");
    for url in ["ftp://x", "ws://", "::", ""] {
        let failed = Gateway::find(&common(&home, Some(url))).expect_err(url);

        assert_eq!(failed.exit, Exit::Usage, "{url}");
        assert!(failed.to_string().contains("ws://127.0.0.1:18789"), "{url}");
    }
}
