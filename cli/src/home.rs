//! Which home a command means: the folder that holds everything a gateway keeps. Decided once, at the start, by one rule for all
//! commands, so that a person who types `gatehouse chat` in another folder meets the gateway that they have and not a second, empty one.
//!
//! In this order: what was named (`--home`, `$GATEHOUSE_HOME`), the gateway of this user that runs, `./data` if a gateway left it
//! there, `$XDG_DATA_HOME/gatehouse`. Nothing is written here.

pub(crate) mod record;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use gatehouse_core::Env;

use self::record::Record;
use crate::{
    control,
    exit::{Exit, Failed},
};

/// The folder of a gateway that was started in a folder of its own, a checkout for example.
const FOLDER: &str = "data";

/// What stands in a home once a gateway has run there.
const MARKS: &[&str] = &["up.lock", "gatehouse.json5", "credential", "config/token"];

/// The most gateways of one user that are listed.
const LISTED_MAX: usize = 8;

/// Why it is this home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// `--home` or `$GATEHOUSE_HOME`.
    Named,
    /// A gateway of this user runs there.
    Running,
    /// `./data`.
    Folder,
    /// `$XDG_DATA_HOME/gatehouse`.
    Default,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Named => "as named",
            Self::Running => "of the gateway that runs",
            Self::Folder => "in this folder",
            Self::Default => "the default",
        })
    }
}

/// What a home is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// A command that talks to a gateway, or looks at one.
    Client,
    /// A gateway that is started.
    Start,
    /// A service by itself, and commands that need no gateway.
    Alone,
}

/// A home, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) path: PathBuf,
    pub(crate) found: Found,
    /// The folder of its sockets, where a gateway said so.
    pub(crate) run: Option<PathBuf>,
}

impl Chosen {
    const fn new(path: PathBuf, found: Found) -> Self {
        Self {
            path,
            found,
            run: None,
        }
    }
}

/// What is looked at.
#[derive(Debug)]
pub(crate) struct Search<'e> {
    env: &'e Env,
    /// The working directory: `.`, another one in tests.
    here: PathBuf,
}

impl<'e> Search<'e> {
    /// From the working directory.
    pub(crate) fn new(env: &'e Env) -> Self {
        Self {
            env,
            here: PathBuf::from("."),
        }
    }

    /// The home that is meant.
    pub(crate) fn choose(&self, named: Option<&Path>, wanted: For) -> Result<Chosen, Failed> {
        if let Some(path) = named {
            return Ok(Chosen::new(path.to_owned(), Found::Named));
        }
        match wanted {
            For::Client => match self.running()? {
                Some(Record { home, run }) => Ok(Chosen {
                    run: Some(run),
                    ..Chosen::new(home, Found::Running)
                }),
                None => Ok(self.at_rest()),
            },
            For::Start => self.to_start(),
            For::Alone => Ok(self.at_rest()),
        }
    }

    /// `./data`, or the default.
    fn at_rest(&self) -> Chosen {
        let folder = self.here.join(FOLDER);
        if is_home(&folder) {
            return Chosen::new(folder, Found::Folder);
        }
        Chosen::new(self.default_home(), Found::Default)
    }

    /// Where a gateway is started. One that would be the second of this user, in a folder where none was before, was not asked for.
    fn to_start(&self) -> Result<Chosen, Failed> {
        let chosen = self.at_rest();
        if is_home(&chosen.path) {
            return Ok(chosen);
        }
        if let Some(Record { home, .. }) = self.running()? {
            return Err(Failed::new(
                Exit::Refused,
                format!("a gateway of yours runs already: its home is {}", home.display()),
            )
            .next(
                "talk to it with `gatehouse chat`; a second one takes `gatehouse up --home DIR --port N`",
            ));
        }
        match record::known(self.env)
            .into_iter()
            .find(|known| is_home(&known.home))
        {
            Some(last) => Err(Failed::new(
                Exit::Refused,
                format!(
                    "your gateway has its home in {}, and here is none yet",
                    last.home.display()
                ),
            )
            .next(format!(
                "`gatehouse up --home {}` starts it; `gatehouse up --home {}` begins a new one",
                last.home.display(),
                chosen.path.display()
            ))),
            None => Ok(chosen),
        }
    }

    /// The gateway of this user that runs.
    fn running(&self) -> Result<Option<Record>, Failed> {
        let known = record::known(self.env).into_iter();
        let running: Vec<_> = known.filter(|known| control::is_alive(&known.run)).collect();
        let same = |path: &Path| {
            let found = running.iter().find(|record| is_same(&record.home, path));
            found.cloned()
        };
        match running.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(one.clone())),
            several => match same(&self.here.join(FOLDER)).or_else(|| same(&self.default_home())) {
                Some(record) => Ok(Some(record)),
                None => {
                    let mut failed =
                        Failed::new(Exit::Usage, "several gateways of yours run, with these homes:");
                    let listed = several.iter().take(LISTED_MAX);
                    failed.details = listed.map(|record| record.home.display().to_string()).collect();
                    Err(failed.next("name one of them: --home DIR, or GATEHOUSE_HOME"))
                }
            },
        }
    }

    fn default_home(&self) -> PathBuf {
        let folder = |name: &str| self.env.get(name).filter(|path| Path::new(path).is_absolute());
        match (folder("XDG_DATA_HOME"), folder("HOME")) {
            (Some(data), _) => Path::new(data).join("gatehouse"),
            (None, Some(home)) => Path::new(home).join(".local/share/gatehouse"),
            // A process without a home of its own, in a container for example.
            (None, None) => self.here.join(FOLDER),
        }
    }
}

/// Where the gateway that ran last has its home, when that is not `home`: what a person may have meant.
pub(crate) fn other_than(home: &Path) -> Option<PathBuf> {
    let mut known = record::known(&Env::process()).into_iter();
    let other = known.find(|known| is_home(&known.home) && !is_same(&known.home, home));
    other.map(|known| known.home)
}

/// Whether a gateway has run in this folder.
pub(crate) fn is_home(folder: &Path) -> bool {
    MARKS.iter().any(|mark| folder.join(mark).exists())
}

fn is_same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests;
