//! What a run asks of the agent service: which models, what they are told, and what they see of the conversation.

use gatehouse_proto::agent::v1 as agent;
use tokio::task;

use super::super::asked::{self as program, Asked};
use super::super::context::ROWS_MAX;
use super::Run;
use crate::agents::{Agent, ModelName};
use crate::error::Error;

impl Run {
    /// What the message says goes before what its session says, and that before what the agent says.
    pub(super) async fn request(&mut self) -> Result<agent::RunTurnRequest, Error> {
        let policy = self.room.shared.policy().ok_or(Error::NotReady)?;
        let configured = policy.agents.of(&self.turn.key)?;
        let chosen = self
            .turn
            .model
            .clone()
            .or_else(|| self.session.model_override.clone());
        let models: Vec<ModelName> = match chosen {
            Some(model) => std::iter::once(model)
                .chain(configured.models.iter().skip(1).cloned())
                .collect(),
            None => configured.models.clone(),
        };
        let models: Vec<String> = models.into_iter().map(String::from).collect();
        let transcripts = &self.room.shared.stores.transcripts;
        let rows = transcripts.context(&self.turn.key, ROWS_MAX).await?;
        if self.summary.is_some() {
            let configured = configured.clone();
            return self.request_summary(models, &configured, rows).await;
        }
        let Asked {
            program,
            instructions,
            messages,
        } = program::asked(&self.turn, rows);
        let media = self.media_of(&messages, &models).await;
        let system_prompt = self.system_prompt(configured).await?;
        Ok(agent::RunTurnRequest {
            run_id: self.turn.run.to_string(),
            models,
            system_prompt: program::joined(system_prompt, instructions),
            program,
            messages,
            media,
            timeout_ms: self
                .turn
                .timeout_ms
                .filter(|ms| *ms > 0)
                .unwrap_or(configured.timeout_ms),
            agent_name: configured.display_name(),
            agent_id: Some(configured.id.to_string()),
            in_chat: self.turn.target.is_some(),
            thinking_level: self
                .turn
                .thinking
                .as_ref()
                .or(self.session.thinking_level.as_ref())
                .or(configured.thinking.as_ref())
                .cloned()
                .map(String::from),
        })
    }

    /// What the model is told before the conversation.
    async fn system_prompt(&self, agent: &Agent) -> Result<Option<String>, Error> {
        let workspaces = self.room.shared.workspaces.clone();
        let (id, configured) = (agent.id.clone(), agent.system_prompt.clone());
        task::spawn_blocking(move || workspaces.prompt(&id, configured.as_deref()))
            .await
            .map_err(Error::Engine)
    }
}
