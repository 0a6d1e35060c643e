//! Why a configuration cannot run, in words for the person who has to mend it.

use std::{fmt, io, path::PathBuf};

use gatehouse_core::telemetry::escape;

use crate::{issue::Issue, secrets::Missing};

/// The exit code of a process that ends because of its configuration: `EX_CONFIG` of sysexits.
pub const EXIT_CONFIG: u8 = 78;

/// Why a configuration cannot run.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// The document has mistakes, and no valid revision is kept.
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        issues: Vec<Issue>,
    },
    /// References lead nowhere.
    Secrets {
        /// The file.
        path: PathBuf,
        /// All of them.
        missing: Vec<Missing>,
    },
    /// A file or folder of the installation cannot be used.
    Files {
        /// What was tried, for example `write /data/config/token`.
        step: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The gateway token that is kept beside the configuration can be guessed.
    WeakToken {
        /// Its file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The credentials cannot be used.
    Credential {
        /// Its file.
        path: PathBuf,
        /// Why, with all causes.
        problem: String,
    },
}

impl ConfigError {
    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        EXIT_CONFIG
    }

    pub(crate) fn files(step: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let step = step.into();
        move |source| Self::Files { step, source }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid { path, issues } => {
                write!(f, "the configuration {} has mistakes:", path.display())?;
                for issue in issues.iter().filter(|issue| issue.is_error()) {
                    write!(f, "\n  {issue}")?;
                }
                f.write_str("\nMend the file and start again. `gatehouse config validate` checks it.")
            }
            Self::Secrets { path, missing } => {
                write!(
                    f,
                    "the configuration {} refers to secrets that are not there:",
                    path.display()
                )?;
                for one in missing {
                    write!(
                        f,
                        "\n  {}\n    looked for: {}\n    to set it: {}",
                        escape(&one.path),
                        escape(&one.looked_for),
                        escape(&one.remedy)
                    )?;
                }
                Ok(())
            }
            Self::Files { step, .. } => write!(f, "cannot {step}"),
            Self::WeakToken { path, why } => write!(
                f,
                "the gateway token in {} can be guessed: it {why}\nRemove the file and start again: Gatehouse makes a new one.",
                path.display()
            ),
            Self::Credential { path, problem } => {
                write!(
                    f,
                    "the credentials in {} cannot be used: {problem}",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Files { source, .. } => Some(source),
            Self::Invalid { .. }
            | Self::Secrets { .. }
            | Self::WeakToken { .. }
            | Self::Credential { .. } => None,
        }
    }
}
