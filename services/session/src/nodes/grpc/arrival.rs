//! A node that comes, as its request tells it.

use std::collections::{BTreeMap, BTreeSet};

use gatehouse_proto::node::v1::AttachNodeRequest;

use super::super::live::Arrival;
use super::super::{Error, Facts, NodeId, Surface};

/// Names of one kind that a node may declare: OpenClaw's nodes have some dozens.
const DECLARED_MAX: usize = 512;
/// The longest name of a capability, a command or a permission.
const NAME_BYTES_MAX: usize = 200;

impl TryFrom<AttachNodeRequest> for Arrival {
    type Error = Error;

    fn try_from(request: AttachNodeRequest) -> Result<Self, Error> {
        let AttachNodeRequest {
            node_id,
            connection_id,
            display_name,
            platform,
            version,
            core_version,
            ui_version,
            client_id,
            client_mode,
            device_family,
            model_identifier,
            remote_ip,
            caps,
            commands,
            permissions,
            path_env,
        } = request;
        if node_id.is_empty() || connection_id.is_empty() {
            return Err(Error::Field("/nodeId", "is empty"));
        }
        let names = |list: Vec<String>| -> BTreeSet<String> {
            list.iter()
                .map(|name| name.trim())
                .filter(|name| !name.is_empty() && name.len() <= NAME_BYTES_MAX)
                .take(DECLARED_MAX)
                .map(str::to_owned)
                .collect()
        };
        let permissions: BTreeMap<String, bool> = permissions
            .and_then(|json| gatehouse_core::json::read::<BTreeMap<String, serde_json::Value>>(&json).ok())
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(name, granted)| Some((name, granted.as_bool()?)))
            .collect();
        let facts = Facts {
            display_name,
            platform,
            version,
            core_version,
            ui_version,
            client_id,
            client_mode,
            device_family,
            model_identifier,
            remote_ip,
            path_env,
        };
        let declared = Surface {
            caps: names(caps),
            commands: names(commands)
                .into_iter()
                .filter(|command| !super::super::commands::is_worker(command))
                .collect(),
            permissions: permissions
                .into_iter()
                .filter(|(name, _)| name.len() <= NAME_BYTES_MAX)
                .take(DECLARED_MAX)
                .collect(),
        };
        Ok(Self {
            node: NodeId::new(node_id),
            connection: connection_id,
            facts,
            declared,
        })
    }
}
