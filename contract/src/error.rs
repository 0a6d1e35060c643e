//! What can be wrong: with a contract, with a caller's message, with a service's answer.

use std::fmt;

use crate::{Access, PluginId};

/// Why descriptors cannot be used. The name of the element is always part of it.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// The bytes are not a descriptor set, or do not fit together.
    #[error("the descriptors cannot be read")]
    Descriptors(#[source] prost_reflect::DescriptorError),
    /// An option has a form that this version does not know.
    #[error("the options of {element} cannot be read")]
    Options {
        /// The full name of the element.
        element: String,
        /// What went wrong.
        #[source]
        source: prost::DecodeError,
    },
    /// A method or an event does not say who may use it.
    #[error("{element} does not declare its access")]
    NoAccess {
        /// The full name of the element.
        element: String,
    },
    /// Two methods or two events carry one name.
    #[error("{first} and {second} are both named '{name}'")]
    Duplicate {
        /// The name that clients would use.
        name: String,
        /// One of the two.
        first: String,
        /// The other.
        second: String,
    },
    /// A plugin declares a method or an event under a name that is taken.
    #[error("{plugin} may not take the name '{name}' of {owner}: rename it{}", if *.overridable {
        ", or list the name under the plugin's overrides"
    } else { "" })]
    Taken {
        /// The plugin.
        plugin: PluginId,
        /// The name.
        name: String,
        /// What has the name.
        owner: String,
        /// Whether an override would give it to the plugin.
        overridable: bool,
    },
    /// A plugin's method would let in callers whom the method that it overrides keeps out.
    #[error("{plugin} may not open '{name}' to {access}: the gateway's own method asks for {core}")]
    Lowered {
        /// The plugin.
        plugin: PluginId,
        /// The name.
        name: String,
        /// What the plugin's method asks of a caller.
        access: Access,
        /// What the overridden one asks.
        core: Access,
    },
    /// A plugin is registered with something that has no meaning.
    #[error("{plugin}: {problem}")]
    Registration {
        /// The plugin.
        plugin: PluginId,
        /// What is wrong.
        problem: String,
    },
    /// An element declares something that cannot be kept.
    #[error("{element}: {problem}")]
    Misdeclared {
        /// The full name of the element.
        element: String,
        /// What cannot be kept.
        problem: String,
    },
}

impl ContractError {
    pub(crate) fn misdeclared(element: &str, problem: impl Into<String>) -> Self {
        Self::Misdeclared {
            element: element.to_owned(),
            problem: problem.into(),
        }
    }
}

/// A caller's message that does not keep the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Where: a JSON pointer of lowerCamelCase names, for example `/sessions/3/key`. Empty for the message as a whole.
    pub path: String,
    /// What is wrong there, in words for a person.
    pub problem: String,
}

/// An answer or an event that cannot be shown: its bytes are not what its contract says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireError {
    /// Where, like [`FieldError::path`].
    pub path: String,
    /// What is wrong there.
    pub problem: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        place(f, &self.path, &self.problem)
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        place(f, &self.path, &self.problem)
    }
}

impl std::error::Error for FieldError {}
impl std::error::Error for WireError {}

fn place(f: &mut fmt::Formatter<'_>, path: &str, problem: &str) -> fmt::Result {
    let path = if path.is_empty() { "root" } else { path };
    write!(f, "at {path}: {problem}")
}
