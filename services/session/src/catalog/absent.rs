//! What Gatehouse has none of, in the shapes that clients read.

use gatehouse_core::Timestamp;
use gatehouse_proto::session::v1::*;

/// How many skills of a library a session may have: OpenClaw's figure. Pages show it beside the list.
const LIBRARY_SELECTION: u32 = 64;
const NO_MEMORY_SEARCH: &str =
    "memory cannot be searched on this gateway: the agent's file MEMORY.md is told to its model whole";
const NO_WEB_SEARCH: &str = "no agent of this gateway can search the web";
/// What stands where OpenClaw names the list of commands that may run on the gateway.
const NO_COMMANDS: &str = "none: this gateway runs no commands on its own machine";

pub(super) fn skill_library() -> ListSkillLibraryResponse {
    ListSkillLibraryResponse {
        default_target: "workspace".into(),
        default_selection_limit: LIBRARY_SELECTION,
        ..ListSkillLibraryResponse::default()
    }
}

pub(super) fn memory(agent_id: String) -> GetMemoryStatusResponse {
    GetMemoryStatusResponse {
        agent_id,
        search_runtime_registered: false,
        embedding: Some(EmbeddingStatus {
            ok: false,
            error: NO_MEMORY_SEARCH.into(),
        }),
    }
}

pub(super) fn web_search(agent_id: String) -> GetWebSearchStatusResponse {
    GetWebSearchStatusResponse {
        enabled: false,
        agent_id,
        providers: Vec::new(),
        route: Some(WebSearchRoute {
            kind: "disabled".into(),
            label: "No web search".into(),
            reason: NO_WEB_SEARCH.into(),
            testable: false,
        }),
    }
}

pub(super) fn github(agent_id: String, scope: String) -> GetGithubStatusResponse {
    let nobody = GithubIdentity {
        source: "system-detected".into(),
        credential_kind: "native".into(),
        credential_state: "unavailable".into(),
        account: None,
        git_author: Some(GithubAuthor::default()),
        evidence: "none".into(),
        access_expires_at_ms: None,
        refresh_state: "not_applicable".into(),
        oauth_scopes: Vec::new(),
        repository_grants: "unknown".into(),
    };
    GetGithubStatusResponse {
        agent_id,
        selected_scope: scope.clone(),
        selected: Some(GithubSelection {
            scope,
            configured: false,
            identity: Some(nobody.clone()),
        }),
        effective: Some(nobody),
    }
}

/// The look that OpenClaw's page has when nobody chose another one.
pub(super) fn themes() -> ListThemesResponse {
    ListThemesResponse {
        current: Some(ChosenTheme {
            id: "claw".into(),
            mode: "system".into(),
            scope: "gateway".into(),
            overrides: "{}".into(),
        }),
        theme: Some(Theme {
            id: "claw".into(),
            name: "Claw".into(),
            source: "builtin".into(),
            modes: vec!["light".into(), "dark".into()],
        }),
        themes: Vec::new(),
    }
}

pub(super) fn tools(agent_id: String) -> ListToolCatalogResponse {
    ListToolCatalogResponse {
        agent_id,
        ..ListToolCatalogResponse::default()
    }
}

pub(super) fn effective_tools(agent_id: String) -> ListEffectiveToolsResponse {
    ListEffectiveToolsResponse {
        agent_id,
        profile: "none".into(),
        groups: Vec::new(),
    }
}

pub(super) fn skill_proposals(now: Timestamp) -> ListSkillProposalsResponse {
    ListSkillProposalsResponse {
        schema: "openclaw.skill-workshop.proposals-manifest.v1".into(), // by which pages know the form
        updated_at: jiff::Timestamp::from_millisecond(now.as_ms())
            .unwrap_or_default()
            .to_string(),
        proposals: Vec::new(),
    }
}

pub(super) fn exec_approvals() -> GetExecApprovalsResponse {
    let denied = ExecDefaults {
        security: "deny".into(),
        ask: "off".into(),
        ask_fallback: "deny".into(),
    };
    GetExecApprovalsResponse {
        path: NO_COMMANDS.into(),
        exists: false,
        hash: "none".into(),
        file: Some(ExecApprovals {
            version: 1,
            defaults: Some(denied.clone()),
            agents: "{}".into(),
        }),
        resolved_defaults: Some(denied),
    }
}
