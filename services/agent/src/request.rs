//! What is asked of a turn, read once.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use gatehouse_core::content::{Content, ContentError};
use gatehouse_core::{Failure, Kind};
use gatehouse_proto::agent::v1::{self as proto, RunTurnRequest, TurnMedia, TurnMessage};

use crate::program::{Program, ProgramError};

/// One turn.
#[derive(Clone, Debug)]
pub(crate) struct RunTurn {
    pub(crate) run: String,
    /// As they are written, in order of preference. Empty: the configuration's default.
    pub(crate) models: Vec<String>,
    /// The longest it may take.
    pub(crate) limit: Duration,
    pub(crate) question: Question,
}

/// What a provider is asked.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) system_prompt: Option<String>,
    /// Oldest first.
    pub(crate) messages: Vec<Message>,
    pub(crate) agent_name: String,
    /// Whether the answer goes to a chat.
    pub(crate) in_chat: bool,
    /// The bytes of media that messages name, by their ids.
    pub(crate) shelf: Shelf,
    /// Why recordings were not transcribed, if one could not be.
    pub(crate) unheard: Option<String>,
    /// How hard to think, in the model's own words. `None`: as hard as the model likes.
    pub(crate) thinking: Option<String>,
    /// Whose own settings of models hold.
    pub(crate) agent: Option<String>,
    /// What a program wants that brought the turn. `None`: it is a person's.
    pub(crate) program: Option<Program>,
}

/// What the transcript of a recording is among media: it stands in the place of its bytes.
pub(crate) const TRANSCRIPT: &str = "text/plain";

/// The bytes of media, by their ids.
pub(crate) type Shelf = HashMap<String, Medium>;

/// The bytes of one medium.
#[derive(Clone, Debug)]
pub(crate) struct Medium {
    pub(crate) mime_type: String,
    pub(crate) data: Bytes,
}

/// One message of the conversation.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) role: Role,
    pub(crate) content: Content,
    /// Whose model wrote it. `None`: none, or nobody knows.
    pub(crate) provider: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    User,
    Assistant,
    Tool,
}

/// `<provider>/<model>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ModelName {
    pub(crate) provider: String,
    /// May hold further slashes.
    pub(crate) model: String,
}

impl ModelName {
    pub(crate) fn new(provider: &str, model: &str) -> Self {
        Self {
            provider: provider.to_owned(),
            model: model.to_owned(),
        }
    }
}

impl std::fmt::Display for ModelName {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}", self.provider, self.model)
    }
}

/// Why a request is no turn.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("/messages/{index}/role is not user, assistant or tool")]
    Role { index: usize },
    #[error("/messages/{index}/content {problem}")]
    Content { index: usize, problem: ContentError },
    #[error(
        "/messages has nothing to answer: no message of a user, and no tool's answer to a call that the model made before it"
    )]
    NothingAsked,
    #[error(transparent)]
    Program(#[from] ProgramError),
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        Self::new(Kind::Invalid, error.to_string())
    }
}

impl TryFrom<RunTurnRequest> for RunTurn {
    type Error = RequestError;

    fn try_from(request: RunTurnRequest) -> Result<Self, RequestError> {
        let RunTurnRequest {
            run_id,
            models,
            system_prompt,
            messages,
            timeout_ms,
            agent_name,
            in_chat,
            thinking_level,
            agent_id,
            media,
            program,
        } = request;
        let media = media
            .into_iter()
            .map(|TurnMedia { id, mime_type, data }| (id, Medium { mime_type, data }));
        let messages = messages.into_iter().enumerate().map(message);
        let messages: Vec<Message> = messages.collect::<Result<_, _>>()?;
        if !asks(&messages) {
            return Err(RequestError::NothingAsked);
        }
        Ok(Self {
            run: run_id,
            models,
            limit: u64::try_from(timeout_ms)
                .ok()
                .filter(|ms| *ms > 0)
                .map_or(Duration::MAX, Duration::from_millis),
            question: Question {
                system_prompt,
                messages,
                agent_name,
                in_chat,
                shelf: media.collect(),
                unheard: None,
                thinking: thinking_level.filter(|level| !level.trim().is_empty()),
                agent: agent_id,
                program: program.map(Program::try_from).transpose()?,
            },
        })
    }
}

fn message((index, message): (usize, TurnMessage)) -> Result<Message, RequestError> {
    use proto::turn_message::Role as Wire;

    let role = match message.role() {
        Wire::User => Role::User,
        Wire::Assistant => Role::Assistant,
        Wire::Tool => Role::Tool,
        Wire::Unspecified => return Err(RequestError::Role { index }),
    };
    let TurnMessage {
        role: _,
        text,
        content,
        provider,
    } = message;
    let content =
        Content::from_parts(text, content).map_err(|problem| RequestError::Content { index, problem })?;
    Ok(Message {
        role,
        content,
        provider,
    })
}

/// Whether anybody waits for an answer. Models that are asked with nothing fail each in their own way, some of them as a whole.
fn asks(messages: &[Message]) -> bool {
    let calls = || messages.iter().flat_map(|message| message.content.calls());
    let mut results = messages.iter().flat_map(|message| message.content.results());
    messages.iter().any(|message| message.role == Role::User)
        || results.any(|result| calls().any(|call| call.id == result.call_id))
}

#[cfg(test)]
mod tests {
    use gatehouse_proto::common::v1 as common;

    use super::*;

    fn said(role: i32, content: Option<common::Content>) -> RunTurnRequest {
        let text = "hi".to_owned();
        RunTurnRequest {
            messages: vec![TurnMessage {
                role,
                text,
                content,
                provider: None,
            }],
            ..RunTurnRequest::default()
        }
    }

    #[test]
    fn a_request_is_read_once_and_refused_by_the_place_that_is_wrong() {
        let turn = RunTurn::try_from(said(proto::turn_message::Role::User.into(), None)).unwrap();
        let message = turn.question.messages.first().unwrap();
        assert_eq!(
            (message.role, message.content.words().as_str()),
            (Role::User, "hi")
        );
        assert_eq!(turn.limit, Duration::MAX);

        for role in [0, 77] {
            let refused = RunTurn::try_from(said(role, None)).unwrap_err();
            assert_eq!(refused, RequestError::Role { index: 0 });
        }
        let nowhere = common::block::Kind::Media(common::MediaBlock::default());
        let blocks = vec![common::Block { kind: Some(nowhere) }];
        let refused = RunTurn::try_from(said(1, Some(common::Content { blocks }))).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "/messages/0/content holds a medium without an id and without a URL"
        );
    }

    #[test]
    fn a_turn_without_anything_to_answer_is_not_begun() {
        let message = |role, content: &str| Message {
            role,
            content: Content::from_json(content).unwrap(),
            provider: None,
        };
        let call = || {
            let said = r#"[{"type":"toolCall","id":"c1","name":"ls","arguments":{}}]"#;
            message(Role::Assistant, said)
        };
        let result = |id: &str| {
            let said =
                format!(r#"[{{"type":"toolResult","toolCallId":"{id}","toolName":"ls","content":"x"}}]"#);
            message(Role::Tool, &said)
        };

        assert!(asks(&[call(), result("c1")]));
        assert!(asks(&[message(Role::User, r#""hi""#)]));
        for nothing in [
            vec![],
            vec![result("c1")],
            vec![call(), result("c2")],
            vec![call()],
        ] {
            assert!(!asks(&nothing), "{nothing:?}");
        }
        let refused = RunTurn::try_from(RunTurnRequest::default()).unwrap_err();
        assert_eq!(refused, RequestError::NothingAsked);
    }
}
