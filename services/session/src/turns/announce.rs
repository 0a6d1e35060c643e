//! The end of a run, said once. Everything here takes an [`Ended`], and the store hands out one `Ended` for each turn: to
//! the caller whose transition won.

use gatehouse_proto::session::v1::chat_event::State;
use serde_json::json;

use super::events::{Events, Phase, Terminal, Whose};
use crate::agents::Agents;
use crate::rows;
use crate::store::{Ended, TurnState};

/// Says the end of a run: its row, its lifecycle, its terminal event, the session. The numbers follow `seq`. `said` stands on the
/// screens before the last row: what the run had said when somebody steered it.
pub(super) fn announce(
    events: &Events,
    ended: &Ended,
    agents: Option<&Agents>,
    error_kind: Option<&str>,
    seq: i64,
    said: &str,
) {
    let Ended {
        turn,
        summary,
        entry,
        session,
    } = ended;
    let run = events.of_run(&turn.run, &turn.key, Whose::of(session.as_ref()));
    if let Some(session) = session {
        for entry in summary.iter().chain(entry) {
            events.row(entry, session, agents);
        }
    }

    let stop = turn.stop_reason.clone().map(String::from);
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
    events.operation_ended(ended);

    if let Some((state, end)) = end_of(events, ended, error_kind, said) {
        run.terminal(seq + 2, state, end, None);
    }
    events.changed(
        &turn.key,
        session.as_ref(),
        agents,
        "agent.input.settled",
        Some(&turn.run),
    );
    events.task(turn, session.as_ref());
    events.timing(&turn.run, &turn.key, Phase::DispatchCompleted, None);
    events.followers.forget(&turn.run);
}

/// Says the end of a run once more, to a connection that was not there when it was said.
pub(super) fn announce_to(events: &Events, ended: &Ended, seq: i64, connection: &str) {
    let run = events.of_run(
        &ended.turn.run,
        &ended.turn.key,
        Whose::of(ended.session.as_ref()),
    );
    if let Some((state, end)) = end_of(events, ended, None, "") {
        run.terminal(seq, state, end, Some(connection));
    }
}

/// The last chat event of a run. `None` for one that has not ended.
fn end_of(events: &Events, ended: &Ended, error_kind: Option<&str>, said: &str) -> Option<(State, Terminal)> {
    let Ended { turn, entry, .. } = ended;
    let stop = turn.stop_reason.clone().map(String::from);
    let message = match entry {
        Some(entry) => Some(rows::last_message(said, &entry.row, events.links())),
        None if said.is_empty() => None,
        None => Some(rows::said_message(said, turn.ended_at.unwrap_or_default())),
    };
    let usage = entry.as_ref().and_then(|entry| rows::usage(&entry.row));
    Some(match turn.state {
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
        TurnState::Queued | TurnState::Leased | TurnState::Running => return None,
        TurnState::Failed | TurnState::Interrupted => {
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
    })
}
