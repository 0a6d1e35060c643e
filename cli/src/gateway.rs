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
    exit::{Exit, Failed},
    own::start_step,
    pin::Fingerprint,
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
    /// The one certificate that is trusted.
    pub(crate) pinned: Option<Fingerprint>,
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
        let url = own.clone().unwrap_or(url);
        let is_own = own.is_some();
        // Without TLS there is no certificate to look at, and the token would go to whoever answers.
        if common.tls_fingerprint.is_some() && url.scheme() != "wss" && !is_own {
            return Err(Failed::new(
                Exit::Usage,
                format!("a fingerprint is given, and {url} is not encrypted"),
            )
            .next("write the address with wss://"));
        }
        Ok(Self {
            pinned: common.tls_fingerprint.filter(|_| url.scheme() == "wss"),
            absent,
            is_own,
            url,
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
        Failed::new(Exit::Usage, format!("{text:?} is not a gateway address: {why}")).next(example)
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
mod tests;
