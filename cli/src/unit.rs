//! `gatehouse service`: the gateway as a unit of systemd, of the machine or of one person. What is written is the text of a file beside
//! this one; what systemd knows, `systemctl` is asked.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde::Serialize;

use crate::{
    args::{
        Common,
        unit::{Unit, UnitVerb},
    },
    control,
    exit::{Exit, Failed},
    home::Found,
    output,
    term::{Ink, Style, Table, printable},
};

const NAME: &str = "gatehouse.service";

/// The home of the gateway of a machine: `StateDirectory` of its unit.
const MACHINE_HOME: &str = "/var/lib/gatehouse";

/// What stands in each unit that is ours to write anew and to remove.
const OURS: &str = "Written by `gatehouse service install";

/// Whose unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Machine,
    Person,
}

/// What systemd knows of the unit.
#[derive(Debug, Default, Serialize)]
struct Known {
    unit: PathBuf,
    installed: bool,
    enabled: bool,
    /// `active`, `activating`, `inactive`, `failed`, ...
    state: String,
    /// What the gateway told it last.
    says: String,
}

pub(crate) fn run(common: &Common, unit: &Unit, style: Style) -> Result<(), Failed> {
    let scope = if unit.system {
        Scope::Machine
    } else {
        Scope::Person
    };
    match unit.verb {
        UnitVerb::Install { print } => install(common, scope, print, style),
        UnitVerb::Uninstall => uninstall(common, scope),
        UnitVerb::Status => status(common, scope, style),
    }
}

fn install(common: &Common, scope: Scope, print: bool, style: Style) -> Result<(), Failed> {
    let program = crate::program::path()
        .map_err(|error| Failed::new(Exit::Failed, format!("cannot find our own program: {error}")))?;
    let home = scope.home(common)?;
    let text = scope.text(&program, &home);
    if print {
        return output::text(&text);
    }
    scope.is_there()?;
    let path = scope.path()?;
    refuse_foreign(&path)?;
    if control::is_alive(&common.run_dir()) && home == common.home {
        return Err(Failed::new(
            Exit::Refused,
            format!(
                "a gateway runs in {} already, which would hold the home",
                home.display()
            ),
        )
        .next("end it with `gatehouse stop`, then install the service"));
    }
    write(&path, &text)?;
    scope.ask(&["daemon-reload"])?;
    scope.ask(&["enable", "--now", NAME])?;
    if common.json {
        return status(common, scope, style);
    }
    let (systemctl, journalctl) = scope.commands();
    output::line(&format!(
        "{} runs, and starts with {}\n\n  home    {}\n  unit    {}\n  log     {journalctl} -u gatehouse -f\n  stop    {systemctl} stop gatehouse",
        style.paint(Ink::Green, "the gateway"),
        if scope == Scope::Machine {
            "the machine"
        } else {
            "your login"
        },
        home.display(),
        path.display(),
    ))?;
    if scope == Scope::Person {
        output::remark("to have it run while nobody is logged in: `loginctl enable-linger`");
    }
    Ok(())
}

fn uninstall(common: &Common, scope: Scope) -> Result<(), Failed> {
    scope.is_there()?;
    let path = scope.path()?;
    if !path.exists() {
        return Err(
            Failed::new(Exit::Failed, format!("{} is not there", path.display()))
                .next("`gatehouse service status` says what there is; --system looks at the machine's unit"),
        );
    }
    refuse_foreign(&path)?;
    scope.ask(&["disable", "--now", NAME])?;
    fs::remove_file(&path).map_err(|error| cannot("remove", &path, &error))?;
    scope.ask(&["daemon-reload"])?;
    if common.json {
        return output::line(&serde_json::json!({"removed": path}).to_string());
    }
    output::line(&format!(
        "removed {}; the home {} is kept",
        path.display(),
        scope.home(common)?.display()
    ))
}

/// What there is; ends with 69 unless it runs.
fn status(common: &Common, scope: Scope, style: Style) -> Result<(), Failed> {
    scope.is_there()?;
    let known = scope.known()?;
    let runs = known.state == "active";
    if common.json {
        let json = serde_json::to_string(&known);
        output::line(&json.map_err(|error| Failed::new(Exit::Failed, error.to_string()))?)?;
    } else {
        let mut table = Table::new(&["UNIT", "INSTALLED", "ENABLED", "STATE", "SAYS"]);
        let word = |is: bool| if is { "yes" } else { "no" }.to_owned();
        let ink = if runs { Ink::Green } else { Ink::Red };
        table.row(vec![
            (None, known.unit.display().to_string()),
            (None, word(known.installed)),
            (None, word(known.enabled)),
            (Some(ink), printable(&known.state)),
            (None, printable(&known.says)),
        ]);
        output::text(&table.render_within(style, crate::term::columns()))?;
    }
    if runs {
        return Ok(());
    }
    let next = if known.installed {
        format!("`{} -u gatehouse` says why", scope.commands().1)
    } else {
        "`gatehouse service install` writes it".to_owned()
    };
    Err(Failed::new(Exit::Unavailable, format!("the service is {}", known.state)).next(next))
}

