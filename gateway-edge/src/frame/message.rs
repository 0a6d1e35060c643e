//! The text message under way: what of it has come, and the memory that is leased for it.

use crate::{
    budget::{FREE_BYTES, Lease},
    close::Close,
};

/// Joined fragments, unmasked.
#[derive(Debug)]
pub(super) struct Message {
    bytes: Vec<u8>,
    /// How much of it is known to be UTF-8.
    valid: usize,
    lease: Lease,
}

impl Message {
    pub(super) fn new(lease: Lease) -> Self {
        Self {
            bytes: Vec::new(),
            valid: 0,
            lease,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The memory that it takes.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Makes room for `more` bytes. The message will not be longer than `total`.
    pub(super) fn reserve(&mut self, more: usize, total: usize) -> Result<(), Close> {
        let needed = self.bytes.len() + more;
        let now = self.bytes.capacity();
        if needed <= now {
            return Ok(());
        }
        // Twice as much each time, so that many small pieces are not copied over and over; and never more than will come.
        let next = now.saturating_mul(2).min(total).max(needed);
        // While it is copied, the old and the new one are both there.
        self.lease
            .grow(next.saturating_sub(FREE_BYTES))
            .map_err(|_| Close::OVERLOADED)?;
        self.bytes.reserve_exact(next - self.bytes.len());
        self.lease.shrink_to(next.saturating_sub(FREE_BYTES));
        Ok(())
    }

    /// Takes in a piece, for which there is room.
    pub(super) fn extend(&mut self, piece: &[u8], mask: [u8; 4], place: usize) -> Result<(), Close> {
        let before = self.bytes.len();
        self.bytes.extend_from_slice(piece);
        unmask(self.bytes.get_mut(before..).unwrap_or_default(), mask, place);
        self.check()
    }

    /// The whole text. What is leased for it is handed over with [`Message::hand_over`].
    pub(super) fn take(&mut self) -> Result<String, Close> {
        self.valid = 0;
        String::from_utf8(std::mem::take(&mut self.bytes)).map_err(|_| Close::UTF8)
    }

    /// What was leased for the message that was taken, to be held for as long as its text.
    pub(super) fn hand_over(&mut self) -> Lease {
        debug_assert!(self.bytes.capacity() == 0, "between two messages");
        self.lease.hand_over()
    }

    /// Checks what is new. A character may still be cut at the end of it.
    fn check(&mut self) -> Result<(), Close> {
        let new = self.bytes.get(self.valid..).unwrap_or_default();
        match std::str::from_utf8(new) {
            Ok(_) => self.valid = self.bytes.len(),
            Err(error) if error.error_len().is_none() => self.valid += error.valid_up_to(),
            Err(_) => return Err(Close::UTF8),
        }
        Ok(())
    }
}

/// Takes the mask off bytes whose first one stands at `place` in the payload (RFC 6455, 5.3). Eight at once: a large message
/// would otherwise cost more here than in everything that follows.
pub(super) fn unmask(bytes: &mut [u8], mut mask: [u8; 4], place: usize) {
    mask.rotate_left(place % 4);
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut chunks = bytes.chunks_exact_mut(8);
    for chunk in &mut chunks {
        if let Ok(eight) = <&mut [u8; 8]>::try_from(chunk) {
            *eight = (u64::from_ne_bytes(*eight) ^ wide).to_ne_bytes();
        }
    }
    for (byte, mask) in chunks.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;

    #[test]
    fn the_mask_comes_off_wherever_a_piece_begins() {
        let mask = [1, 2, 3, 4];
        for (place, len) in (0..5).flat_map(|place| (0..40).map(move |len| (place, len))) {
            let mut bytes: Vec<u8> = (0..len).collect();
            let expected: Vec<u8> = bytes
                .iter()
                .zip(mask.iter().cycle().skip(place % 4))
                .map(|(byte, mask)| byte ^ mask)
                .collect();

            unmask(&mut bytes, mask, place);

            assert_eq!(bytes, expected, "{len} bytes at {place}");
        }
    }

    #[test]
    fn a_message_leases_what_it_takes_and_both_buffers_while_it_is_copied() {
        let budget = Budget::new(100 * 1024, 0);
        let mut message = Message::new(budget.lease());

        message.reserve(FREE_BYTES, usize::MAX).unwrap();
        assert_eq!(budget.used(), 0, "the beginning is free");
        message.bytes.resize(FREE_BYTES, b'x');
        message.reserve(1, usize::MAX).unwrap();
        assert_eq!(budget.used(), FREE_BYTES, "twice as much, less what is free");
        message.bytes.resize(40 * 1024, b'x');
        message.reserve(20 * 1024, 60 * 1024).unwrap();
        assert_eq!((message.capacity(), budget.used()), (60 * 1024, 56 * 1024));

        message.bytes.resize(60 * 1024, b'x');
        let refused = message.reserve(1, usize::MAX);
        assert_eq!(
            refused,
            Err(Close::OVERLOADED),
            "60 and 120 KiB are more than there is"
        );
        message.take().unwrap();
        let text = message.hand_over();
        assert_eq!(budget.used(), 56 * 1024, "until it is parsed");
        drop(text);
        assert_eq!(budget.used(), 0);
    }
}
