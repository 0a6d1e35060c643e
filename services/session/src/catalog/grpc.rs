//! The contract's methods: parse, ask, answer.

use gatehouse_proto::session::v1::catalog_service_server::CatalogService;
use gatehouse_proto::session::v1::*;
use tonic::{Request, Response, Status};

use super::{absent, nodes};
use crate::error::Error;
use crate::key::AgentId;
use crate::nodes::Nodes;
use crate::sessions::SessionRef;
use crate::turns::Engine;
use crate::viewer::Viewer;
use crate::workspace::Workspaces;

#[derive(Debug)]
pub(crate) struct Grpc {
    engine: Engine,
    workspaces: Workspaces,
    nodes: Nodes,
}

impl Grpc {
    pub(crate) fn new(engine: Engine, workspaces: Workspaces, nodes: Nodes) -> Self {
        Self {
            engine,
            workspaces,
            nodes,
        }
    }

    /// An agent of the configuration; the default one when none is named.
    fn agent(&self, id: Option<&str>) -> Result<AgentId, Error> {
        let policy = self.engine.policy()?;
        Ok(match id {
            Some(id) => policy.agents.named(id)?,
            None => policy.agents.default_id()?.clone(),
        })
    }

    fn folder(&self, agent: &AgentId) -> String {
        self.workspaces.folder(agent).display().to_string()
    }

    async fn environments(&self) -> Result<ListEnvironmentsResponse, Status> {
        let nodes = self.nodes.known().await?;
        let nodes = nodes.into_iter().map(nodes::environment);
        Ok(ListEnvironmentsResponse {
            environments: std::iter::once(nodes::gateway()).chain(nodes).collect(),
        })
    }

    fn skills(&self, request: &GetSkillsStatusRequest) -> Result<GetSkillsStatusResponse, Error> {
        let agent = self.agent(request.agent_id.as_deref())?;
        let skills = self.nodes.skills_offered();
        Ok(GetSkillsStatusResponse {
            workspace_dir: self.folder(&agent),
            managed_skills_dir: String::new(),
            agent_id: agent.to_string(),
            skills: skills
                .into_iter()
                .map(|(node, skill)| nodes::skill(node.as_str(), skill))
                .collect(),
        })
    }
}

#[tonic::async_trait]
impl CatalogService for Grpc {
    async fn list_environments(
        &self,
        _: Request<ListEnvironmentsRequest>,
    ) -> Result<Response<ListEnvironmentsResponse>, Status> {
        self.environments().await.map(Response::new)
    }

    async fn get_skills_status(
        &self,
        request: Request<GetSkillsStatusRequest>,
    ) -> Result<Response<GetSkillsStatusResponse>, Status> {
        Ok(self.skills(&request.into_inner()).map(Response::new)?)
    }

    async fn search_skills(
        &self,
        _: Request<SearchSkillsRequest>,
    ) -> Result<Response<SearchSkillsResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn list_skill_library(
        &self,
        _: Request<ListSkillLibraryRequest>,
    ) -> Result<Response<ListSkillLibraryResponse>, Status> {
        Ok(Response::new(absent::skill_library()))
    }

    async fn get_hooks_status(
        &self,
        request: Request<GetHooksStatusRequest>,
    ) -> Result<Response<GetHooksStatusResponse>, Status> {
        let GetHooksStatusRequest { agent_id } = request.into_inner();
        let agent = self.agent(agent_id.as_deref())?;
        Ok(Response::new(GetHooksStatusResponse {
            workspace_dir: self.folder(&agent),
            ..Default::default()
        }))
    }

    async fn browse_plugins(
        &self,
        _: Request<BrowsePluginsRequest>,
    ) -> Result<Response<BrowsePluginsResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn get_memory_status(
        &self,
        request: Request<GetMemoryStatusRequest>,
    ) -> Result<Response<GetMemoryStatusResponse>, Status> {
        let GetMemoryStatusRequest { agent_id } = request.into_inner();
        let agent = self.agent(agent_id.as_deref())?;
        Ok(Response::new(absent::memory(agent.to_string())))
    }

    async fn get_web_search_status(
        &self,
        request: Request<GetWebSearchStatusRequest>,
    ) -> Result<Response<GetWebSearchStatusResponse>, Status> {
        let GetWebSearchStatusRequest { agent_id } = request.into_inner();
        let agent = self.agent(agent_id.as_deref())?;
        Ok(Response::new(absent::web_search(agent.to_string())))
    }

    async fn get_github_status(
        &self,
        request: Request<GetGithubStatusRequest>,
    ) -> Result<Response<GetGithubStatusResponse>, Status> {
        let GetGithubStatusRequest {
            agent_id,
            selected_scope,
        } = request.into_inner();
        let agent = self.agent(agent_id.as_deref())?;
        Ok(Response::new(absent::github(agent.to_string(), selected_scope)))
    }

    async fn list_themes(
        &self,
        _: Request<ListThemesRequest>,
    ) -> Result<Response<ListThemesResponse>, Status> {
        Ok(Response::new(absent::themes()))
    }

    async fn list_tool_catalog(
        &self,
        request: Request<ListToolCatalogRequest>,
    ) -> Result<Response<ListToolCatalogResponse>, Status> {
        let ListToolCatalogRequest { agent_id } = request.into_inner();
        let agent = self.agent(agent_id.as_deref())?;
        Ok(Response::new(absent::tools(agent.to_string())))
    }

    async fn list_effective_tools(
        &self,
        request: Request<ListEffectiveToolsRequest>,
    ) -> Result<Response<ListEffectiveToolsResponse>, Status> {
        let viewer = Viewer::of(&request);
        let ListEffectiveToolsRequest {
            session_key,
            agent_id,
        } = request.into_inner();
        let session = SessionRef::new(session_key, agent_id);
        let key = session.resolve(&self.engine, &viewer).await?;
        Ok(Response::new(absent::effective_tools(key.agent().to_string())))
    }

    async fn list_skill_proposals(
        &self,
        request: Request<ListSkillProposalsRequest>,
    ) -> Result<Response<ListSkillProposalsResponse>, Status> {
        let ListSkillProposalsRequest { agent_id } = request.into_inner();
        self.agent(agent_id.as_deref())?;
        Ok(Response::new(absent::skill_proposals(self.engine.now())))
    }

    async fn list_worktrees(
        &self,
        _: Request<ListWorktreesRequest>,
    ) -> Result<Response<ListWorktreesResponse>, Status> {
        Ok(Response::new(ListWorktreesResponse::default()))
    }

    async fn get_exec_approvals(
        &self,
        _: Request<GetExecApprovalsRequest>,
    ) -> Result<Response<GetExecApprovalsResponse>, Status> {
        Ok(Response::new(absent::exec_approvals()))
    }
}
