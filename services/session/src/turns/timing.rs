//! Times of the engine.

use std::time::Duration;

use super::RunLimits;

/// Times of the engine. Tests shorten them.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long a lease holds without being renewed.
    pub lease: Duration,
    /// How often it is renewed: three times within a lease, so one lost renewal costs nothing.
    pub renew: Duration,
    /// How often the store is looked at while something may happen there that nobody tells: another process has it open, a
    /// lease is to end, or a turn waits for a time of day.
    pub look: Duration,
    /// The first pause before the agent service is asked again; it doubles up to a bound.
    pub retry: Duration,
    /// How often the agent service is asked for one turn before it fails.
    pub attempts_max: u32,
    /// How often a turn is taken up.
    pub limits: RunLimits,
    /// How long a run may go on after the process was asked to end. `None`: as long as the configuration says.
    pub drain: Option<Duration>,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15),
            renew: Duration::from_secs(5),
            look: Duration::from_secs(5),
            retry: Duration::from_millis(250),
            // The pauses between them are 18 s in all: longer than a supervisor waits before it starts a service again.
            attempts_max: 8,
            limits: RunLimits {
                attempts_max: 3,
                shown_max: 2, // a text that people have read is replaced once
            },
            drain: None,
        }
    }
}
