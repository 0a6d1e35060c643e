//! What the task of a connection waits for, and writes meanwhile.

use tokio::{
    io::{Interest, Ready},
    time::{Instant, sleep_until},
};

use super::{Connection, WAITING_MAX};

impl Connection {
    /// Waits until there is something to read and the peer may be read from. False: the connection is cut, or about to end.
    ///
    /// A peer that leaves its answers unread is not read from. What it has sent stays in the kernel until the answers go out;
    /// that it is gone is seen by the writing.
    pub(super) async fn readable(&self) -> bool {
        loop {
            let (blocked, reads) = {
                let sending = self.lock();
                if sending.closing {
                    return false;
                }
                let blocked = sending.blocked;
                (blocked, !blocked || sending.outbox.cost() <= WAITING_MAX)
            };
            match self.event(blocked, reads).await {
                Happened::Ready(ready) => {
                    if reads && (ready.is_readable() || ready.is_read_closed()) {
                        return true;
                    }
                }
                Happened::Woken => (),
                Happened::Gone => return false,
            }
        }
    }

    /// Waits without reading, and writes meanwhile.
    pub(super) async fn pause(&self, until: Instant) {
        let wait = async {
            loop {
                let blocked = {
                    let sending = self.lock();
                    if sending.closing {
                        return;
                    }
                    sending.blocked
                };
                if let Happened::Gone = self.event(blocked, false).await {
                    return;
                }
            }
        };
        tokio::select! {
            () = sleep_until(until) => (),
            () = wait => (),
        }
    }

    /// The next thing that happens: the socket is ready for what is asked, somebody woke the task, or it was cut.
    pub(super) async fn event(&self, writes: bool, reads: bool) -> Happened {
        let interest = match (reads, writes) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        };
        let ready = async {
            match interest {
                Some(interest) => self.stream.ready(interest).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ready = ready => {
                let Ok(ready) = ready else { return Happened::Gone };
                if writes && ready.is_writable() {
                    self.unblock();
                }
                Happened::Ready(ready)
            }
            () = self.wake.notified() => Happened::Woken,
            () = self.gone.cancelled() => Happened::Gone,
        }
    }
}

/// What a task of a connection is woken by.
#[derive(Debug)]
pub(super) enum Happened {
    Ready(Ready),
    Woken,
    Gone,
}
