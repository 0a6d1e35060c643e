//! Which gateway a client command talks to, and with which token.
//!
//! A token goes to the gateway that it belongs to and to no other: sent to an address that somebody put into `--url` or into the
//! environment, or to whoever took the port of a gateway that has ended, it would hand the gateway over. The token of the home
//! goes to the gateway of the home while that runs; a token that was given goes to the address that was given with it.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read},
    path::Path,
    sync::mpsc::sync_channel,
    time::Duration,
};

use gatehouse_core::{Env, Home, Secret, settings::URL_FILE};
use url::{Host, Url};

use crate::{
    args::Common,
    control::start_step,
    exit::{Exit, Failed},
    service::environment,
};

/// The longest address that is read from the home.
const URL_BYTES_MAX: u64 = 1_024;

/// Where clients find a gateway unless they are told otherwise: OpenClaw's port.
const URL_DEFAULT: &str = "ws://127.0.0.1:18789";

/// A few small files are read within milliseconds; on a tired disk within a second.
const DISK_PATIENCE: Duration = Duration::from_secs(5);

/// In the home: the gateway token, written by the config service.
pub(crate) const TOKEN_FILE: &str = "config/token";

/// A gateway and what it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    /// The address.
    pub(crate) url: Url,
    /// The token, if we have one that this gateway may see.
    pub(crate) token: Option<Secret>,
    /// Why we have none.
    pub(crate) no_token: Option<String>,
    /// Whether it is the gateway of the home, and runs.
    pub(crate) is_own: bool,
    /// Where the gateway was looked for and does not run, and how it is started. Unset: an address was given, or it runs.
    pub(crate) absent: Option<Absent>,
}

/// A home whose gateway does not run.
#[derive(Clone, Debug)]
pub(crate) struct Absent {
    /// The home.
    pub(crate) what: String,
    /// What to do.
    pub(crate) next: String,
}

impl Gateway {
    /// Finds the gateway that these options mean. Nothing is written.
    pub(crate) fn find(common: &Common) -> Result<Self, Failed> {
        let options = common.clone();
        within_deadline(common, move || Self::find_in(&options, &Env::process()))?
    }

    fn find_in(common: &Common, env: &Env) -> Result<Self, Failed> {
        // With both on the command line, nothing of the home is needed.
        let is_named = common.url.is_some()
            && common.token.is_some()
            && env.get("GATEHOUSE_TOKEN") != common.token.as_deref();
        let own = if is_named {
            None
        } else {
            announced(&common.run_dir())
        };
        let url = match (&common.url, &own) {
            (Some(url), _) => parse(url.trim())?,
            (None, Some(own)) => own.clone(),
            (None, None) => parse(URL_DEFAULT)?,
        };
        // `localhost` may be another address of this machine than the one that the gateway has.
        let own = own.filter(|own| is_same(own, &url));
        let (token, no_token) = match token(common, env, &url, own.is_some())? {
            Ok(token) => (Some(token), None),
            Err(why) => (None, Some(why)),
        };
        let absent = (common.url.is_none() && own.is_none()).then(|| Absent {
            what: format!("{} ({})", common.home.display(), common.found),
            next: start_step(common),
        });
        Ok(Self {
            absent,
            is_own: own.is_some(),
            url: own.unwrap_or(url),
            token,
            no_token,
        })
    }
}

/// Reads files of the home, and gives up on a disk that does not answer: on a thread of its own, which ends with the process.
pub(crate) fn within_deadline<T: Send + 'static>(
    common: &Common,
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failed> {
    let (done, outcome) = sync_channel(1);
    std::thread::spawn(move || done.send(read()));
    outcome.recv_timeout(DISK_PATIENCE).map_err(|_| {
        Failed::new(
            Exit::Unavailable,
            format!("the disk that holds {} does not answer", common.home.display()),
        )
        .next("look at it (`dmesg`, `mount`); --url and --token name a gateway without reading the home")
    })
}

/// The address of the gateway of this home, while it runs: the edge holds the lock on the file as long as it lives.
fn announced(run_dir: &Path) -> Option<Url> {
    let file = File::open(run_dir.join(URL_FILE)).ok()?;
    if !matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)) {
        return None; // left behind: whoever has the address now is somebody else
    }
    let mut text = String::new();
    file.take(URL_BYTES_MAX).read_to_string(&mut text).ok()?;
    parse(text.trim()).ok()
}

