//! Memory that many connections share.
//!
//! A bound for each connection is no bound for the process: 20,000 times a small number is a large one. So what connections hold
//! for their peers is leased from budgets of the whole edge. Whoever comes when a budget is used up is refused; those who
//! hold a part of it keep it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use tokio::sync::Notify;

/// A peer may begin a message of this size whatever the others hold. 4,096 unauthenticated sockets hold 16 MiB of it at
/// most; a real `connect` takes 1 to 2 KiB.
pub(crate) const FREE_BYTES: usize = 4 * 1024;

/// Messages up to this size may use the part of a budget that is kept back from larger ones.
const SMALL_BYTES: usize = 64 * 1024;

const MIB: usize = 1024 * 1024;

/// The budgets of one edge. Together with what the process needs idle they fit into the 256 MiB of the compose file.
#[derive(Debug)]
pub(crate) struct Budgets {
    /// First messages of unauthenticated peers that are not whole yet.
    pub(crate) unauthenticated: Arc<Budget>,
    /// Messages of authenticated peers, until they are parsed, and the bodies of their requests, until they are answered.
    pub(crate) messages: Arc<Budget>,
    /// Answers that wait for peers to read them.
    pub(crate) waiting: Arc<Budget>,
}

/// One connection may leave 50 MiB unread, as clients are told in `policy.maxBufferedBytes`; all together a little more.
pub(crate) const WAITING_MAX: usize = 64 * MIB;

impl Budgets {
    /// Budgets with so much for waiting answers.
    pub(crate) fn new(waiting_max: usize) -> Self {
        Self {
            unauthenticated: Budget::new(4 * MIB, MIB),
            // A message of 25 MiB holds that much until it is parsed, and its request as much from then until the service has it: one
            // of the largest passes, such as a film of a node or an attachment. The rest is for small messages alone.
            messages: Budget::new(60 * MIB, 8 * MIB),
            waiting: Budget::new(waiting_max, 0),
        }
    }
}

/// One budget, in bytes.
#[derive(Debug)]
pub(crate) struct Budget {
    max: usize,
    /// What is kept back for leases of at most [`SMALL_BYTES`].
    small: usize,
    used: AtomicUsize,
    /// Rings when more is in use than there is: see [`Lease::set`].
    pub(crate) exceeded: Notify,
}

/// The budget is used up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UsedUp;

impl Budget {
    pub(crate) fn new(max: usize, small: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            small,
            used: AtomicUsize::new(0),
            exceeded: Notify::new(),
        })
    }

    /// An empty lease.
    pub(crate) fn lease(self: &Arc<Self>) -> Lease {
        Lease {
            budget: Arc::clone(self),
            bytes: 0,
        }
    }

    /// Whether more is in use than there is.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.used() > self.max
    }

    /// Bytes that may be leased.
    pub(crate) fn max(&self) -> usize {
        self.max
    }

    /// Bytes that are leased.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Relaxed)
    }
}

/// A part of a budget; dropping it gives the part back.
#[derive(Debug)]
pub(crate) struct Lease {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Lease {
    /// Leases so many bytes more.
    ///
    /// # Errors
    /// When they are not there. The lease stays as it is.
    pub(crate) fn grow(&mut self, more: usize) -> Result<(), UsedUp> {
        let Budget { max, small, used, .. } = &*self.budget;
        let bytes = self.bytes.saturating_add(more);
        let ceiling = if bytes <= SMALL_BYTES { *max } else { max - small };
        let added = used.fetch_update(Relaxed, Relaxed, |used| {
            used.checked_add(more).filter(|used| *used <= ceiling)
        });
        added.map_err(|_| UsedUp)?;
        self.bytes = bytes;
        Ok(())
    }

    /// Leases exactly so many bytes.
    ///
    /// # Errors
    /// When they are more than before, and not there. The lease stays as it is.
    pub(crate) fn resize(&mut self, bytes: usize) -> Result<(), UsedUp> {
        if let Some(more) = bytes.checked_sub(self.bytes) {
            return self.grow(more);
        }
        self.shrink_to(bytes);
        Ok(())
    }

    /// Hands all of it to somebody else, who holds now what it was leased for.
    pub(crate) fn hand_over(&mut self) -> Self {
        Self {
            budget: Arc::clone(&self.budget),
            bytes: std::mem::take(&mut self.bytes),
        }
    }

    /// Gives back all but so many bytes.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let less = self.bytes.saturating_sub(bytes);
        self.budget.used.fetch_sub(less, Relaxed);
        self.bytes -= less;
    }

    /// Leases exactly so many bytes, whether they are there or not: they are in use already, and somebody has to give way.
    pub(crate) fn set(&mut self, bytes: usize) {
        if bytes <= self.bytes {
            return self.shrink_to(bytes);
        }
        self.budget.used.fetch_add(bytes - self.bytes, Relaxed);
        self.bytes = bytes;
        if self.budget.is_exceeded() {
            self.budget.exceeded.notify_one();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{call::CALL_COST, limits::PAYLOAD_MAX};

    #[test]
    fn a_request_of_the_largest_size_passes_while_its_message_is_still_held() {
        let budgets = Budgets::new(WAITING_MAX);
        let (mut message, mut request) = (budgets.messages.lease(), budgets.messages.lease());

        assert_eq!(message.grow(PAYLOAD_MAX), Ok(()));
        // What is kept to be sent again is what is being sent: see `Call::cost`.
        assert_eq!(request.grow(PAYLOAD_MAX + CALL_COST), Ok(()));
        assert_eq!(budgets.messages.lease().grow(PAYLOAD_MAX), Err(UsedUp));
    }

    #[test]
    fn who_comes_when_it_is_used_up_is_refused_and_the_holders_keep_theirs() {
        let budget = Budget::new(100, 0);
        let (mut first, mut second) = (budget.lease(), budget.lease());
        first.grow(80).unwrap();

        assert_eq!(second.grow(21), Err(UsedUp));
        second.grow(20).unwrap();
        assert_eq!((first.bytes, second.bytes, budget.used()), (80, 20, 100));

        let heir = first.hand_over();
        drop(first);
        assert_eq!(budget.used(), 100, "somebody else holds it now");
        drop(heir);
        second.grow(80).unwrap();
        drop(second);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn large_messages_leave_room_for_small_ones() {
        let budget = Budget::new(4 * SMALL_BYTES, SMALL_BYTES);
        let (mut large, mut small) = (budget.lease(), budget.lease());
        large.grow(3 * SMALL_BYTES).unwrap();

        assert_eq!(large.grow(1), Err(UsedUp));
        small.grow(SMALL_BYTES).unwrap();
        assert_eq!(small.grow(1), Err(UsedUp));
    }

    #[tokio::test]
    async fn more_than_there_is_rings_for_somebody_to_give_way() {
        let budget = Budget::new(10, 0);
        let mut lease = budget.lease();

        lease.set(11);

        budget.exceeded.notified().await;
        assert!(budget.is_exceeded());
        lease.set(3);
        assert!(!budget.is_exceeded() && budget.used() == 3);
    }
}
