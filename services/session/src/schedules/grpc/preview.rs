//! Where the answers of jobs would go if they ran now, in OpenClaw's words.

use gatehouse_proto::session::v1::CronDeliveryPreview;

use super::super::{Delivery, Job, Payload, Runner};
use super::seen::session_of;
use crate::error::Error;
use crate::key::SessionKey;
use crate::policy::Policy;

fn says(label: impl Into<String>, detail: impl Into<String>) -> CronDeliveryPreview {
    CronDeliveryPreview {
        label: label.into(),
        detail: detail.into(),
    }
}

impl Runner {
    /// `None`: it is not known before the job runs.
    pub(super) async fn preview(
        &self,
        job: &Job,
        policy: &Policy,
    ) -> Result<Option<CronDeliveryPreview>, Error> {
        let spec = &job.spec;
        let (channel, to) = match (&spec.delivery, &spec.payload) {
            (_, Payload::Heartbeat {}) => return Ok(None), // the configuration says where it goes
            (Some(Delivery::None { .. }), _) | (None, Payload::AgentTurn { .. }) => {
                return Ok(Some(says("not requested", "not requested")));
            }
            (Some(Delivery::Webhook { to }), _) => {
                return Ok(Some(says(format!("webhook:{to}"), "webhook")));
            }
            (Some(Delivery::Announce { channel, to, .. }), _) => (channel.as_deref(), to.as_deref()),
            (None, Payload::SystemEvent { .. }) => (None, None),
        };
        let channel = channel.filter(|channel| *channel != "last");
        let agent = match &spec.agent_id {
            Some(id) => policy.agents.named(id),
            None => policy.agents.default_id().cloned(),
        };
        let agent = match agent {
            Ok(agent) => agent,
            Err(error) => return Ok(Some(says("announce -> unresolved owner", error.to_string()))),
        };
        // A session that a run makes for itself has no chat yet.
        let named = session_of(job, policy);
        let key = named.clone().unwrap_or_else(|| SessionKey::main(&agent));
        Ok(match self.target(job, &agent, &key, policy).await? {
            Ok(target) => {
                let label = format!("announce -> {}:{}", target.channel, target.to);
                let detail = match (channel, named) {
                    (Some(_), _) => "explicit".to_owned(),
                    (None, Some(key)) => format!("resolved from last, session {key}"),
                    (None, None) => "resolved from last, main session".to_owned(),
                };
                Some(says(label, detail))
            }
            Err(None) => Some(says("not requested", "not requested")),
            Err(Some(problem)) => Some(match (channel, to) {
                (Some(channel), Some(to)) => says(format!("announce -> {channel}:{to}"), problem),
                (Some(channel), None) => says(format!("announce -> {channel}"), problem),
                (None, _) => says(
                    "announce -> last",
                    format!("last -> no route, will fail-closed: {problem}"),
                ),
            }),
        })
    }
}