impl Scope {
    fn text(self, program: &Path, home: &Path) -> String {
        let template = match self {
            Self::Machine => include_str!("unit/system.service"),
            Self::Person => include_str!("unit/user.service"),
        };
        template
            .replace("@EXECUTABLE@", &quoted(program))
            .replace("@HOME@", &quoted(home))
    }

    fn home(self, common: &Common) -> Result<PathBuf, Failed> {
        match self {
            Self::Machine if common.found == Found::Named && common.home != Path::new(MACHINE_HOME) => {
                Err(Failed::new(
                    Exit::Usage,
                    format!("the gateway of the machine has its home in {MACHINE_HOME}, which systemd makes for it"),
                )
                .next("leave --home away; or install it for yourself, without --system"))
            }
            Self::Machine => Ok(PathBuf::from(MACHINE_HOME)),
            Self::Person => std::path::absolute(&common.home)
                .map_err(|error| cannot("find", &common.home, &error)),
        }
    }

    fn path(self) -> Result<PathBuf, Failed> {
        let folder = match self {
            Self::Machine => return Ok(Path::new("/etc/systemd/system").join(NAME)),
            Self::Person => env::var_os("XDG_CONFIG_HOME")
                .map(PathBuf::from)
                .filter(|folder| folder.is_absolute())
                .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".config"))),
        };
        let folder = folder.ok_or_else(|| {
            Failed::new(Exit::Configuration, "neither HOME nor XDG_CONFIG_HOME is set")
                .next("set HOME; or install it for the machine, with --system")
        })?;
        Ok(folder.join("systemd/user").join(NAME))
    }

    /// How a person asks systemd, and its journal.
    const fn commands(self) -> (&'static str, &'static str) {
        match self {
            Self::Machine => ("systemctl", "journalctl"),
            Self::Person => ("systemctl --user", "journalctl --user"),
        }
    }

    fn systemctl(self, words: &[&str]) -> io::Result<Output> {
        let mut command = Command::new("systemctl");
        if self == Self::Person {
            command.arg("--user");
        }
        command.args(words).env("LC_ALL", "C").output()
    }

    /// Has systemd do something.
    fn ask(self, words: &[&str]) -> Result<String, Failed> {
        let asked = format!("{} {}", self.commands().0, words.join(" "));
        let told = self
            .systemctl(words)
            .map_err(|error| Failed::new(Exit::Failed, format!("cannot run `{asked}`: {error}")))?;
        if told.status.success() {
            return Ok(String::from_utf8_lossy(&told.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&told.stderr);
        Err(Failed::new(
            Exit::Failed,
            format!("`{asked}` failed: {}", printable(said.trim())),
        )
        .next(format!("`{} -u gatehouse` may say more", self.commands().1)))
    }

    /// Whether systemd runs this machine, or this person's services.
    fn is_there(self) -> Result<(), Failed> {
        // It says `offline` where it is installed and something else runs the machine.
        let state = self.systemctl(&["is-system-running"]).ok();
        let word = state.map(|told| String::from_utf8_lossy(&told.stdout).trim().to_owned());
        match word.as_deref() {
            None | Some("" | "offline" | "unknown") => {
                Err(Failed::new(Exit::Unavailable, "systemd does not run this machine's services")
                    .next("`gatehouse up -d` runs the gateway without it; --print shows the unit; deploy/launchd has a sample for macOS"))
            }
            Some(_) => Ok(()),
        }
    }

    fn known(self) -> Result<Known, Failed> {
        let told = self.ask(&[
            "show",
            NAME,
            "--property=UnitFileState,ActiveState,StatusText,FragmentPath",
        ])?;
        let value = |name: &str| {
            let line = told
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.unwrap_or_default().to_owned()
        };
        let path = value("FragmentPath");
        Ok(Known {
            installed: !path.is_empty(),
            unit: if path.is_empty() {
                self.path()?
            } else {
                path.into()
            },
            enabled: value("UnitFileState") == "enabled",
            state: value("ActiveState"),
            says: value("StatusText"),
        })
    }
}

/// A path as a word of `ExecStart` (systemd.service(5), "Command lines").
fn quoted(path: &Path) -> String {
    let escaped = path
        .to_string_lossy()
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('%', "%%")
        .replace('$', "$$");
    let is_plain = escaped
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    if is_plain {
        escaped
    } else {
        format!("\"{escaped}\"")
    }
}

fn refuse_foreign(path: &Path) -> Result<(), Failed> {
    match fs::read_to_string(path) {
        Ok(text) if !text.contains(OURS) => Err(Failed::new(
            Exit::Refused,
            format!("{} was written by somebody else", path.display()),
        )
        .next("move it away; changes of your own belong into a drop-in: `systemctl edit gatehouse`")),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(cannot("read", path, &error)),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failed> {
    let written = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(path, text));
    written.map_err(|error| cannot("write", path, &error))
}

fn cannot(step: &str, path: &Path, error: &io::Error) -> Failed {
    let failed = Failed::new(Exit::Failed, format!("cannot {step} {}: {error}", path.display()));
    match error.kind() {
        io::ErrorKind::PermissionDenied => failed.next("with --system this is root's to do: sudo"),
        _ => failed,
    }
}

#[cfg(test)]
mod tests;
