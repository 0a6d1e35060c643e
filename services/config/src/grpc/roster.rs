//! `agents.create`, `agents.update`, `agents.delete`.

use std::{path::PathBuf, sync::Arc};

use gatehouse_core::{Caller, Failure};
use gatehouse_proto::config::v1::{
    CreateAgentRequest, CreateAgentResponse, DeleteAgentRequest, DeleteAgentResponse, KeptFiles,
    UpdateAgentRequest, UpdateAgentResponse, agents_service_server::AgentsService,
};
use tonic::{Request, Response, Status};

use crate::{
    error::{Error, RosterError},
    pace::Pace,
    registry::Handle,
    roster::{Change, Done, Model, Said},
};

/// The one way of running agents, in OpenClaw's word for it.
const RUNTIME: &str = "auto";

#[derive(Debug)]
pub(crate) struct Grpc {
    handle: Handle,
    pace: Arc<Pace>,
    /// Where the folders of agents' files are, each under the id of its agent.
    workspaces: PathBuf,
}

impl Grpc {
    pub(crate) fn new(handle: Handle, pace: Arc<Pace>, workspaces: PathBuf) -> Self {
        Self {
            handle,
            pace,
            workspaces,
        }
    }

    async fn change<T>(
        &self,
        request: &Request<T>,
        method: &'static str,
        change: Change,
    ) -> Result<Done, Status> {
        let caller = Caller::from_request(request);
        self.pace.count(caller.as_ref(), method).map_err(refuse)?;
        self.handle.change_roster(change).await.map_err(refuse)
    }

    /// The folder of an agent, as a client is told.
    fn workspace(&self, id: &str) -> String {
        self.workspaces.join(id).display().to_string()
    }

    /// Refuses any other folder than the agent's own.
    fn ensure_own(&self, id: Option<String>, workspace: Option<&str>) -> Result<(), Status> {
        let own = id.map(|id| self.workspace(&id));
        match (workspace, own) {
            (Some(asked), Some(own)) if asked.trim().trim_end_matches('/') != own => Err(field(
                "/workspace",
                format!(
                    "another folder can only be given by editing the document; leave it out, and it is {own}"
                ),
            )),
            _ => Ok(()),
        }
    }
}

#[tonic::async_trait]
impl AgentsService for Grpc {
    async fn create_agent(
        &self,
        request: Request<CreateAgentRequest>,
    ) -> Result<Response<CreateAgentResponse>, Status> {
        let CreateAgentRequest {
            name,
            workspace,
            model,
            emoji,
            avatar,
        } = request.get_ref().clone();
        let name = name.trim().to_owned();
        self.ensure_own(gatehouse_document::agents::normal_id(&name), workspace.as_deref())?;
        let said = Said {
            name: None,
            model: model.clone().map(Model::First),
            emoji: emoji.filter(|text| !text.trim().is_empty()),
            avatar: avatar.filter(|text| !text.trim().is_empty()),
        };
        let change = Change::Create {
            name: name.clone(),
            said,
        };
        let done = self.change(&request, "agents.create", change).await?;
        Ok(Response::new(CreateAgentResponse {
            ok: true,
            workspace: self.workspace(&done.id),
            agent_id: done.id,
            name,
            model,
        }))
    }

    async fn update_agent(
        &self,
        request: Request<UpdateAgentRequest>,
    ) -> Result<Response<UpdateAgentResponse>, Status> {
        let UpdateAgentRequest {
            agent_id,
            name,
            workspace,
            model,
            emoji,
            avatar,
            agent_runtime,
            null_fields,
        } = request.get_ref().clone();
        self.ensure_own(
            gatehouse_document::agents::normal_id(&agent_id),
            workspace.as_deref(),
        )?;
        if agent_runtime.is_some_and(|runtime| runtime != RUNTIME) {
            return Err(field(
                "/agentRuntime",
                format!("is not one that Gatehouse has: only {RUNTIME:?}"),
            ));
        }
        let is_null = |name: &str| null_fields.iter().any(|field| field == name);
        let said = Said {
            name,
            model: match model {
                Some(model) => Some(Model::First(model)),
                None => is_null("model").then_some(Model::Inherited),
            },
            emoji: emoji.or_else(|| is_null("emoji").then(String::new)),
            avatar: avatar.or_else(|| is_null("avatar").then(String::new)),
        };
        let change = Change::Update { id: agent_id, said };
        let done = self.change(&request, "agents.update", change).await?;
        Ok(Response::new(UpdateAgentResponse {
            ok: true,
            agent_id: done.id,
        }))
    }

    async fn delete_agent(
        &self,
        request: Request<DeleteAgentRequest>,
    ) -> Result<Response<DeleteAgentResponse>, Status> {
        let DeleteAgentRequest {
            agent_id,
            delete_files,
        } = request.get_ref().clone();
        let change = Change::Delete { id: agent_id };
        let done = self.change(&request, "agents.delete", change).await?;
        let kept = KeptFiles {
            path: self.workspace(&done.id),
            reason: "files that somebody wrote are taken away by hand".to_owned(),
        };
        Ok(Response::new(DeleteAgentResponse {
            ok: true,
            agent_id: done.id,
            removed_bindings: i64::try_from(done.removed_bindings).unwrap_or(i64::MAX),
            failed: (delete_files == Some(true)).then_some(kept).into_iter().collect(),
        }))
    }
}

fn field(path: &'static str, problem: String) -> Status {
    refuse(Error::Roster(RosterError::Field { path, problem }))
}

fn refuse(error: Error) -> Status {
    Failure::from(error).into()
}
