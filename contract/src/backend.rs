//! Who serves a method: what its contract declares, so that nobody has to guess it from a name.

use std::{fmt, sync::Arc};

use crate::Identity;

/// Longest name of a plugin. It is shown in refusals and in logs.
const PLUGIN_ID_MAX: usize = 64;

/// Who serves a method.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BackendId {
    /// A process of the gateway.
    Core(Identity),
    /// A plugin.
    Plugin(PluginId),
}

impl fmt::Display for BackendId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Core(identity) => identity.fmt(f),
            Self::Plugin(plugin) => plugin.fmt(f),
        }
    }
}

/// The name under which a plugin is set up: lower-case letters, digits and dashes, at most 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PluginId(Arc<str>);

impl PluginId {
    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let clean = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let good = (1..=PLUGIN_ID_MAX).contains(&text.len()) && text.bytes().all(clean);
        good.then(|| Self(text.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PluginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugins_name_is_short_and_plain() {
        assert_eq!(
            PluginId::parse("kitchen-2").unwrap().to_string(),
            "plugin kitchen-2"
        );
        let long = "x".repeat(65);
        for bad in ["", "Kitchen", "a b", "../x", "a/b", "k\u{fc}che", &long] {
            assert_eq!(PluginId::parse(bad), None, "{bad}");
        }
    }
}
