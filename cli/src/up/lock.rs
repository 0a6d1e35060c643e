//! One gateway for each home, held by a kernel lock: it is gone the moment its holder is, however that ended.

use std::{
    fs::{File, TryLockError},
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use gatehouse_core::private;

use crate::exit::{Exit, Failed};

/// The file in the home. It is always empty; only the lock on it means something.
const FILE: &str = "up.lock";

/// How long a holder is waited for that was killed: the kernel takes some ten milliseconds to end a process, more on a busy machine.
const DYING: Duration = Duration::from_secs(1);

/// How often it is tried meanwhile.
const PAUSE: Duration = Duration::from_millis(10);

/// Held while the gateway runs.
#[derive(Debug)]
pub(crate) struct HomeLock(#[expect(dead_code, reason = "the lock lives as long as the file is open")] File);

impl HomeLock {
    /// Takes the home.
    pub(crate) fn take(home: &Path) -> Result<Self, Failed> {
        let path = home.join(FILE);
        let file = private::open_or_create(&path).map_err(|error| {
            Failed::new(
                Exit::Failed,
                format!("cannot write in {}: {error}", home.display()),
            )
            .next("choose another folder with --home DIR, or make this one yours")
        })?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) if began.elapsed() < DYING => sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Err(held(home)),
                Err(TryLockError::Error(error)) => {
                    let problem = format!("cannot lock {}: {error}", path.display());
                    return Err(Failed::new(Exit::Failed, problem));
                }
            }
        }
    }
}

/// A gateway runs there.
pub(super) fn held(home: &Path) -> Failed {
    Failed::new(
        Exit::Refused,
        format!("another `gatehouse up` runs in {}", home.display()),
    )
    .next("talk to it with `gatehouse chat`, end it with `gatehouse stop`, or start a second gateway with --home DIR --port N")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_held_once_and_free_again_afterwards() {
        let home = tempfile::tempdir().unwrap();

        let first = HomeLock::take(home.path()).unwrap();
        let second = HomeLock::take(home.path());

        let refused = second.expect_err("it is held");
        assert_eq!(refused.exit, Exit::Refused);
        assert!(refused.to_string().contains("--home"), "{refused}");
        drop(first);
        HomeLock::take(home.path()).unwrap();
    }

    #[test]
    fn a_home_whose_holder_is_about_to_be_gone_is_waited_for() {
        let home = tempfile::tempdir().unwrap();
        let dying = HomeLock::take(home.path()).unwrap();

        std::thread::scope(|scope| {
            let next = scope.spawn(|| HomeLock::take(home.path()));
            drop(dying);
            next.join().unwrap().unwrap();
        });
    }

    #[test]
    fn a_home_that_cannot_be_written_is_said_with_what_to_do() {
        let failed = HomeLock::take(Path::new("/nonexistent")).expect_err("no such folder");

        assert!(failed.to_string().contains("--home"), "{failed}");
    }
}
