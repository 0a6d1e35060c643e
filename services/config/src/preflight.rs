//! What the start does up to secrets, without starting: for `gatehouse up`, which must say what is wrong before it starts
//! six processes, and for `gatehouse config validate`.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    time::Duration,
};

use gatehouse_core::{Clock, Env, Home, Secret, drain::plan, net, private::Open};

use gatehouse_document::discovery::MdnsMode;
use gatehouse_document::gateway::{AuthMode, Bind, Gateway};

use crate::{
    app::make_credentials,
    configuration::{Configuration, Runs, sources_of, store_of},
    issue::Issue,
    path::Path as Place,
    refusal::ConfigError,
    revision::Revision,
    secrets,
    token::{self, Origin},
};

/// What a start would find.
#[derive(Debug, Clone)]
pub struct Preflight {
    /// The configuration file.
    pub config_path: PathBuf,
    /// `gateway.port`. `GATEHOUSE_PORT` of the edge goes before it.
    pub port: u16,
    /// The address of `gateway.bind`. `GATEHOUSE_BIND` of the edge goes before it.
    pub bind: IpAddr,
    /// The path of the page on the gateway's address, its own or that of a Control UI: `gateway.controlUi.basePath` with slashes around.
    pub control_ui_path: String,
    /// Whether there is one.
    pub control_ui: bool,
    /// Whether nobody on this machine is asked for anything: `gateway.auth.mode: "none"`.
    pub open_door: bool,
    /// How long answers under way may go on when the gateway ends: `gateway.drainSeconds`.
    pub answers: Duration,
    /// What would run: not what stands in the file where that has mistakes.
    pub runs: Runs,
    /// Everything that was found, mistakes of the file included.
    pub warnings: Vec<Issue>,
    /// Where the gateway token is: a file that holds it alone, or the configuration file.
    pub token_path: PathBuf,
    /// Whether the token comes from the configuration instead of a file of its own.
    pub token_in_config: bool,
    /// What others on this machine can reach in the home and should not.
    pub open: Vec<Open>,
    /// `discovery.mdns.mode`.
    pub mdns: Option<MdnsMode>,
    /// Whether what the document says of discovery cannot be used, and is off.
    pub discovery_left_out: bool,
    /// The plugins that are set up.
    pub plugins: BTreeSet<String>,
    /// The environment variables that the document names as secrets: for the config service alone.
    pub variables: BTreeSet<String>,
}

/// Makes what a first start makes (folders, credentials, gateway token, sample configuration), reads the
/// configuration and follows every reference.
///
/// # Errors
/// When a start would be refused, with words for the person who has to mend it.
pub fn preflight(home: &Home, env: &Env) -> Result<Preflight, ConfigError> {
    check_document(home, home, env)
}

/// The same in a home of its own, for a check that leaves nothing behind: `real` is where the document's secrets are.
///
/// # Errors
/// When a start would be refused, with words for the person who has to mend it.
pub fn check_document(home: &Home, real: &Home, env: &Env) -> Result<Preflight, ConfigError> {
    make_credentials(home)?;
    let store = store_of(home).with_private(real.private_paths());
    let configuration = Configuration::open(store, sources_of(real, env), Clock::system())?;
    let state = configuration.state();
    let document = state.revision.document();
    let (gateway, plugins) = (&document.gateway, &document.plugins);
    let mut warnings = state.file.issues.clone();
    if gateway.bind == Bind::Tailnet && net::tailnet_address().is_none() {
        let told = "this machine has no address in a tailnet now, so that the gateway listens on 127.0.0.1 alone until its next start; \
                    start Tailscale first";
        warnings.push(Issue::warning("gateway.bind", told));
    }
    let token_in_config = token::origin(&state.revision) != Origin::Kept;
    Ok(Preflight {
        config_path: home.config.clone(),
        port: gateway.port,
        bind: address(gateway),
        control_ui_path: page_path(gateway.control_ui.base_path.as_deref()),
        control_ui: gateway.control_ui.enabled,
        open_door: gateway.auth.mode == AuthMode::None,
        answers: plan::answers(Some(gateway.drain_seconds.into())),
        runs: state.file.runs(),
        warnings,
        token_path: if token_in_config {
            home.config.clone()
        } else {
            configuration.store().token_path()
        },
        token_in_config,
        open: configuration.store().open_paths(),
        mdns: document.discovery.mdns.mode,
        discovery_left_out: {
            let discovery = Place::of(["discovery"]);
            let mut left_out = state.revision.left_out().places();
            left_out.any(|place| *place == discovery)
        },
        plugins: plugins.set_up().map(|(id, _)| id.to_owned()).collect(),
        variables: secrets::named_variables(state.revision.written()),
    })
}

/// The gateway token, wherever it comes from: for client commands, which run as the owner of the files. Nothing is written.
///
/// # Errors
/// When the configuration cannot be read, or no token was made yet.
pub fn gateway_token(home: &Home, env: &Env) -> Result<Secret, ConfigError> {
    let (store, sources) = (store_of(home), sources_of(home, env));
    let failed = |path: &Path| ConfigError::files(format!("read {}", path.display()));
    let document = store.read_document().map_err(failed(&home.config))?;
    // As at a start: a document with mistakes leaves the last valid one running, or what it says itself.
    let revision = match document
        .as_deref()
        .map(|text| (text, Revision::read(text, &sources)))
    {
        Some((_, Ok(revision))) => Some(revision),
        Some((text, Err(refused))) => {
            let last = store.read_last_valid().map_err(failed(&home.config))?;
            let last = last.and_then(|text| Revision::read(&text, &sources).ok());
            let own = || Revision::read_without_absent(text, &sources).ok();
            last.or_else(|| refused.only_absent.then(own).flatten())
        }
        None => None,
    };
    if let Some(token) = revision.as_ref().and_then(token::written) {
        return Ok(token);
    }
    let path = store.token_path();
    let token = store.read_token().map_err(failed(&path))?;
    token
        .map(Secret::new)
        .ok_or_else(|| failed(&path)(std::io::ErrorKind::NotFound.into()))
}

fn page_path(base: Option<&str>) -> String {
    match base.unwrap_or_default().trim_matches('/') {
        "" => "/".to_owned(),
        base => format!("/{base}/"),
    }
}

fn address(gateway: &Gateway) -> IpAddr {
    let parsed = |text: Option<&str>| {
        let address = text.and_then(|text| text.parse().ok());
        address.unwrap_or(Ipv4Addr::LOCALHOST.into()) // a rule of the document: it is an address
    };
    match &gateway.bind {
        Bind::Loopback | Bind::Auto => Ipv4Addr::LOCALHOST.into(),
        Bind::Lan => Ipv4Addr::UNSPECIFIED.into(),
        Bind::Tailnet => net::tailnet_address().unwrap_or(Ipv4Addr::LOCALHOST.into()),
        Bind::Custom => parsed(gateway.custom_bind_host.as_deref()),
        Bind::Address(address) => parsed(Some(address)),
    }
}

#[cfg(test)]
mod tests;
