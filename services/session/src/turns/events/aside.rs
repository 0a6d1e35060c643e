//! What is told beside the conversation itself: tools in detail, how far a message is, what is done with a conversation, and the list of
//! tasks.

use gatehouse_core::publish::Outgoing;
use gatehouse_proto::session::v1 as proto;
use serde_json::Value;
use tokio::time::Instant;

use super::{Events, RunEvents, SESSIONS, Whose};
use crate::agents::Agents;
use crate::id::RunId;
use crate::key::SessionKey;
use crate::rows::{self, Wanted};
use crate::store::{Ended, SessionRecord, Turn, TurnState};
use crate::tasks::ListedTurn;
use crate::turns::Task;
use crate::turns::followers::Screen;

/// How far a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::turns) enum Phase {
    DispatchStarted,
    RunStarted,
    ModelSelected,
    FirstText,
    DispatchCompleted,
}

impl Phase {
    fn word(self) -> &'static str {
        match self {
            Self::DispatchStarted => "dispatch-started",
            Self::RunStarted => "agent-run-started",
            Self::ModelSelected => "model-selected",
            Self::FirstText => "first-assistant-event",
            Self::DispatchCompleted => "dispatch-completed",
        }
    }
}

impl Events {
    /// A turn waits, begins or has ended: the list of tasks goes with it.
    pub(in crate::turns) fn task(&self, turn: &Turn, session: Option<&SessionRecord>) {
        let title = session.and_then(|session| {
            let names = [&session.label, &session.display_name, &session.derived_title];
            names.into_iter().flatten().next().cloned()
        });
        let listed = ListedTurn {
            turn: turn.clone(),
            title,
        };
        let event = proto::TaskEvent {
            action: "upserted".to_owned(),
            task: Some(listed.into()),
        };
        self.publisher
            .publish(Whose::of(session).audience(Outgoing::new(&event)));
    }

    /// A conversation is being summed up.
    pub(in crate::turns) fn operation_begun(&self, turn: &Turn, session: &SessionRecord) {
        let event = self.operation(turn, "start");
        let event = Outgoing::new(&event).topic(SESSIONS);
        self.publisher.publish(Whose::of(Some(session)).audience(event));
    }

    /// The same has ended, if that is what the turn was for.
    pub(in crate::turns) fn operation_ended(&self, ended: &Ended) {
        let turn = &ended.turn;
        if turn.task != Some(Task::Compact) || turn.attempt == 0 {
            return;
        }
        let event = proto::SessionOperationEvent {
            completed: Some(turn.state == TurnState::Done),
            reason: turn.error.clone().or_else(|| {
                let stopped = turn.state != TurnState::Done;
                turn.stop_reason.clone().filter(|_| stopped).map(String::from)
            }),
            ..self.operation(turn, "end")
        };
        let event = Outgoing::new(&event).topic(SESSIONS);
        self.publisher
            .publish(Whose::of(ended.session.as_ref()).audience(event));
    }

    fn operation(&self, turn: &Turn, phase: &str) -> proto::SessionOperationEvent {
        proto::SessionOperationEvent {
            operation_id: turn.run.to_string(),
            operation: "compact".to_owned(),
            phase: phase.to_owned(),
            session_key: turn.key.to_string(),
            agent_id: turn.key.agent().to_string(),
            ts: self.clock.now_ms(),
            ..proto::SessionOperationEvent::default()
        }
    }

    /// Tells the screen that sent a message how far it is.
    pub(in crate::turns) fn timing(
        &self,
        run: &RunId,
        key: &SessionKey,
        phase: Phase,
        model: Option<(&str, &str)>,
    ) {
        let now = Instant::now();
        let note = |screen: &mut Screen| {
            if phase == Phase::DispatchStarted {
                screen.begun = Some(now);
            }
        };
        let Some(screen) = self.followers.screen(run, note) else {
            return;
        };
        let since = |then: Instant| now.duration_since(then).as_secs_f64() * 1000.0;
        let event = proto::ChatSendTimingEvent {
            phase: phase.word().to_owned(),
            run_id: run.to_string(),
            session_key: key.to_string(),
            agent_id: key.agent().to_string(),
            ack_to_phase_ms: screen.answered.map_or(0.0, since),
            received_to_phase_ms: since(screen.received),
            dispatch_started_to_phase_ms: screen
                .begun
                .filter(|_| phase != Phase::DispatchStarted)
                .map(since),
            provider: model.map(|(provider, _)| provider.to_owned()),
            model: model.map(|(_, model)| model.to_owned()),
        };
        self.publisher
            .publish(Outgoing::new(&event).connection(screen.connection));
    }
}

impl RunEvents {
    /// A tool is run, or has answered: in detail for whoever follows the run and takes it, and for the lists of sessions of all others.
    pub(in crate::turns) fn tool(
        &self,
        seq: i64,
        data: &Value,
        session: &SessionRecord,
        agents: Option<&Agents>,
    ) {
        let detail = self.agent(seq, "tool", data);
        let followers = self.events.followers.of_tools(&self.id);
        for connection in &followers {
            self.publish(Outgoing::new(&detail).connection(connection));
        }
        let event = proto::SessionToolEvent {
            run_id: detail.run_id,
            seq,
            stream: detail.stream,
            ts: detail.ts,
            data: detail.data,
            session_key: self.key.clone(),
            agent_id: self.agent.clone(),
            session: Some(rows::session(session, agents, Wanted::ALL)),
        };
        let event = Outgoing::new(&event).topic(SESSIONS).except(followers);
        self.events.publisher.publish(self.whose.audience(event));
    }

    /// One line of what a run does, for everybody.
    pub(in crate::turns) fn item(&self, seq: i64, data: &Value) {
        self.publish(Outgoing::new(&self.agent(seq, "item", data)));
    }

    /// Tells the screen that sent the message how far it is.
    pub(in crate::turns) fn timing(&self, key: &SessionKey, phase: Phase, model: Option<(&str, &str)>) {
        self.events.timing(&self.id, key, phase, model);
    }
}
