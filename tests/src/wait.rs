//! Waiting for a condition, with a deadline. The only place of the harness that sleeps.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long a condition may take before the test fails: far above what it needs, so that a busy machine fails nothing.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// How often a condition is looked at. Short against what is waited for, long against what a look costs.
const INTERVAL: Duration = Duration::from_millis(10);

/// Looks at `probe` until it answers, and returns the answer.
///
/// # Panics
/// When it has not answered within [`DEADLINE`], naming `what`.
pub async fn until<T, F: AsyncFnMut() -> Option<T>>(what: &str, probe: F) -> T {
    until_within(DEADLINE, what, probe).await
}

/// The same with a deadline of one's own.
///
/// # Panics
/// When it has not answered within the deadline, naming `what`.
#[expect(clippy::panic, reason = "a test fails by panicking")]
pub async fn until_within<T, F: AsyncFnMut() -> Option<T>>(
    deadline: Duration,
    what: &str,
    mut probe: F,
) -> T {
    let end = Instant::now() + deadline;
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        if Instant::now() > end {
            panic!("{what}: not within {deadline:?}");
        }
        sleep(INTERVAL).await;
    }
}
