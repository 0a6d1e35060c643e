//! `agents.files.list`, `agents.files.get`, `agents.files.set`, and the same files as a folder: `agents.workspace.list`, `agents.workspace.get`.

use gatehouse_core::{Chain, Failure, Kind};
use gatehouse_proto::session::v1::workspace_service_server::WorkspaceService;
use gatehouse_proto::session::v1::*;
use tokio::task;
use tonic::{Request, Response, Status};

use super::{Found, Name, Workspaces, Written};
use crate::error::Error;
use crate::key::AgentId;
use crate::turns::Engine;

#[derive(Debug)]
pub(crate) struct Grpc {
    engine: Engine,
    workspaces: Workspaces,
}

/// How much of a file is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// That it is there.
    Listed,
    /// Its text as well.
    Whole,
}

impl Grpc {
    pub(crate) fn new(engine: Engine, workspaces: Workspaces) -> Self {
        Self { engine, workspaces }
    }

    /// An agent of the configuration: no other one has files.
    fn agent(&self, id: &str) -> Result<AgentId, Error> {
        Ok(self.engine.policy()?.agents.named(id)?)
    }

    fn folder(&self, agent: &AgentId) -> String {
        self.workspaces.folder(agent).display().to_string()
    }

    fn file(&self, agent: &AgentId, name: Name, found: Option<Found>, shown: Shown) -> AgentFile {
        let is_whole = shown == Shown::Whole;
        AgentFile {
            name: name.word().to_owned(),
            path: self.workspaces.path(agent, name).display().to_string(),
            missing: found.is_none(),
            size: found.as_ref().and_then(|found| i64::try_from(found.size).ok()),
            updated_at_ms: found.as_ref().map(|found| found.updated_at.as_ms()),
            hash: found.as_ref().filter(|_| is_whole).map(Found::hash),
            content: found.filter(|_| is_whole).map(|found| found.text),
        }
    }

    /// Does something with the disk, beside the threads that serve.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Workspaces) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, Status> {
        let workspaces = self.workspaces.clone();
        let done = task::spawn_blocking(move || work(&workspaces)).await;
        let done = done.map_err(|error| Failure::internal(&error))?;
        done.map_err(|error| {
            tracing::warn!(error = %Chain(&error), "a file of an agent cannot be read or written");
            let words = format!("the agent's file cannot be read or written: {error}");
            Failure::new(Kind::Precondition, words)
                .reason("FILE_UNUSABLE")
                .into()
        })
    }
}

/// Entries of a folder unless the caller says otherwise, and at most: OpenClaw's figures.
const ENTRIES: i64 = 250;
const ENTRIES_MAX: i64 = 500;

/// A path of a client, as it is written for one place: never one of the disk.
fn plain(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path)
}

fn not_there(what: &'static str) -> Status {
    let known: Vec<&str> = Name::ALL.into_iter().map(Name::word).collect();
    let words = format!(
        "{what} not found: the folder of an agent has no others in it, and of files those of {} that were written",
        known.join(", ")
    );
    Failure::new(Kind::NotFound, words)
        .reason("NO_SUCH_FILE")
        .path("/path")
        .into()
}

