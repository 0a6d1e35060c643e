//! One accepted socket, as the requests on it see it: its two ends, its permit, and how long an answer may wait unread.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

pub(crate) use crate::ends::Ends;
use crate::{admission::Permit, budget::Lease};

/// How long a client may take none of an answer that waits for it, and longer by its size at the slowest pace that is waited for.
const UNREAD_MAX: Duration = Duration::from_secs(30);

/// One megabit a second, the download of a poor line.
const READ_PACE_BYTES: usize = 128 * 1024;

/// One socket that speaks HTTP.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) ends: Ends,
    kept: Mutex<Kept>,
    unread: Mutex<Unread>,
    changed: Notify,
}

#[derive(Debug)]
struct Kept {
    /// An upgrade takes it along.
    permit: Option<Permit>,
    /// What is under way and must not be lost when somebody else needs the permit.
    work: usize,
}

/// What waits for the client in memory that is counted.
#[derive(Debug, Default)]
struct Unread {
    pieces: usize,
    /// Until when the next piece must be taken.
    until: Option<Instant>,
}

impl Socket {
    pub(crate) fn new(ends: Ends, permit: Permit) -> Arc<Self> {
        Arc::new(Self {
            ends,
            kept: Mutex::new(Kept {
                permit: Some(permit),
                work: 0,
            }),
            unread: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// Takes the permit, for a connection that outlives the requests.
    pub(crate) fn take_permit(&self) -> Option<Permit> {
        self.kept().permit.take()
    }

    /// Keeps the permit whoever comes, because work has begun that must not be lost. `None`: it is lost already.
    pub(crate) fn settled(self: &Arc<Self>) -> Option<Settled> {
        let mut kept = self.kept();
        if kept.work == 0 && !kept.permit.as_mut().is_none_or(Permit::settle) {
            return None;
        }
        kept.work += 1;
        Some(Settled(Arc::clone(self)))
    }

    /// Whether work is under way whose answer is not read yet.
    pub(crate) fn is_settled(&self) -> bool {
        self.kept().work > 0
    }

    /// A piece of an answer whose memory is leased until the kernel has taken it.
    pub(crate) fn counted(self: &Arc<Self>, bytes: Bytes, lease: Lease) -> Bytes {
        let seconds = u64::try_from(bytes.len() / READ_PACE_BYTES).unwrap_or(0);
        self.change(|unread| {
            unread.pieces += 1;
            let until = Instant::now() + UNREAD_MAX + Duration::from_secs(seconds);
            unread.until = unread.until.max(Some(until));
        });
        let socket = Arc::clone(self);
        Bytes::from_owner(Piece {
            bytes,
            _lease: lease,
            _settled: self.settled(),
            socket,
        })
    }

    /// Ends when the client has left an answer unread for too long.
    pub(crate) async fn overdue(&self) {
        loop {
            let changed = self.changed.notified();
            let until = self.unread().until;
            match until {
                Some(until) if until <= Instant::now() => return,
                Some(until) => tokio::select! { () = sleep_until(until) => (), () = changed => () },
                None => changed.await,
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut Unread)) {
        change(&mut self.unread());
        self.changed.notify_one();
    }

    fn unread(&self) -> MutexGuard<'_, Unread> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A permit that is kept; dropping it lets others have it.
#[derive(Debug)]
pub(crate) struct Settled(Arc<Socket>);

impl Drop for Settled {
    fn drop(&mut self) {
        let mut kept = self.0.kept();
        kept.work -= 1;
        if kept.work == 0
            && let Some(permit) = kept.permit.as_mut()
        {
            permit.wait_again();
        }
    }
}

struct Piece {
    bytes: Bytes,
    _lease: Lease,
    _settled: Option<Settled>,
    socket: Arc<Socket>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.socket.change(|unread| {
            unread.pieces -= 1;
            // One that reads has the whole time for the next piece.
            unread.until = (unread.pieces > 0).then(|| Instant::now() + UNREAD_MAX);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use gatehouse_core::net::PeerKey;
    use tokio::time::timeout;

    use super::*;
    use crate::{
        admission::{Bounds, Counter, Reach},
        budget::Budget,
    };

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_reads_ends_the_socket_and_one_that_is_read_does_not() {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let permit = Counter::new(Bounds::default()).enter(PeerKey::of(ip), Reach::Local);
        let socket = Socket::new(
            Ends {
                peer: ip,
                local: ip,
                secure: false,
            },
            permit.unwrap(),
        );
        let budget = Budget::new(1000, 0);
        let piece = |text: &'static str| {
            let mut lease = budget.lease();
            lease.grow(text.len()).unwrap();
            socket.counted(Bytes::from_static(text.as_bytes()), lease)
        };

        let read = piece("read");
        assert_eq!(budget.used(), 4);
        drop(read);
        assert!(timeout(UNREAD_MAX * 10, socket.overdue()).await.is_err());
        assert_eq!(budget.used(), 0);

        let _unread = piece("unread");
        let begun = Instant::now();
        socket.overdue().await;
        assert_eq!(begun.elapsed(), UNREAD_MAX);
    }
}
