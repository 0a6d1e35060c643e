//! When the rendition that repeats the whole text goes out: the first at once, then at most every 50 ms, and less often
//! while the text is very long, because its bytes grow with the square of the answer.

use std::time::Duration;

use tokio::time::Instant;

/// The shortest time between two: design.md's figure, half as long again as what a screen draws.
const PACE: Duration = Duration::from_millis(50);
/// Each so many bytes of text add one [`PACE`].
const BYTES_PER_PACE: usize = 64 * 1024;
/// The longest time between two, in paces: a second.
const PACES_MAX: usize = 20;

/// What waits to be shown.
#[derive(Debug, Default)]
pub(super) struct Pacer {
    pending: String,
    not_before: Option<Instant>,
}

impl Pacer {
    /// More text.
    pub(super) fn push(&mut self, delta: &str) {
        self.pending.push_str(delta);
    }

    /// When to look again; `None` while nothing waits.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        (!self.pending.is_empty()).then(|| self.not_before.map_or(now, |at| at.max(now)))
    }

    /// What goes out now, if it is time.
    pub(super) fn take_due(&mut self, now: Instant, text_bytes: usize) -> Option<String> {
        if self.not_before.is_some_and(|at| now < at) {
            return None;
        }
        self.take(now, text_bytes)
    }

    /// Whatever waits, whether it is time or not.
    pub(super) fn take(&mut self, now: Instant, text_bytes: usize) -> Option<String> {
        if self.pending.is_empty() {
            return None;
        }
        let paces = (1 + text_bytes / BYTES_PER_PACE).min(PACES_MAX);
        self.not_before = Some(now + PACE * u32::try_from(paces).unwrap_or(1));
        Some(std::mem::take(&mut self.pending))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_goes_out_at_once_and_the_next_after_the_pace() {
        let start = Instant::now();
        let mut pacer = Pacer::default();

        pacer.push("a");
        assert_eq!(pacer.take_due(start, 1).as_deref(), Some("a"));
        pacer.push("b");
        pacer.push("c");
        assert_eq!(pacer.take_due(start, 3), None);
        assert_eq!(pacer.due(start), Some(start + PACE));
        assert_eq!(pacer.take_due(start + PACE, 3).as_deref(), Some("bc"));
        assert_eq!(pacer.due(start), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_text_is_repeated_less_often() {
        let start = Instant::now();
        let mut pacer = Pacer::default();

        pacer.push("a");
        pacer.take_due(start, 10 * BYTES_PER_PACE);
        pacer.push("b");
        assert_eq!(pacer.due(start), Some(start + PACE * 11));
        assert_eq!(pacer.take(start, 1).as_deref(), Some("b"));
    }
}
