//! What operators are told of a turn that ended: one line in the log, and the metrics. With the ids of the line it is found again in
//! the lines of the bridge and the agent.

use std::time::Duration;

use super::live::Live;
use super::{Ended, Turn, TurnState};
use crate::metrics::{Metrics, TurnEnd};
use crate::stop::StopReason;
use gatehouse_core::Timestamp;

/// Counts and logs an end. `live` is what this process knew of the run; a turn that never ran here has none.
pub(super) fn ended(metrics: &Metrics, ended: &Ended, live: Option<&Live>) {
    let Ended { turn, entry, .. } = ended;
    let extra = entry.as_ref().map(|entry| &entry.row.extra);
    let (provider, model) = (
        extra.and_then(|extra| extra.provider.as_deref()),
        extra.and_then(|extra| extra.model.as_deref()),
    );
    let usage = extra.and_then(|extra| extra.usage);
    let ended_at = turn.ended_at.unwrap_or(turn.queued_at);
    let whole = since(turn, ended_at);
    // A run that was begun anew in another process has its first piece there.
    let first = live.and_then(Live::first_at).map(|at| since(turn, at));
    let agent = turn.key.agent().to_string();
    metrics.ended(&TurnEnd {
        agent: &agent,
        model: provider.zip(model),
        outcome: outcome(turn),
        whole,
        first,
    });
    tracing::info!(
        run.id = %turn.run,
        trace.id = turn.trace.trace_id(),
        session.key = turn.key.as_str(),
        agent.id = agent,
        provider.id = provider,
        model.id = model,
        outcome = outcome(turn),
        reason = turn.stop_reason.as_ref().map(StopReason::word),
        error = turn.error,
        wait_ms = turn.started_at.map(|at| millis(since(turn, at))),
        first_ms = first.map(millis),
        ms = millis(whole),
        tokens_in = usage.map(|usage| usage.input),
        tokens_out = usage.map(|usage| usage.output),
        "a turn ended"
    );
}

/// The word for how it ended: its state, except for one that another turn answers.
fn outcome(turn: &Turn) -> &'static str {
    match turn.state {
        TurnState::Done if turn.merged_into.is_some() => "merged",
        state => state.word(),
    }
}

/// From when the message was taken. The clock may have been set back meanwhile.
fn since(turn: &Turn, at: Timestamp) -> Duration {
    at.since(turn.queued_at)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
