//! A channel that a plugin has described, as a platform: what an operator writes about an account of it, read and held against what
//! the plugin takes.

use std::{borrow::Cow, sync::Arc};

use gatehouse_core::plugin::{self, Trouble};
use gatehouse_document::{brought::BroughtAccount, wrong};
use serde::Deserialize;
use serde_json::Value;

use super::{Channel, account::PluginAdapter, untried};
use crate::{
    adapter::Rate,
    platform::{Connector, Entry, Reader},
};

/// Longest settings of one account, in bytes of JSON. The contract has the same bound.
const CONFIG_BYTES_MAX: usize = 256 * 1_024;

impl Channel {
    /// The channel as a platform.
    pub(super) fn entry(self: &Arc<Self>) -> Entry {
        let channel = Arc::clone(self);
        Entry {
            name: Cow::Owned(self.kind.clone()),
            label: Cow::Owned(self.label.clone()),
            answers: self.answers,
            guide: None,
            trial: untried,
            edition: self.edition.clone(),
            waits: None,
            isolation: None,
            reader: Reader(Arc::new(move |account| channel.read(account))),
        }
    }

    /// Reads an account: the keys that every channel has are the bridge's, the others are held against the plugin's schema.
    fn read(self: &Arc<Self>, account: &Value) -> Result<Connector, String> {
        let own = BroughtAccount::deserialize(account)
            .map_err(|_| "a key that every channel has is of the wrong type".to_owned())?;
        own.read().map_err(|found| wrong::told(&found))?;
        let mut settings = account.as_object().cloned().unwrap_or_default();
        settings.retain(|key, _| !BroughtAccount::KEYS.contains(&key.as_str()));
        let settings = Value::Object(settings);
        if let Some(schema) = &self.schema {
            plugin::check_settings(schema, &settings).map_err(|trouble| match trouble {
                Trouble::Settings(problem) => problem,
                other => other.to_string(),
            })?;
        }
        let settings = settings.to_string();
        if settings.len() > CONFIG_BYTES_MAX {
            return Err(format!("is longer than {CONFIG_BYTES_MAX} bytes"));
        }
        let mut limits = self.limits;
        limits.parts_max = own.answers.parts_max(limits.parts_max);
        limits.account_rate = own.common.rate_limit.map_or(limits.account_rate, Rate::from);
        let (channel, fetch_bytes_max) = (Arc::clone(self), own.files.bytes_max());
        Ok(Connector(Arc::new(move |deps| {
            Arc::new(PluginAdapter::new(
                Arc::clone(&channel),
                limits,
                settings.clone(),
                fetch_bytes_max,
                deps,
            ))
        })))
    }
}
