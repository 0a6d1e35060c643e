//! What a model reads of a program's turn.

use gatehouse_proto::agent::v1 as agent;
use gatehouse_proto::agent::v1::TurnMessage;
use prost::Message as _;

use super::Turn;
use super::context::arrange;
use crate::store::ContextRow;

/// What is asked of the model beside what the session and the configuration say.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// What is handed on.
    pub(super) program: Option<agent::Program>,
    pub(super) instructions: Option<String>,
    pub(super) messages: Vec<TurnMessage>,
}

/// What a turn asks. A program that brings a conversation means that one, and not what the transcript holds beside it.
pub(super) fn asked(turn: &Turn, mut rows: Vec<ContextRow>) -> Asked {
    let stored = turn.program.as_deref();
    let Some(program) = stored.and_then(|bytes| agent::Program::decode(bytes).ok()) else {
        return Asked {
            messages: arrange(rows, &turn.run),
            ..Asked::default()
        };
    };
    let agent::Program {
        tools,
        parameters,
        instructions,
        history,
    } = program;
    if !history.is_empty() {
        let run = Some(&turn.run);
        rows.retain(|row| row.answered_in.as_ref() == run || row.run.as_ref() == run);
    }
    Asked {
        program: Some(agent::Program {
            tools,
            parameters,
            ..agent::Program::default()
        }),
        instructions,
        messages: history.into_iter().chain(arrange(rows, &turn.run)).collect(),
    }
}

/// What the agent is told, and behind it what the program says.
pub(super) fn joined(system_prompt: Option<String>, instructions: Option<String>) -> Option<String> {
    match (system_prompt, instructions) {
        (Some(prompt), Some(instructions)) => Some(format!("{prompt}\n\n{instructions}")),
        (prompt, instructions) => prompt.or(instructions),
    }
}
