//! `commands.list`: parse, ask, answer.

use gatehouse_proto::session::v1 as proto;
use gatehouse_proto::session::v1::command_service_server::CommandService;
use tonic::{Request, Response, Status};

use super::table::{COMMANDS, Command};
use crate::error::Error;
use crate::sessions::SessionRef;
use crate::turns::Engine;

/// The methods about commands.
#[derive(Debug)]
pub(crate) struct CommandGrpc(Engine);

impl CommandGrpc {
    pub(crate) fn new(engine: Engine) -> Self {
        Self(engine)
    }

    fn list(&self, request: proto::ListCommandsRequest) -> Result<proto::ListCommandsResponse, Error> {
        let proto::ListCommandsRequest {
            session_key,
            agent_id,
            provider: _, // all channels have the same
            scope,
            include_args,
        } = request;
        let agents = &self.0.policy()?.agents;
        if let Some(id) = &agent_id {
            agents.named(id)?;
        }
        if let Some(key) = session_key {
            SessionRef::new(key, agent_id).key(agents)?;
        }
        if scope.is_some_and(|scope| !["text", "native", "both"].contains(&scope.as_str())) {
            return Err(Error::Field {
                path: "/scope",
                problem: "is not text, native or both",
            });
        }
        let with_arguments = include_args.unwrap_or(true);
        Ok(proto::ListCommandsResponse {
            commands: entries(with_arguments),
        })
    }
}

#[tonic::async_trait]
impl CommandService for CommandGrpc {
    async fn list_commands(
        &self,
        request: Request<proto::ListCommandsRequest>,
    ) -> Result<Response<proto::ListCommandsResponse>, Status> {
        Ok(Response::new(self.list(request.into_inner())?))
    }
}

/// All commands, as clients are told of them.
pub(crate) fn entries(with_arguments: bool) -> Vec<proto::CommandEntry> {
    let entries = COMMANDS.iter().map(|command| entry(command, with_arguments));
    entries.collect()
}

fn entry(command: &Command, with_arguments: bool) -> proto::CommandEntry {
    let name = command.name().to_owned();
    let arguments = command.argument.iter().filter(|_| with_arguments);
    proto::CommandEntry {
        native_name: Some(name.clone()),
        name,
        text_aliases: command.words.iter().map(|word| format!("/{word}")).collect(),
        description: command.about.to_owned(),
        category: Some(command.category.word().to_owned()),
        source: "native".to_owned(),
        scope: "both".to_owned(),
        accepts_args: command.argument.is_some(),
        args: arguments
            .map(|argument| proto::CommandArgument {
                name: argument.name.to_owned(),
                description: argument.about.to_owned(),
                r#type: "string".to_owned(),
                required: None,
                choices: argument
                    .choices
                    .iter()
                    .map(|word| proto::CommandChoice {
                        value: (*word).to_owned(),
                        label: (*word).to_owned(),
                    })
                    .collect(),
                dynamic: argument.dynamic.then_some(true),
            })
            .collect(),
    }
}
