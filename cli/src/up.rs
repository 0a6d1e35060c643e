//! `gatehouse up`: a whole gateway on one machine, without containers. Checks the configuration, starts the six processes over
//! Unix sockets, merges their logs, starts again whoever dies, and stops all of them in order.
//!
//! No process outlives this one, however it ends: the kernel kills every service when we die, and every service ends when its
//! standard input does, which the kernel closes with us. So there is nothing to clean up at the next start and no PID file to go stale.

mod banner;
mod child;
mod control;
mod control_ui;
mod detached;
mod discovery;
mod environment;
mod lines;
mod lock;
mod log;
pub(crate) mod log_file;
mod manager;
mod metrics;
mod plan;
mod plugins;
mod reach;
mod ready;
mod services;
mod steps;
mod supervisor;
mod tee;
mod watchdog;

use std::{fs, io, os::unix::process::CommandExt, path::Path};

use gatehouse_core::{Drain, Home, drain, private, settings::SettingsError, telemetry};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};

pub(crate) use self::lock::HomeLock;
use self::{
    banner::Shown,
    control::{Control, Order, Told},
    log::{Log, Writer},
    log_file::LogFile,
    manager::Manager,
    metrics::Metrics,
    plan::Plan,
    plugins::Plugins,
    ready::Ready,
    steps::Steps,
    tee::Tee,
};
use crate::{
    args::{Common, Up},
    exit::{Exit, Failed},
    files,
    home::record,
    service::environment,
    start::Step,
    term::Style,
};

/// Runs a gateway until it is asked to stop, or starts one that runs without us.
pub(crate) async fn run(common: &Common, up: &Up, style: Style) -> Result<(), Failed> {
    if up.detach {
        return detached::start(common, up, style).await;
    }
    if up.detached {
        detached::leave_the_terminal();
    }
    crate::memory::keep_nothing();
    match serve(common, up, style).await? {
        Order::Stop | Order::StopNow => Ok(()),
        Order::Again => Err(again()),
    }
}

/// The same program with the same options in this process's place: whoever watches it sees no end. Returns only when that failed.
fn again() -> Failed {
    let failed = |error: io::Error| Failed::new(Exit::Failed, format!("cannot start again: {error}"));
    match crate::program::path() {
        Ok(program) => failed(
            std::process::Command::new(program)
                .args(std::env::args_os().skip(1))
                .exec(),
        ),
        Err(error) => failed(error),
    }
}

