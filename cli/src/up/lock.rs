//! One gateway for each home, held by a kernel lock: it is gone the moment its holder is, however that ended.

use std::{
    fs::{File, TryLockError},
    path::Path,
    time::Duration,
};

use gatehouse_core::private;
use tokio::time::{Instant, sleep};

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
    /// Takes the home, also from a holder that is about to be gone.
    pub(crate) async fn take_over(home: &Path) -> Result<Self, Failed> {
        let began = Instant::now();
        loop {
            match Self::take(home) {
                Err(failed) if failed.exit == Exit::Refused && began.elapsed() < DYING => sleep(PAUSE).await,
                ended => return ended,
            }
        }
    }

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
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(held(home)),
            Err(TryLockError::Error(error)) => Err(Failed::new(
                Exit::Failed,
                format!("cannot lock {}: {error}", path.display()),
            )),
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

    #[tokio::test(start_paused = true)]
    async fn a_home_whose_holder_is_about_to_be_gone_is_waited_for_and_one_that_stays_is_not() {
        let home = tempfile::tempdir().unwrap();
        let dying = HomeLock::take(home.path()).unwrap();

        let (next, ()) = tokio::join!(HomeLock::take_over(home.path()), async {
            sleep(DYING / 2).await;
            drop(dying);
        });

        let _held = next.unwrap();
        let refused = HomeLock::take_over(home.path()).await.expect_err("it stays");
        assert_eq!(refused.exit, Exit::Refused);
    }

    #[test]
    fn a_home_that_cannot_be_written_is_said_with_what_to_do() {
        let failed = HomeLock::take(Path::new("/nonexistent")).expect_err("no such folder");

        assert!(failed.to_string().contains("--home"), "{failed}");
    }
}
