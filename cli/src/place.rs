//! Which gateway a client command talks to, and with which token.
//!
//! The token of the house in the home goes to a gateway on this machine only. Sent to an address that somebody put into
//! `--url`, it would hand the house over to whoever answers there.

use std::{fs, io, net::IpAddr, sync::mpsc::sync_channel, time::Duration};

use gatehouse_core::{House, Secret};
use url::{Host, Url};

use crate::{
    args::Common,
    exit::{Exit, Failed},
    service::environment,
};

/// Where clients find a gateway unless they are told otherwise: OpenClaw's port.
const URL_DEFAULT: &str = "ws://127.0.0.1:18789";

/// A few small files are read within milliseconds; on a tired disk within a second.
const DISK_PATIENCE: Duration = Duration::from_secs(5);

/// In the run folder: the address of the edge that runs, written by the edge.
pub(crate) const URL_FILE: &str = "edge.url";

/// In the home: the gateway token, written by the config service.
pub(crate) const TOKEN_FILE: &str = "config/token";

/// A gateway and what to show at its door.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The address.
    pub(crate) url: Url,
    /// The token, if we have one that this gateway may see.
    pub(crate) token: Option<Secret>,
    /// Why we have none.
    pub(crate) tokenless: Option<String>,
}

impl Place {
    /// Finds the gateway that these options mean. Nothing is written.
    pub(crate) fn find(common: &Common) -> Result<Self, Failed> {
        let options = common.clone();
        within_deadline(common, move || Self::look(&options))?
    }

    fn look(common: &Common) -> Result<Self, Failed> {
        let text = match &common.url {
            Some(url) => url.clone(),
            None => {
                fs::read_to_string(common.run_dir().join(URL_FILE)).unwrap_or_else(|_| URL_DEFAULT.into())
            }
        };
        let url = parse(text.trim())?;
        let (token, tokenless) = match token(common, &url)? {
            Ok(token) => (Some(token), None),
            Err(why) => (None, Some(why)),
        };
        Ok(Self {
            url,
            token,
            tokenless,
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

/// The address, also written with `http`, or without a scheme.
fn parse(text: &str) -> Result<Url, Failed> {
    let wrong = |why: String| {
        Failed::new(Exit::Usage, format!("{text:?} is no gateway address: {why}"))
            .next("it looks like ws://127.0.0.1:18789 or wss://gateway.example.org")
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

/// A token, or why there is none.
fn token(common: &Common, url: &Url) -> Result<Result<Secret, String>, Failed> {
    if let Some(token) = &common.token {
        return Ok(Ok(Secret::new(token.trim())));
    }
    if let Some(path) = &common.token_file {
        let token = fs::read_to_string(path).map_err(|error| {
            Failed::new(
                Exit::Failed,
                format!("cannot read the token in {}: {error}", path.display()),
            )
        })?;
        return Ok(Ok(Secret::new(token.trim())));
    }
    if !is_this_machine(url) {
        return Ok(Err(format!(
            "the token of this machine's house is not sent to {}: give that gateway's own with --token or GATEHOUSE_TOKEN",
            url.host_str().unwrap_or_default()
        )));
    }
    Ok(house_token(common).map_err(|error| {
        let path = common.home.join(TOKEN_FILE);
        format!(
            "no token: {} cannot be read ({error}); give one with --token, GATEHOUSE_TOKEN or --home",
            path.display()
        )
    }))
}

/// The token of the house in the home: from its configuration, else from the file beside it.
pub(crate) fn house_token(common: &Common) -> io::Result<Secret> {
    let env = environment(common);
    let house = House::read(&env);
    if let Ok(token) = gatehouse_config::gateway_token(&house, &env) {
        return Ok(token);
    }
    let token = fs::read_to_string(house.home.join(TOKEN_FILE))?;
    if token.trim().is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is empty"));
    }
    Ok(Secret::new(token.trim()))
}

/// Decided by the parsed address, never by how its text begins: `127.evil.example` is not this machine.
fn is_this_machine(url: &Url) -> bool {
    // `ws` is no special scheme to everybody: parse the host as an address ourselves.
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn common(home: &Path, url: Option<&str>) -> Common {
        Common {
            url: url.map(str::to_owned),
            token: None,
            token_file: None,
            home: home.to_owned(),
            json: false,
            run_dir: None,
            no_color: None,
        }
    }

    fn house() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join("config")).unwrap();
        fs::create_dir_all(home.path().join("run")).unwrap();
        fs::write(home.path().join(TOKEN_FILE), "the-token\n").unwrap();
        home
    }

    #[test]
    fn the_house_in_the_home_is_found_with_its_port_and_token() {
        let home = house();
        fs::write(home.path().join("run").join(URL_FILE), "ws://127.0.0.1:4321\n").unwrap();

        let place = Place::find(&common(home.path(), None)).unwrap();

        assert_eq!(place.url.as_str(), "ws://127.0.0.1:4321/");
        assert_eq!(place.token.unwrap().expose(), "the-token");
    }

    #[test]
    fn the_local_token_never_leaves_this_machine() {
        let home = house();
        for url in [
            "ws://127.evil.example:1",
            "wss://example.org",
            "ws://10.0.0.1",
            "ws://localhost.evil.example",
        ] {
            let place = Place::find(&common(home.path(), Some(url))).unwrap();

            assert!(place.token.is_none(), "{url}");
            assert!(place.tokenless.unwrap().contains("--token"), "{url}");
        }
        for url in [
            "ws://127.0.0.1:1",
            "ws://[::1]:1",
            "localhost:18789",
            "http://127.1.2.3",
        ] {
            assert!(
                Place::find(&common(home.path(), Some(url)))
                    .unwrap()
                    .token
                    .is_some(),
                "{url}"
            );
        }
    }

    #[test]
    fn a_named_token_goes_wherever_it_is_sent() {
        let home = house();
        let mut common = common(home.path(), Some("wss://example.org"));
        common.token_file = Some(home.path().join(TOKEN_FILE));

        let place = Place::find(&common).unwrap();

        assert_eq!(place.token.unwrap().expose(), "the-token");
    }

    #[test]
    fn looking_for_a_gateway_writes_nothing_and_gives_up_on_a_disk_that_hangs() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        fs::create_dir(&home).unwrap();
        assert!(Place::find(&common(&home, None)).unwrap().token.is_none());
        assert_eq!(fs::read_dir(&home).unwrap().count(), 0, "nothing was made");
        // A reader of a pipe that nobody writes to waits for ever, as on a disk that hangs.
        fs::create_dir(home.join("config")).unwrap();
        let pipe = home.join(TOKEN_FILE);
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();

        let failed = Place::find(&common(&home, None)).expect_err("it hangs");

        assert_eq!(failed.exit, Exit::Unavailable);
        assert!(failed.to_string().contains("does not answer"), "{failed}");
        let mut named = common(&home, Some("ws://127.0.0.1:1"));
        named.token = Some("t".to_owned());
        assert!(Place::find(&named).unwrap().token.is_some(), "nothing is read");
    }

    #[test]
    fn an_address_that_is_none_is_refused_with_an_example() {
        let home = PathBuf::from("/nonexistent");
        for url in ["ftp://x", "ws://", "::", ""] {
            let failed = Place::find(&common(&home, Some(url))).expect_err(url);

            assert_eq!(failed.exit, Exit::Usage, "{url}");
            assert!(failed.to_string().contains("ws://127.0.0.1:18789"), "{url}");
        }
    }
}
