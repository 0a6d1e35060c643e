//! What every `main` needs: a log that the gateway keeps, the signal that asks for the end, a folder that is nobody else's, and words for why it
//! cannot go on.

use std::{
    error::Error,
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Writes the log to standard error, where `gatehouse up` reads it.
///
/// # Errors
/// When the filter is none.
pub fn log(filter: &str) -> Result<(), tracing_subscriber::filter::ParseError> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(filter)?)
        .with_writer(io::stderr)
        .with_ansi(false)
        .init();
    Ok(())
}

/// The end of a `main`: an error is one line of words on standard error. `main` itself would print it as the code has it.
#[must_use]
pub fn ended(result: Result<(), Box<dyn Error + Send + Sync>>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut words = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                words += &format!(": {error}");
                cause = error.source();
            }
            eprintln!("{words}");
            ExitCode::FAILURE
        }
    }
}

/// Comes when somebody asks for the end: SIGTERM, or Ctrl-C.
///
/// # Errors
/// When the signals cannot be listened to.
pub fn requested() -> io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Where a plugin remembers something: what its command line says, else a place in the home of whoever runs it. The folder that it is in is
/// made, and is nobody else's business.
///
/// # Errors
/// When neither is said, or the folder cannot be made.
pub fn state(said: Option<&Path>, home: Option<&Path>, below_home: &str) -> io::Result<PathBuf> {
    let place = match (said, home) {
        (Some(said), _) => said.to_owned(),
        (None, Some(home)) => home.join(below_home),
        (None, None) => {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "there is no HOME: say with --state where the plugin remembers things",
            ));
        }
    };
    if let Some(folder) = place.parent() {
        private_folder(folder)?;
    }
    Ok(place)
}

/// Makes a folder that nobody else may look into. One that is there stays as it is.
///
/// # Errors
/// When it cannot be made; the path is part of the error.
pub fn private_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", folder.display())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::state;

    #[test]
    fn what_a_plugin_remembers_is_in_a_folder_of_its_own_that_nobody_else_reads() {
        let home = tempfile::tempdir().expect("a folder");

        let place = state(None, Some(home.path()), ".local/state/plugin/state.db").expect("a place");
        let said = state(Some(&home.path().join("else.db")), None, "x").expect("a place");
        let nowhere = state(None, None, "x").expect_err("nobody said where");

        let folder = place.parent().expect("a folder").metadata().expect("it is there");
        assert_eq!(folder.permissions().mode() & 0o777, 0o700);
        assert_eq!(said, home.path().join("else.db"));
        assert!(nowhere.to_string().contains("--state"), "{nowhere}");
    }
}
