//! What nodes bring: the machines they are, and the skills they offer.

use gatehouse_proto::node::v1 as node;
use gatehouse_proto::session::v1::{Environment, SkillNeeds, SkillStatus};

/// Commands of one machine that are told: as many as the published protocol has room for.
const COMMANDS_MAX: usize = 128;

/// The machine that the gateway itself runs on.
pub(super) fn gateway() -> Environment {
    Environment {
        id: "gateway".into(),
        r#type: "local".into(),
        label: "This gateway".into(),
        status: "available".into(),
        platform: Some(std::env::consts::OS.into()),
        trust: "persistent".into(),
        capabilities: vec!["agent.run".into(), "sessions".into()],
        ..Environment::default()
    }
}

pub(super) fn environment(node: node::Node) -> Environment {
    let label = node.display_name.unwrap_or_else(|| node.node_id.clone());
    Environment {
        id: format!("node:{}", node.node_id),
        r#type: "node".into(),
        label,
        status: if node.connected {
            "available"
        } else {
            "unavailable"
        }
        .into(),
        platform: node.platform,
        session_host: false,
        trust: "persistent".into(),
        capabilities: node.caps,
        invocable_commands: node.commands.into_iter().take(COMMANDS_MAX).collect(),
        last_connected_at_ms: node.last_connected_at_ms,
        last_disconnected_at_ms: node.last_disconnected_at_ms,
        last_seen_at_ms: node.last_seen_at_ms,
        last_seen_reason: node.last_seen_reason,
    }
}

pub(super) fn skill(node: &str, skill: node::NodeSkill) -> SkillStatus {
    let base = format!("node:{node}");
    let path = format!("{base}/{}", skill.name);
    SkillStatus {
        name: skill.name,
        description: skill.description,
        source: "node".into(),
        file_path: path.clone(),
        base_dir: base,
        skill_key: path,
        eligible: true,
        requirements: Some(SkillNeeds::default()),
        missing: Some(SkillNeeds::default()),
        ..SkillStatus::default()
    }
}