/// Runs a gateway until somebody wants its end.
async fn serve(common: &Common, up: &Up, style: Style) -> Result<Order, Failed> {
    let began = Instant::now();
    let mut signals = Signals::watch()
        .map_err(|error| Failed::new(Exit::Failed, format!("cannot watch signals: {error}")))?;
    let env = environment(common);
    files::raise_limit()?;
    telemetry::check(&env).map_err(wrong_settings)?;
    let home = Home::read(&env);
    make_private(&home.path)?;
    make_private(&home.run)?;
    make_private(&home.path.join("secrets"))?; // where changes through a method find files: see `secrets.dirs`
    let _held = HomeLock::take_over(&home.path).await?;
    let url_file = home.url_file();
    // A killed gateway leaves its address behind; waiting for the new one must not find the old.
    let _ = fs::remove_file(&url_file);

    let steps = Steps::begin(&home.path, began);
    let plan = Plan::make(&env, &home, up, &steps)?;
    steps.hold(Step::Sockets, plan.door_is_free().await)?;
    let (log, writer) = open_log(up, &home, style)?;
    let told = Told::new(
        up.detached
            .then(|| home.path.join(log_file::FOLDER).join(log_file::FILE)),
    );
    let control = Control::listen(&home.run, &told).map_err(|error| {
        Failed::new(
            Exit::Failed,
            format!("cannot listen in {}: {error}", home.run.display()),
        )
    });
    let mut control = steps.hold(Step::Sockets, control)?;
    steps.tell(&log);
    if let Err(error) = record::note(&env, &home.path, &home.run) {
        log.own(&format!(
            "commands in other folders find this gateway by --home only: {error}"
        ));
    }
    for warning in &plan.warnings {
        log.own(warning);
    }
    let metrics = steps.hold(Step::Sockets, Metrics::bind(up.metrics, plan.door, &home).await)?;
    let metrics_url = metrics.url();
    let mut supervisor = steps.hold(Step::Sockets, services::start(&plan, &home, &log))?;
    steps.services_started();
    let plugins = Plugins::start(&home, plan.environment_of_plugins(), &log);
    let scrapes = Drain::new();
    metrics.serve(&scrapes);
    told.started(
        supervisor.restarts(),
        plugins.failures(),
        drain::plan::whole(plan.answers),
        metrics_url.clone(),
    );
    let manager = Manager::watch();
    let ready = Ready {
        manager: &manager,
        url_file: &url_file,
        home: &home.path,
        door: plan.door.ip(),
        page: plan.page.as_deref(),
        metrics: metrics_url.as_deref(),
        log: &log,
        style,
        shown: Shown::of(common, up.detached),
        began,
        told: &told,
        steps: &steps,
        services: supervisor.restarts(),
    };

    let ended = tokio::select! {
        never = ready.announce() => match never {},
        never = steps::follow(&steps, &home, &plan.expected) => match never {},
        never = steps::explain(&steps, supervisor.restarts()) => match never {},
        fatal = supervisor.fatal() => steps.hold(steps::step_of(&fatal.name), Err(Failed::new(
            Exit::Configuration,
            format!("{} cannot run with this configuration: {}", fatal.name, fatal.last_line),
        )
        .next(format!("correct {} and start again; `gatehouse config validate` checks it", home.config.display())))),
        () = signals.next() => Ok(Order::Stop),
        order = control.next() => Ok(order),
        () = reach::is_lost(&home.path, &home.run) => {
            log.own(&format!(
                "{} is gone, and no command finds this gateway without it: starting again",
                home.run.display()
            ));
            Ok(Order::Again)
        }
    };
    let answers = plan.answers_now(&env, &home).await;
    let limits = [
        answers + drain::plan::FIRST,
        drain::plan::SECOND,
        drain::plan::THIRD,
    ];
    manager.ends(drain::plan::whole(answers), matches!(ended, Ok(Order::Again)));
    log.own(&format!(
        "stopping: answers under way may end first, for at most {} s, and everything within {} s; once more stops at once",
        answers.as_secs(),
        drain::plan::whole(answers).as_secs(),
    ));
    let at_once = matches!(ended, Ok(Order::StopNow));
    let impatient = async {
        if !at_once {
            tokio::select! {
                () = signals.next() => {}
                () = control.haste() => {}
            }
        }
    };
    supervisor.stop(&limits, impatient).await;
    // Whoever is called outlives who calls.
    plugins.stop().await;
    scrapes.start();
    let _ = fs::remove_file(&url_file);
    log.own("stopped");
    drop(steps);
    drop(log);
    writer.finish();
    ended
}

/// The log: in files of the home, and on the standard output unless there is no terminal.
fn open_log(up: &Up, home: &Home, style: Style) -> Result<(Log, Writer), Failed> {
    let prefix = up.log_format.as_deref() != Some("json");
    let file = LogFile::open(&home.path);
    let problem = |error: &io::Error| {
        let folder = home.path.join(log_file::FOLDER);
        format!("cannot write a log in {}: {error}", folder.display())
    };
    match (file, up.detached) {
        (Ok(file), true) => Ok(Log::to(file, style, prefix)),
        (Ok(file), false) => Ok(Log::to(Tee::new(io::stdout(), file), style, prefix)),
        (Err(error), true) => Err(Failed::new(Exit::Failed, problem(&error))),
        (Err(error), false) => {
            let (log, writer) = Log::to(io::stdout(), style, prefix);
            log.own(&problem(&error));
            Ok((log, writer))
        }
    }
}

fn wrong_settings(error: SettingsError) -> Failed {
    Failed::of_lines(Exit::Configuration, &error.to_string())
}

fn make_private(folder: &Path) -> Result<(), Failed> {
    private::create_folder(folder).map_err(|error| {
        Failed::new(Exit::Failed, format!("cannot make {}: {error}", folder.display()))
            .next("choose another folder with --home DIR")
    })
}

/// What a person or a service manager stops us with.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    fn watch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
