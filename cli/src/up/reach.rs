//! Notices that nobody can reach this gateway any more by its run folder: whoever cleans up took it away, with the sockets in it. Services
//! hold the connections that they have, so all goes on but for commands, which find no gateway here and would start a second one.

use std::{io::ErrorKind, path::Path};

use gatehouse_core::beat;

use crate::control::SOCKET;

/// It is looked at once more before anything is done about it.
const LOOKS: usize = 2;

/// Returns once the socket for commands is gone, and a start anew would bring it back.
pub(super) async fn is_lost(home: &Path, run: &Path) {
    let mut gone = 0;
    loop {
        beat::next().await;
        let is_gone = run
            .join(SOCKET)
            .symlink_metadata()
            .is_err_and(|error| error.kind() == ErrorKind::NotFound);
        // A home that was moved, or whose disk is away, is no place to start in.
        gone = if is_gone && home.is_dir() { gone + 1 } else { 0 };
        if gone >= LOOKS {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use gatehouse_core::beat::BEAT;
    use tokio::time::{Instant, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_run_folder_that_was_taken_away_is_noticed_within_two_beats_and_a_home_that_was_not_at_all() {
        let home = tempfile::tempdir().unwrap();
        let run = home.path().join("run");
        fs::create_dir(&run).unwrap();
        fs::write(run.join(SOCKET), "").unwrap();
        let hour = BEAT * 120;

        assert!(
            timeout(hour, is_lost(home.path(), &run)).await.is_err(),
            "it is there"
        );

        fs::remove_dir_all(&run).unwrap();
        let begun = Instant::now();
        timeout(hour, is_lost(home.path(), &run)).await.expect("noticed");
        assert!(begun.elapsed() <= BEAT * 3, "{:?}", begun.elapsed());

        let moved = home.path().join("moved");
        assert!(timeout(hour, is_lost(&moved, &moved.join("run"))).await.is_err());
    }
}
