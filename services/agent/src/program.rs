//! What a program brings to a turn: tools that it runs itself, and fields of the request to the model.
//!
//! Both are in the form of chat completions already, and go to the model as they came. Only fields that steer how the model writes
//! are taken: whom is asked, and what the conversation is, the gateway says.

use gatehouse_proto::agent::v1::Program as Wire;
use serde_json::{Map, Value};

/// Fields of a request that a program may set.
const PARAMETERS: [&str; 19] = [
    "frequency_penalty",
    "logit_bias",
    "max_completion_tokens",
    "max_tokens",
    "metadata",
    "min_p",
    "parallel_tool_calls",
    "presence_penalty",
    "reasoning_effort",
    "repetition_penalty",
    "response_format",
    "seed",
    "service_tier",
    "stop",
    "temperature",
    "tool_choice",
    "top_k",
    "top_p",
    "verbosity",
];

/// What a program brings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Program {
    /// Empty: the model may call nothing.
    pub(crate) tools: Vec<Value>,
    pub(crate) parameters: Map<String, Value>,
}

/// More of a call of a tool, as a model writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CallPiece {
    /// Which call of the answer, from 0.
    pub(crate) index: usize,
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) arguments: String,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProgramError {
    #[error("/program/tools is no list of tools")]
    Tools,
    #[error("/program/parameters is no object")]
    Parameters,
}

impl TryFrom<Wire> for Program {
    type Error = ProgramError;

    fn try_from(program: Wire) -> Result<Self, ProgramError> {
        let Wire {
            tools,
            parameters,
            instructions: _, // in the system prompt by now
            history: _,      // and this in the messages
        } = program;
        let tools = tools.map(|tools| serde_json::from_str(&tools)).transpose();
        let parameters = parameters.map(|fields| serde_json::from_str::<Map<_, _>>(&fields));
        let parameters = parameters.transpose().map_err(|_| ProgramError::Parameters)?;
        Ok(Self {
            tools: tools.map_err(|_| ProgramError::Tools)?.unwrap_or_default(),
            parameters: parameters
                .unwrap_or_default()
                .into_iter()
                .filter(|(name, value)| PARAMETERS.contains(&name.as_str()) && !value.is_null())
                .collect(),
        })
    }
}

impl Program {
    /// Whether the model may call tools.
    pub(crate) fn offers_tools(&self) -> bool {
        !self.tools.is_empty()
    }

    /// Its fields of the request. Without tools, what is said about them is refused by servers.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &Value)> {
        let about_tools = |name: &str| matches!(name, "tool_choice" | "parallel_tool_calls");
        self.parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value))
            .filter(move |(name, _)| self.offers_tools() || !about_tools(name))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn program(tools: &str, parameters: &str) -> Result<Program, ProgramError> {
        Program::try_from(Wire {
            tools: Some(tools.to_owned()),
            parameters: Some(parameters.to_owned()),
            ..Wire::default()
        })
    }

    #[test]
    fn a_program_steers_how_the_model_writes_and_not_whom_is_asked() {
        let read = program(
            r#"[{"type":"function","function":{"name":"f"}}]"#,
            r#"{"temperature":0,"tool_choice":"auto","model":"other","messages":[],"stream":false,"extra_body":{},"seed":null}"#,
        )
        .unwrap();

        let fields: Vec<_> = read.fields().map(|(name, value)| (name, value.clone())).collect();
        assert_eq!(
            fields,
            [("temperature", json!(0)), ("tool_choice", json!("auto"))]
        );
        assert!(read.offers_tools());
        let without = program("[]", r#"{"tool_choice":"auto","top_p":1}"#).unwrap();
        assert_eq!(
            without.fields().map(|(name, _)| name).collect::<Vec<_>>(),
            ["top_p"]
        );
        assert_eq!(program("{}", "{}"), Err(ProgramError::Tools));
        assert_eq!(program("[]", "[]"), Err(ProgramError::Parameters));
    }
}
