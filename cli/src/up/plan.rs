//! What is decided before anything is started: the configuration is usable, the port is free, the sockets have short
//! enough paths, and each service gets the environment that is meant for it.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    time::Duration,
};

use gatehouse_config::{Preflight, Runs};
use gatehouse_core::{Env, Home, Service, settings::METRICS_LISTEN};

use tokio::time::{Instant, sleep};

use super::{
    control_ui,
    discovery::{Announced, is_container},
    environment::Inherited,
    steps::{Expected, Steps},
    wrong_settings,
};
use crate::{
    args::{Up, metrics::Wanted},
    exit::{Exit, Failed},
    service::known,
    start::Step,
};

/// The longest path of a Unix socket: `sockaddr_un`, unix(7), less the closing zero.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Tells the edge its port.
pub(super) const PORT: &str = "GATEHOUSE_PORT";

/// Tells the edge where a Control UI is.
const CONTROL_UI: &str = "GATEHOUSE_CONTROL_UI";

/// What a gateway is started with.
#[derive(Debug)]
pub(super) struct Plan {
    /// For a person to read, once.
    pub(super) warnings: Vec<String>,
    /// The path of the Control UI on the gateway's address, if one is served.
    pub(super) page: Option<String>,
    /// What the configuration sets up that joins by itself.
    pub(super) expected: Expected,
    /// Whether and how the network is told of this gateway.
    pub(super) discovery: Announced,
    /// How long answers under way may go on at the end.
    pub(super) answers: Duration,
    /// Whether the edge takes any port.
    pub(super) any_port: bool,
    /// Where clients are to come in.
    pub(super) door: SocketAddr,
    inherited: Inherited,
    variables: Vec<(String, String)>,
    /// Where a service serves its metrics to us.
    metrics: BTreeMap<Service, String>,
}

impl Plan {
    /// Decides, or says what is in the way.
    pub(super) fn make(env: &Env, home: &Home, up: &Up, steps: &Steps) -> Result<Self, Failed> {
        steps.hold(Step::Sockets, sockets_fit(home))?;
        let migrated = gatehouse_config::migrate(home);
        let checked = steps.checked(gatehouse_config::preflight(home, env), migrated)?;
        steps.hold(Step::Sockets, Self::of(env, home, up, checked))
    }

    fn of(env: &Env, home: &Home, up: &Up, checked: Preflight) -> Result<Self, Failed> {
        known(env, &checked.variables).map_err(wrong_settings)?;
        let port = up.port.unwrap_or(checked.port);
        let bind = up.bind.unwrap_or(checked.bind);
        if checked.open_door && !bind.is_loopback() {
            return Err(Failed::new(
                Exit::Configuration,
                format!("gateway.auth.mode is \"none\", and {bind} is reached from other machines"),
            )
            .next("leave --bind and GATEHOUSE_BIND out, or ask for a token: gatehouse config set gateway.auth.mode token"));
        }
        let control_ui = control_ui::find(env, up.control_ui.as_deref())?;
        let mut variables = vec![
            (
                "GATEHOUSE_HOME".to_owned(),
                home.path.to_string_lossy().into_owned(),
            ),
            ("GATEHOUSE_SUPERVISED".to_owned(), "1".to_owned()),
            // The edge binds before it knows the configuration.
            (PORT.to_owned(), port.to_string()),
            ("GATEHOUSE_BIND".to_owned(), bind.to_string()),
            // People read this log: a collector says GATEHOUSE_LOG_FORMAT=json.
            (
                "GATEHOUSE_LOG_FORMAT".to_owned(),
                up.log_format.clone().unwrap_or_else(|| "text".to_owned()),
            ),
        ];
        let page = (control_ui.is_some() || checked.control_ui).then(|| checked.control_ui_path.clone());
        variables.extend(control_ui.map(|root| (CONTROL_UI.to_owned(), root.to_string_lossy().into_owned())));
        let metrics = Service::ALL.map(|service| {
            let socket = format!("unix:{}", home.metrics_socket(service).display());
            let is_off = up.metrics == Some(Wanted::Off);
            (service, if is_off { "off".to_owned() } else { socket })
        });
        let mut warnings: Vec<String> = checked
            .warnings
            .iter()
            .map(|issue| format!("configuration: {issue}"))
            .collect();
        warnings.extend(checked.open.iter().map(ToString::to_string));
        let path = checked.config_path.display();
        warnings.extend(match checked.runs {
            Runs::File => None,
            Runs::LastValid => Some(format!(
                "{path} has mistakes: the last valid configuration runs until they are mended"
            )),
            Runs::WithoutIncluded => Some(format!(
                "{path} includes a file that is not there, and no valid configuration is kept: what it says itself runs until the file is \
                 there, or the $include is taken out"
            )),
        });
        let discovery = match checked.discovery_left_out {
            true => Announced::Not("what the configuration says of discovery cannot be used"),
            false => Announced::of(checked.mdns, bind, is_container()),
        };
        let expected = Expected {
            plugins: checked.plugins,
            discovery: discovery.told(),
        };
        Ok(Self {
            warnings,
            page,
            expected,
            discovery,
            answers: checked.answers,
            any_port: port == 0,
            door: SocketAddr::new(bind, port),
            inherited: Inherited::new(env, checked.variables),
            variables,
            metrics: metrics.into(),
        })
    }