/// Whether an address means the gateway that announced itself.
fn is_same(own: &Url, url: &Url) -> bool {
    let is_local = |url: &Url| match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    };
    let host = url.host_str().map(str::to_ascii_lowercase);
    own.scheme() == url.scheme()
        && own.port_or_known_default() == url.port_or_known_default()
        && (own.host() == url.host() || (host.as_deref() == Some("localhost") && is_local(own)))
}

/// The address, also written with `http`, or without a scheme.
fn parse(text: &str) -> Result<Url, Failed> {
    let example = "it looks like ws://127.0.0.1:18789 or wss://gateway.example.org";
    if text.contains(['@', '?', '#']) {
        // Not shown: it is a secret.
        return Err(
            Failed::new(Exit::Usage, "a gateway address holds no password and no token").next(format!(
                "give the token with --token, --token-file or GATEHOUSE_TOKEN; {example}"
            )),
        );
    }
    let wrong = |why: String| {
        Failed::new(Exit::Usage, format!("{text:?} is no gateway address: {why}")).next(example)
    };
    let full = if text.contains("://") {
        text.to_owned()
    } else {
        format!("ws://{text}")
    };
    let full = full
        .replacen("http://", "ws://", 1)
        .replacen("https://", "wss://", 1);
    let url = Url::parse(&full).map_err(|error| wrong(error.to_string()))?;
    match url.scheme() {
        "ws" | "wss" if url.has_host() => Ok(url),
        scheme => Err(wrong(format!("{scheme} is neither ws nor wss"))),
    }
}

/// A token that may be shown at this address, or why there is none. `is_own`: the gateway of the home has the address.
fn token(common: &Common, env: &Env, url: &Url, is_own: bool) -> Result<Result<Secret, String>, Failed> {
    let shown = url.host_str().unwrap_or_default();
    let given = match (&common.token, &common.token_file) {
        (Some(token), _) => Some((
            Secret::new(token.trim()),
            env.get("GATEHOUSE_TOKEN") == Some(token),
        )),
        (None, Some(path)) => {
            let token = fs::read_to_string(path).map_err(|error| {
                Failed::new(
                    Exit::Failed,
                    format!("cannot read the token in {}: {error}", path.display()),
                )
            })?;
            let in_env = env.get("GATEHOUSE_TOKEN_FILE").map(Path::new) == Some(path);
            Some((Secret::new(token.trim()), in_env))
        }
        (None, None) => None,
    };
    if let Some((token, in_env)) = given {
        // The environment holds a pair, or a token for the gateway of the home. An address on the command line breaks it.
        let url_in_env = env.get("GATEHOUSE_URL");
        let paired = match url_in_env.map(|text| parse(text.trim())) {
            Some(Ok(other)) => other == *url,
            Some(Err(_)) => common.url.as_deref() == url_in_env,
            None => is_own || common.url.is_none() || home_token(common).ok().as_ref() != Some(&token),
        };
        return Ok(if !in_env || paired {
            Ok(token)
        } else {
            Err(format!(
                "the token in the environment belongs to another gateway and is not sent to {shown}: give that gateway's own \
                 with --token or --token-file, beside --url"
            ))
        });
    }
    if !is_own {
        let path = common.run_dir().join(URL_FILE);
        return Ok(Err(if common.url.is_some() {
            format!(
                "the token of the home {} is not sent to {shown}: give that gateway's own with --token or GATEHOUSE_TOKEN",
                common.home.display()
            )
        } else {
            format!(
                "the gateway of the home {} does not run ({}), and its token is shown to no other: {}, or give another gateway \
                 with --url and --token",
                common.home.display(),
                path.display(),
                start_step(common)
            )
        }));
    }
    Ok(home_token(common).map_err(|error| {
        let path = common.home.join(TOKEN_FILE);
        format!(
            "no token: {} cannot be read ({error}); give one with --token, GATEHOUSE_TOKEN or --home",
            path.display()
        )
    }))
}

/// The token of the gateway in the home: from its configuration, else from the file beside it.
pub(crate) fn home_token(common: &Common) -> io::Result<Secret> {
    let env = environment(common);
    let home = Home::read(&env);
    if let Ok(token) = gatehouse_config::gateway_token(&home, &env) {
        return Ok(token);
    }
    let token = fs::read_to_string(home.path.join(TOKEN_FILE))?;
    if token.trim().is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is empty"));
    }
    Ok(Secret::new(token.trim()))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn common(home: &Path, url: Option<&str>) -> Common {
        Common {
            url: url.map(str::to_owned),
            token: None,
            token_file: None,
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
}
