use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use super::*;
use crate::settings::Env;

fn home(home: &Path) -> Home {
    Home::read(&Env::of([("GATEHOUSE_HOME", home.to_string_lossy())]))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn callers(home: &Home, service: Service) -> Directory {
    Directory::open(files::digests_path(&home.credentials), service).unwrap()
}

fn credential(home: &Home, identity: Identity) -> Credential {
    Credential::load(home, identity).unwrap()
}

#[test]
fn each_identity_has_a_secret_of_its_own_that_only_its_user_reads() {
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path());

    make_all(&home).unwrap();

    let mut secrets = Vec::new();
    for identity in Identity::ALL {
        let path = folder.path().join("credential").join(identity.name());
        assert_eq!(mode(&path), 0o600, "{identity}");
        secrets.push(fs::read_to_string(path).unwrap());
    }
    secrets.sort();
    secrets.dedup();
    assert_eq!(secrets.len(), Identity::ALL.len());
    assert_eq!(mode(&folder.path().join("credential")), 0o700);
    let digests = fs::read_to_string(folder.path().join("credential/digests")).unwrap();
    assert!(secrets.iter().all(|secret| !digests.contains(secret.trim())));
}

#[test]
fn makers_at_the_same_time_end_with_the_same_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path());

    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| make_all(&home).unwrap());
        }
    });

    for identity in Identity::ALL {
        let shown = credential(&home, identity).shown_to(Service::Session);
        let known = callers(&home, Service::Session).identify(shown.expose());
        assert_eq!(known, Some(identity));
    }
    let drafts = fs::read_dir(folder.path().join("credential")).unwrap();
    assert_eq!(drafts.count(), Identity::ALL.len() + 1, "no draft is left behind");
}

#[test]
fn what_a_service_is_shown_opens_no_other_service() {
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path());
    make_all(&home).unwrap();
    let session = credential(&home, Identity::Session);

    let shown = session.shown_to(Service::Agent);

    let identify = |service| callers(&home, service).identify(shown.expose());
    assert_eq!(identify(Service::Agent), Some(Identity::Session));
    for service in Service::ALL
        .into_iter()
        .filter(|service| *service != Service::Agent)
    {
        assert_eq!(identify(service), None, "{service}");
    }
}

#[test]
fn a_tool_may_show_its_secret_as_it_is_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path());
    make_all(&home).unwrap();

    let text = fs::read_to_string(folder.path().join("credential/operator")).unwrap();

    for service in Service::ALL {
        assert_eq!(
            callers(&home, service).identify(text.trim()),
            Some(Identity::Operator)
        );
    }
    for guess in ["", " ", "operator", "*", &text] {
        assert_eq!(callers(&home, Service::Agent).identify(guess), None, "{guess:?}");
    }
}

#[test]
fn a_place_may_be_a_volume_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path());
    for volume in ["agent", "digests"] {
        fs::create_dir_all(folder.path().join("credential").join(volume)).unwrap();
    }

    make_all(&home).unwrap();

    assert_eq!(mode(&folder.path().join("credential/agent/secret")), 0o600);
    let shown = credential(&home, Identity::Agent).shown_to(Service::Config);
    let known = callers(&home, Service::Config).identify(shown.expose());
    assert_eq!(known, Some(Identity::Agent));
}

#[test]
fn a_secret_that_others_can_read_is_closed_and_an_empty_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path());
    make_all(&home).unwrap();
    let path = folder.path().join("credential/agent");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();

    make_all(&home).unwrap();

    assert_eq!(mode(&path), 0o600);
    fs::write(&path, "\n").unwrap();
    assert!(matches!(make_all(&home), Err(CredentialError::Empty(_))));
    assert!(matches!(
        Credential::load(&home, Identity::Agent),
        Err(CredentialError::Empty(_))
    ));
}

#[test]
fn digests_that_are_something_else_are_refused_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path());
    make_all(&home).unwrap();
    let path = folder.path().join("credential/digests");
    let good = fs::read_to_string(&path).unwrap();
    let digest = "0".repeat(64);
    for bad in [
        "edge",
        "edge * 00",
        &format!("edge * {digest} x"),
        &format!("edge * +{}", "0".repeat(63)),
        "<",
    ] {
        fs::write(&path, format!("{good}{bad}\n")).unwrap();

        let refused = Directory::open(path.clone(), Service::Agent);

        let line = good.lines().count() + 1;
        assert!(
            matches!(refused, Err(CredentialError::Digests { line: found, .. }) if found == line),
            "{bad}: {refused:?}"
        );
    }
    fs::write(&path, format!("{good}somebody-new * {digest}\n")).unwrap();
    Directory::open(path, Service::Agent)
        .expect("a newer version's identity opens nothing and is not a mistake");
}

#[tokio::test(start_paused = true)]
async fn a_service_waits_for_its_secret_and_says_who_makes_it() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ServiceSettings::for_tests(folder.path(), Service::Agent);

    let never = Credentials::load(&settings).await.unwrap_err();

    assert!(matches!(never, CredentialError::Missing(_)), "{never}");
    assert!(never.to_string().contains("config service"), "{never}");
    let waits = tokio::spawn({
        let settings = settings.clone();
        async move { Credentials::load(&settings).await }
    });
    tokio::time::sleep(MADE_WITHIN / 2).await;
    make_all(&settings.home).unwrap();
    waits.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_replaced_secret_opens_nothing_once_the_digests_were_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path());
    make_all(&home).unwrap();
    let known = callers(&home, Service::Session);
    let old = credential(&home, Identity::Agent).shown_to(Service::Session);
    fs::remove_file(folder.path().join("credential/agent")).unwrap();
    make_all(&home).unwrap();
    let new = credential(&home, Identity::Agent).shown_to(Service::Session);

    known.reread().await;

    assert_eq!(known.identify(old.expose()), None);
    assert_eq!(known.identify(new.expose()), Some(Identity::Agent));
    fs::remove_file(folder.path().join("credential/digests")).unwrap();
    known.reread().await;
    assert_eq!(
        known.identify(new.expose()),
        Some(Identity::Agent),
        "the last ones stay"
    );
}

#[tokio::test(start_paused = true)]
async fn a_guesser_does_not_make_us_read_more_often() {
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path());
    make_all(&home).unwrap();
    let known = callers(&home, Service::Session);

    assert!(known.looks_again());
    assert!((0..1_000).all(|_| !known.looks_again()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(known.looks_again());
}