    /// Waits for the port of a gateway that is just ending; one that goes on is refused.
    pub(super) async fn door_is_free(&self) -> Result<(), Failed> {
        port_is_free_in_time(self.door).await
    }

    /// How long answers under way may go on, by the configuration as it is by now.
    pub(super) async fn answers_now(&self, env: &Env, home: &Home) -> Duration {
        let (env, home) = (env.clone(), home.clone());
        let read = tokio::task::spawn_blocking(move || gatehouse_config::preflight(&home, &env));
        match read.await {
            Ok(Ok(found)) => found.answers,
            Ok(Err(_)) | Err(_) => self.answers,
        }
    }

    /// What the command of a plugin finds of ours in its environment.
    pub(super) fn environment_of_plugins(&self) -> BTreeMap<String, String> {
        self.inherited.by_plugins()
    }

    /// What the process finds that tells the network where we are: no secret, and no way to a service.
    pub(super) fn environment_of_discovery(&self) -> BTreeMap<String, String> {
        let mut environment = self.inherited.by_discovery();
        environment.extend(self.variables.iter().cloned());
        environment
    }

    /// Everything that a service finds in its environment.
    pub(super) fn environment(&self, service: Service) -> BTreeMap<String, String> {
        let mut environment = self.inherited.by(service);
        environment.extend(self.variables.iter().cloned());
        environment.extend(
            self.metrics
                .get(&service)
                .map(|socket| (METRICS_LISTEN.to_owned(), socket.clone())),
        );
        environment
    }
}

fn sockets_fit(home: &Home) -> Result<(), Failed> {
    let longest = Service::ALL.map(|service| home.run.join(format!("{service}.sock")).as_os_str().len());
    match longest.into_iter().max() {
        Some(length) if length > SOCKET_PATH_BYTES_MAX => Err(Failed::new(
            Exit::Configuration,
            format!(
                "{} is too long a path for sockets ({length} bytes, at most {SOCKET_PATH_BYTES_MAX})",
                home.run.display()
            ),
        )
        .next("set GATEHOUSE_RUN_DIR to a short folder of your own, for example /tmp/gatehouse-$USER")),
        _ => Ok(()),
    }
}

/// How long a port may be held by a process that is about to end: what a killed supervisor leaves behind is gone within
/// [`ORPHAN`](gatehouse_core::drain::plan::ORPHAN), and a machine under load takes a moment more.
const PREDECESSOR: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The same as [`port_is_free`]; a process that is just ending is waited for.
async fn port_is_free_in_time(door: SocketAddr) -> Result<(), Failed> {
    let until = Instant::now() + PREDECESSOR;
    while Instant::now() < until && is_taken(door) {
        sleep(LOOK_AGAIN).await;
    }
    port_is_free(door.ip(), door.port())
}

fn is_taken(door: SocketAddr) -> bool {
    TcpListener::bind(door).is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
}

/// Tries the port, so that a taken one is said once and with the remedy instead of by a service that dies again and again.
fn port_is_free(bind: IpAddr, port: u16) -> Result<(), Failed> {
    match TcpListener::bind(SocketAddr::new(bind, port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Err(Failed::new(
            Exit::Failed,
            format!("port {port} on {bind} is in use: another gatehouse, or OpenClaw?"),
        )
        .next(format!(
            "see who with `ss -ltnp sport = :{port}`, or take another port: gatehouse up --port {}",
            other(port)
        ))),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Err(Failed::new(
            Exit::Refused,
            format!("port {port} needs the administrator's rights"),
        )
        .next("take a port above 1023: gatehouse up --port 18789")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrNotAvailable => Err(Failed::new(
            Exit::Configuration,
            format!("{bind} is not an address of this machine"),
        )
        .next(format!(
            "use --bind {} for this machine only, or --bind 0.0.0.0 for everybody",
            Ipv4Addr::LOCALHOST
        ))),
        Err(error) => Err(Failed::new(
            Exit::Failed,
            format!("cannot listen on {bind} port {port}: {error}"),
        )),
    }
}

const fn other(port: u16) -> u16 {
    match port.checked_add(1) {
        Some(next) => next,
        None => 18_789,
    }
}

#[cfg(test)]
mod tests;
