//! A place in the document that holds a secret, and where references to secrets point.

use std::{borrow::Cow, collections::BTreeMap, fmt, path::PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A secret as the document gives it: the text itself, text with `${ENV_NAME}` in it, or a reference. It cannot be
/// printed; a key of this type is redacted in everything that leaves the config service.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SecretInput {
    /// The secret, or text with `${ENV_NAME}` in it.
    Text(String),
    /// Where the secret is.
    Reference(SecretReference),
}

impl SecretInput {
    /// The text. In what a service is sent, that is the secret itself, and there are no references.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Reference(_) => None,
        }
    }
}

impl fmt::Debug for SecretInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretReference {
    /// What kind of place.
    pub source: SecretSource,
    /// With `source: "file"`: the entry of `secrets.providers` that names the file. With `source: "env"`: accepted, has no
    /// effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// With `source: "env"`: the variable's name. With `source: "file"` and `provider`: a JSON pointer into the file, or
    /// `value` for a file that is the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// With `source: "file"` and no `provider`: the file, whose whole content is the secret. A relative path starts at the
    /// folder of the configuration file. A change that comes through a method can only name files within `secrets.dirs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathInput>,
}

/// What kind of place a secret is kept in. `exec` and `store` of OpenClaw are not supported yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecretSource {
    /// An environment variable of the config service.
    Env,
    /// A file that the config service can read.
    File,
}

impl JsonSchema for SecretInput {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SecretInput".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let reference = generator.subschema_for::<SecretReference>();
        json_schema!({ "anyOf": [{ "type": "string" }, reference], "x-sensitive": true })
    }
}

/// A file by its path. Every key that names a file or folder has this type: its place is known by the mark `x-path`, and
/// through a method it can only be set to what is within `secrets.dirs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PathInput {
    /// As people write it.
    Written(String),
    /// As a service is sent it. No document may say it so: the schema takes a text only.
    Whole {
        /// Absolute.
        path: PathBuf,
        /// The folder that the file has to stay within. Unset: it may be anywhere.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within: Option<PathBuf>,
    },
}

impl JsonSchema for PathInput {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "PathInput".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "x-path": true })
    }
}

/// Where secrets are kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Secrets {
    /// The folders whose files a change through a method may name, each itself and not by a link. A relative path starts at
    /// the folder of the configuration file. Unset: `secrets` in the data folder. Only set by editing the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-by-hand" = true))]
    pub dirs: Option<Vec<PathInput>>,
    /// Named places, for references that give a `provider`.
    pub providers: BTreeMap<String, SecretProvider>,
}

/// The environment of the config service.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Environment {
    /// The variables that a change through a method may name as a secret, besides those that begin with `GATEHOUSE_SECRET_`.
    /// Other names that begin with `GATEHOUSE_` are never among them. Only set by editing the file.
    #[schemars(extend("x-by-hand" = true))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
}

/// One named place.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretProvider {
    /// What kind of place.
    pub source: SecretSource,
    /// The file. A relative path starts at the folder of the configuration file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathInput>,
    /// How the file is read.
    #[serde(default)]
    pub mode: SecretFileMode,
}

/// How a file of secrets is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SecretFileMode {
    /// JSON; a reference's `id` is a JSON pointer, for example `/openai/apiKey`.
    #[default]
    Json,
    /// The whole file is one secret; a reference's `id` is `value`.
    SingleValue,
}
