//! How long each step of an end may take, in one place, so that the whole has a bound that can be stated.
//!
//! A gateway ends in three steps, under `gatehouse up` and in containers alike: edge and session together, then agent,
//! broadcast and channel-bridge, then config. So whoever produces something outlives whoever is waiting for it:
//!
//! | step | what happens | at most |
//! |---|---|---|
//! | [`FIRST`] | session takes nothing new, lets answers end ([`answers`]), hands replies to the bridge; edge holds its connections | `gateway.drainSeconds` + 16 s |
//! | [`SECOND`] | the bridge sends what it was handed | 16 s |
//! | [`THIRD`] | config writes what it was asked to | 11 s |
//!
//! Within a step each service ends in the same way (see [`service`](crate::service)): its own work, then [`CALLS`], then
//! [`TASKS`], then [`LAST_EVENTS`]. These are bounds for services that hang. One that has nothing to wait for ends at once.

use std::time::Duration;

/// How long answers under way may go on when `gateway.drainSeconds` is not set.
pub const ANSWERS_DEFAULT: Duration = Duration::from_secs(30);

/// The most that may be configured: OpenClaw waits 315 s.
pub const ANSWERS_MAX: Duration = Duration::from_secs(300);

/// How long the ends of answers that were cut short may take to be stored.
pub const CUT_SHORT: Duration = Duration::from_secs(2);

/// How long session offers the last replies to the bridge. What is not taken is offered at the next start.
pub const HAND_OVER: Duration = Duration::from_secs(3);

/// How long the bridge sends what it was handed. What is not sent is sent after the next start.
pub const SEND: Duration = Duration::from_secs(5);

/// How long calls under way may go on when a server closes: a write to a slow disk.
pub const CALLS: Duration = Duration::from_secs(5);

/// How long the tasks of a service may take to end: a health report that is not taken is given up after 2 s.
pub const TASKS: Duration = Duration::from_secs(3);

/// How long the last events may take to get out.
pub const LAST_EVENTS: Duration = Duration::from_secs(3);

/// How long a service takes that has nothing to wait for.
pub const CLOSE: Duration = CALLS.saturating_add(TASKS).saturating_add(LAST_EVENTS);

/// Edge and session, beside the time that answers may take.
pub const FIRST: Duration = CUT_SHORT.saturating_add(HAND_OVER).saturating_add(CLOSE);

/// Agent, broadcast and channel-bridge.
pub const SECOND: Duration = SEND.saturating_add(CLOSE);

/// Config.
pub const THIRD: Duration = CLOSE;

/// How long a service goes on whose supervisor was killed: nobody is left who could start it again or say what it does.
pub const ORPHAN: Duration = Duration::from_millis(700);

/// How long answers under way may go on, by the value of `gateway.drainSeconds`.
#[must_use]
pub fn answers(seconds: Option<u64>) -> Duration {
    seconds.map_or(ANSWERS_DEFAULT, |seconds| {
        Duration::from_secs(seconds).min(ANSWERS_MAX)
    })
}

/// The whole end of a gateway, when everything takes as long as it may.
#[must_use]
pub fn whole(answers: Duration) -> Duration {
    answers + FIRST + SECOND + THIRD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_are_as_long_as_the_table_says() {
        let seconds = |step: Duration| step.as_secs();

        assert_eq!((seconds(FIRST), seconds(SECOND), seconds(THIRD)), (16, 16, 11));
        assert_eq!(seconds(whole(ANSWERS_DEFAULT)), 73);
        assert_eq!(answers(Some(0)), Duration::ZERO);
        assert_eq!(answers(Some(100_000)), ANSWERS_MAX);
    }
}
