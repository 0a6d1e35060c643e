//! The last two seconds of a socket.

use std::{io, net::Shutdown, time::Duration};

use socket2::SockRef;
use tokio::time::{sleep, timeout};

use super::{Connection, pace::TURN_BYTES, wait::Happened};

/// How long the last words may take, and how long the peer may take to answer them.
const LAST_WORDS_MAX: Duration = Duration::from_secs(2);

/// How long the socket of a flood is kept without being read: who floods again needs another place, or a second.
const FLOOD_PAUSE: Duration = Duration::from_secs(1);

/// What is read at once of what nobody wants any more.
const DISCARDED_BYTES: usize = 16 * 1024;

/// Reads after which the others have their turn, and a pause that makes 64 MiB a second of what is dropped: a client that is
/// in the middle of a message of 25 MiB must get to its end, or it never reads why it was closed.
const DISCARDS: usize = TURN_BYTES / DISCARDED_BYTES;
const DISCARD_PAUSE: Duration = Duration::from_millis(1);

impl Connection {
    /// Waits until the last words are written and the peer has answered, but not for ever.
    pub(crate) async fn finish(&self) {
        if self.is_flooded() {
            let _ = timeout(FLOOD_PAUSE, self.write_only()).await;
        }
        if self.is_closing() {
            let _ = timeout(LAST_WORDS_MAX, self.last_words()).await;
        }
        self.gone.cancel();
    }

    async fn write_only(&self) {
        loop {
            let blocked = self.lock().blocked;
            if let Happened::Gone = self.event(blocked, false).await {
                return;
            }
        }
    }

    async fn last_words(&self) {
        let (mut shut, mut discards) = (false, 0);
        loop {
            let (written, blocked, peer_done) = {
                let sending = self.lock();
                (sending.outbox.is_empty(), sending.blocked, sending.peer_done)
            };
            if written && peer_done {
                return;
            }
            if written && !shut {
                shut = true;
                if SockRef::from(&self.stream).shutdown(Shutdown::Write).is_err() {
                    return;
                }
            }
            if let Happened::Gone = self.event(blocked, true).await {
                return;
            }
            match self.stream.try_read(&mut [0; DISCARDED_BYTES]) {
                Ok(0) => self.peer_has_ended(),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
                Ok(_) | Err(_) => (),
            }
            discards += 1;
            if discards == DISCARDS {
                discards = 0;
                sleep(DISCARD_PAUSE).await;
            }
        }
    }
}
