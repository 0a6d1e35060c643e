//! The end of a run, said once. Everything here takes an [`Ended`], and the store hands out one `Ended` for each turn: to
//! the caller whose transition won.

use gatehouse_proto::session::v1::chat_event::State;
use serde_json::json;

use super::events::{Events, Terminal};
use crate::agents::Agents;
use crate::rows;
use crate::store::{Ended, TurnState};

/// Says the end of a run: its row, its lifecycle, its terminal event, the session. The numbers follow `seq`.
pub(super) fn announce(
    events: &Events,
    ended: &Ended,
    agents: Option<&Agents>,
    error_kind: Option<&str>,
    seq: i64,
) {
    let Ended {
        turn,
        summary,
        entry,
        session,
    } = ended;
    let run = events.of_run(&turn.run, &turn.key);
    if let Some(session) = session {
        for entry in summary.iter().chain(entry) {
            events.row(entry, session, agents);
        }
    }

    let stop = turn.stop_reason.clone();
    let ended_at = turn.ended_at;
    let settled = match turn.state {
        TurnState::Done => {
            json!({ "phase": "end", "stopReason": stop, "endedAt": ended_at, "executionSettled": true })
        }
        TurnState::Aborted => json!({
            "phase": "end", "status": "cancelled", "aborted": true, "stopReason": stop, "endedAt": ended_at,
            "executionSettled": true,
        }),
        TurnState::Failed | TurnState::Interrupted => json!({
            "phase": "error", "error": turn.error, "stopReason": stop, "endedAt": ended_at, "executionSettled": true,
        }),
        TurnState::Queued | TurnState::Leased | TurnState::Running => return,
    };
    run.lifecycle(seq + 1, &settled);

    let message = entry
        .as_ref()
        .map(|entry| rows::last_message(&entry.row, events.links()));
    let usage = entry.as_ref().and_then(|entry| rows::usage(&entry.row));
    let (state, end) = match turn.state {
        TurnState::Done => (
            State::Final,
            Terminal {
                message,
                stop_reason: stop,
                usage,
                ..Terminal::default()
            },
        ),
        TurnState::Aborted => (
            State::Aborted,
            Terminal {
                message,
                stop_reason: stop,
                ..Terminal::default()
            },
        ),
        TurnState::Failed
        | TurnState::Interrupted
        | TurnState::Queued
        | TurnState::Leased
        | TurnState::Running => {
            let error_kind = Some(error_kind.unwrap_or("unknown").to_owned());
            let error_message = turn.error.clone();
            (
                State::Error,
                Terminal {
                    stop_reason: stop,
                    error_message,
                    error_kind,
                    ..Terminal::default()
                },
            )
        }
    };
    run.terminal(seq + 2, state, end);

    events.changed(
        &turn.key,
        session.as_ref(),
        agents,
        "agent.input.settled",
        Some(&turn.run),
    );
}