fn count(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

fn name_of(text: &str) -> Result<Name, Status> {
    Name::parse(text).ok_or_else(|| {
        let known: Vec<&str> = Name::ALL.into_iter().map(Name::word).collect();
        let words = format!("there is no such file; an agent can have: {}", known.join(", "));
        Failure::new(Kind::Invalid, words)
            .reason("NO_SUCH_FILE")
            .path("/name")
            .into()
    })
}

#[tonic::async_trait]
impl WorkspaceService for Grpc {
    async fn list_agent_files(
        &self,
        request: Request<ListAgentFilesRequest>,
    ) -> Result<Response<ListAgentFilesResponse>, Status> {
        let ListAgentFilesRequest { agent_id } = request.into_inner();
        let agent = self.agent(&agent_id)?;
        let whose = agent.clone();
        // One that cannot be read is there all the same: asking for it says why.
        let found = self
            .blocking(move |workspaces| {
                Ok(Name::ALL.map(|name| (name, workspaces.read(&whose, name).ok().flatten())))
            })
            .await?;
        let files = found
            .into_iter()
            .map(|(name, found)| self.file(&agent, name, found, Shown::Listed));
        Ok(Response::new(ListAgentFilesResponse {
            workspace: self.folder(&agent),
            files: files.collect(),
            agent_id: agent.to_string(),
        }))
    }

    async fn get_agent_file(
        &self,
        request: Request<GetAgentFileRequest>,
    ) -> Result<Response<GetAgentFileResponse>, Status> {
        let GetAgentFileRequest { agent_id, name } = request.into_inner();
        let (agent, name) = (self.agent(&agent_id)?, name_of(&name)?);
        let whose = agent.clone();
        let found = self
            .blocking(move |workspaces| workspaces.read(&whose, name))
            .await?;
        Ok(Response::new(GetAgentFileResponse {
            workspace: self.folder(&agent),
            file: Some(self.file(&agent, name, found, Shown::Whole)),
            agent_id: agent.to_string(),
        }))
    }

    async fn set_agent_file(
        &self,
        request: Request<SetAgentFileRequest>,
    ) -> Result<Response<SetAgentFileResponse>, Status> {
        let SetAgentFileRequest {
            agent_id,
            name,
            content,
            expected_hash,
        } = request.into_inner();
        let (agent, name) = (self.agent(&agent_id)?, name_of(&name)?);
        let whose = agent.clone();
        let written = self
            .blocking(move |workspaces| workspaces.write(&whose, name, &content, expected_hash.as_deref()))
            .await?;
        let found = match written {
            Written::Done(found) => found,
            Written::Changed => {
                let words = "the file changed since it was read: read it again with agents.files.get and make the change anew";
                return Err(Failure::new(Kind::Precondition, words)
                    .reason("FILE_CHANGED")
                    .path("/expectedHash")
                    .into());
            }
        };
        Ok(Response::new(SetAgentFileResponse {
            ok: true,
            workspace: self.folder(&agent),
            file: Some(self.file(&agent, name, Some(found), Shown::Whole)),
            agent_id: agent.to_string(),
        }))
    }

    async fn list_workspace(
        &self,
        request: Request<ListWorkspaceRequest>,
    ) -> Result<Response<ListWorkspaceResponse>, Status> {
        let ListWorkspaceRequest {
            agent_id,
            path,
            offset,
            limit,
        } = request.into_inner();
        let agent = self.agent(&agent_id)?;
        if !matches!(plain(path.as_deref().unwrap_or_default()), "" | ".") {
            return Err(not_there("workspace directory"));
        }
        let whose = agent.clone();
        let mut found = self
            .blocking(move |workspaces| {
                let read = |name| Some((name, workspaces.read(&whose, name).ok().flatten()?));
                Ok(Name::ALL.into_iter().filter_map(read).collect::<Vec<_>>())
            })
            .await?;
        found.sort_by_key(|(name, _)| name.word());
        let total = found.len();
        let offset = usize::try_from(offset.unwrap_or(0)).unwrap_or(total).min(total);
        let limit = usize::try_from(limit.unwrap_or(ENTRIES).min(ENTRIES_MAX)).unwrap_or(0);
        let entries = found.into_iter().skip(offset).take(limit);
        Ok(Response::new(ListWorkspaceResponse {
            agent_id: agent.to_string(),
            path: String::new(),
            entries: entries
                .map(|(name, found)| WorkspaceEntry {
                    path: name.word().to_owned(),
                    name: name.word().to_owned(),
                    kind: "file".to_owned(),
                    size: count(found.size),
                    updated_at_ms: found.updated_at.as_ms(),
                })
                .collect(),
            total_entries: i64::try_from(total).unwrap_or(i64::MAX),
            offset: i64::try_from(offset).unwrap_or(i64::MAX),
        }))
    }

    async fn get_workspace_file(
        &self,
        request: Request<GetWorkspaceFileRequest>,
    ) -> Result<Response<GetWorkspaceFileResponse>, Status> {
        let GetWorkspaceFileRequest { agent_id, path } = request.into_inner();
        let agent = self.agent(&agent_id)?;
        let name = Name::parse(plain(&path)).ok_or_else(|| not_there("workspace file"))?;
        let whose = agent.clone();
        let found = self
            .blocking(move |workspaces| workspaces.read(&whose, name))
            .await?;
        let found = found.ok_or_else(|| not_there("workspace file"))?;
        Ok(Response::new(GetWorkspaceFileResponse {
            agent_id: agent.to_string(),
            file: Some(WorkspaceFile {
                path: name.word().to_owned(),
                name: name.word().to_owned(),
                size: count(found.size),
                updated_at_ms: found.updated_at.as_ms(),
                mime_type: "text/plain".to_owned(),
                encoding: "utf8".to_owned(),
                content: found.text,
            }),
        }))
    }
}

#[cfg(test)]
mod tests;
