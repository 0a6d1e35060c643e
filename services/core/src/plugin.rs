//! Asking a plugin what it is: where it listens, what it declares, and whether it can run with its settings. The edge asks to let it in,
//! the command line to check one before.
//!
//! What a plugin sends is a stranger's: it is bounded in time, in bytes and in number, and the gateway's own files are never taken from it.

mod files;
mod reflection;

use std::time::Duration;

use gatehouse_proto::plugin::v1::{
    ConfigureRequest, DescribeRequest, DescribeResponse, manifest_service_client::ManifestServiceClient,
};
use jsonschema::PatternOptions;
use serde_json::Value;
use tokio::time::timeout;
use tonic::{Code, Status};

use self::files::Files;
use crate::{address::Address, client::Peer};

/// How the names of plugins' credentials begin in the table of credentials; the plugin's id follows.
pub const CREDENTIAL: &str = "plugin/";

/// How long a plugin may take to say what it is, with all questions. An interpreter that loads its modules at the first call takes a second.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Largest descriptors of a plugin, with what they import, in bytes: the gateway's own, with all comments, have half of it.
pub const DESCRIPTORS_BYTES_MAX: usize = 1_024 * 1_024;

/// Longest words of a plugin that are repeated to people.
const WORDS_CHARS_MAX: usize = 300;

/// Why a text is no place where a plugin may listen.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EndpointError {
    /// TLS.
    #[error("`https` is not offered: let the plugin listen on this machine, or put a tunnel between the two")]
    Encrypted,
    /// A relative path means something else in each process.
    #[error("the path of a socket must be absolute: `unix:/run/kitchen.sock`")]
    Relative,
    /// Something else.
    #[error("must be `host:port`, `http://host:port` or `unix:/path/to.sock`")]
    Unreadable,
}

/// Where a plugin listens, as the configuration says it.
///
/// # Errors
/// When it is no such place.
pub fn address(endpoint: &str) -> Result<Address, EndpointError> {
    let text = endpoint.trim();
    if text.starts_with("https:") {
        return Err(EndpointError::Encrypted);
    }
    let text = match text.strip_prefix("http://") {
        Some(rest) => rest.strip_suffix('/').unwrap_or(rest),
        None => text,
    };
    match text.parse::<Address>() {
        Ok(Address::Unix(path)) if path.is_relative() => Err(EndpointError::Relative),
        Ok(address) => Ok(address),
        Err(_) => Err(EndpointError::Unreadable),
    }
}

/// Why a plugin cannot be let in.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Nobody is there.
    #[error("nobody answers at {0}: is the plugin running?")]
    Away(Address),
    /// It takes too long.
    #[error("it took longer than {} s to say what it offers", PATIENCE.as_secs())]
    Slow,
    /// It cannot be asked.
    #[error(
        "it offers no gRPC reflection, and no descriptors by gatehouse.plugin.v1.ManifestService/Describe: add one of them \
         (docs/plugins.md)"
    )]
    Silent,
    /// It sends more than is taken.
    #[error("its descriptors {0}")]
    Descriptors(String),
    /// It answers with an error.
    #[error("it failed when it was asked {0}")]
    Failed(String),
    /// It does not run with its settings.
    #[error("it refuses `config`: {0}")]
    Settings(String),
    /// It has settings and no way to be told them.
    #[error(
        "it cannot be told `config`, because it does not offer gatehouse.plugin.v1.ManifestService: take `config` out, or give it the \
         settings by `args` and `env`"
    )]
    Untold,
}

impl Trouble {
    /// Whether it is the same as if the plugin were not running.
    #[must_use]
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Away(_))
    }

    /// Whether the same process would be told the same again.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Silent | Self::Descriptors(_) | Self::Settings(_) | Self::Untold => true,
            Self::Away(_) | Self::Slow | Self::Failed(_) => false,
        }
    }
}

/// What a plugin is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// What people call it.
    pub title: Option<String>,
    /// Its own version.
    pub version: Option<String>,
    /// An encoded `FileDescriptorSet`, with all that it imports. Empty: it declares nothing.
    pub descriptors: Vec<u8>,
    /// The JSON Schema of its settings.
    pub config_schema: Option<String>,
    /// Whether it offers `gatehouse.plugin.v1.ManifestService`, and so can be told its settings.
    pub is_told: bool,
}

/// Asks a plugin what it is.
///
/// # Errors
/// When it is away, slow, or cannot be understood.
pub async fn describe(peer: &Peer, address: &Address) -> Result<Description, Trouble> {
    let asking = async {
        let told = told(peer, address).await?;
        let is_told = told.is_some();
        let DescribeResponse {
            title,
            version,
            file_descriptor_set,
            config_schema,
        } = told.unwrap_or_default();
        let files = if file_descriptor_set.is_empty() {
            match reflection::ask(peer, address).await {
                // It says what it is, and declares nothing: whether that will do is for who asks.
                Err(Trouble::Silent) if is_told => Files::default(),
                found => found?,
            }
        } else {
            Files::of_set(&file_descriptor_set).map_err(Trouble::Descriptors)?
        };
        Ok(Description {
            title: shown(&title),
            version: shown(&version),
            descriptors: files.encode().map_err(Trouble::Descriptors)?,
            config_schema: Some(config_schema).filter(|schema| !schema.is_empty()),
            is_told,
        })
    };
    timeout(PATIENCE, asking).await.unwrap_or(Err(Trouble::Slow))
}

/// Holds settings against the schema that a plugin brings.
///
/// # Errors
/// When they do not fit, or the schema is none.
pub fn check_settings(schema: &str, settings: &Value) -> Result<(), Trouble> {
    let refuse = |problem: String| Err(Trouble::Settings(words(&problem)));
    let Ok(schema) = serde_json::from_str::<Value>(schema) else {
        return refuse("the schema that the plugin brings is not JSON".to_owned());
    };
    // A pattern of the schema is matched in linear time.
    let options = jsonschema::options().with_pattern_options(PatternOptions::regex());
    let validator = match options.build(&schema) {
        Ok(validator) => validator,
        Err(error) => {
            return refuse(format!(
                "the schema that the plugin brings cannot be used: {error}"
            ));
        }
    };
    match validator.iter_errors(settings).next() {
        None => Ok(()),
        Some(error) => {
            // Not the value: a secret may have been written there.
            let place = error.instance_path().to_string();
            let place = if place.is_empty() { "/" } else { &place };
            refuse(format!("at {place}: {}", error.masked()))
        }
    }
}

/// Tells a plugin its settings, which are the JSON text of an object.
///
/// # Errors
/// When it does not run with them, is away or is slow.
pub async fn configure(peer: &Peer, address: &Address, config: String) -> Result<(), Trouble> {
    let mut client = ManifestServiceClient::new(peer.service());
    let telling = timeout(PATIENCE, client.configure(ConfigureRequest { config }));
    match telling.await.map_err(|_| Trouble::Slow)? {
        Ok(_) => Ok(()),
        Err(status) => match status.code() {
            Code::Unimplemented => Ok(()),
            Code::InvalidArgument => Err(Trouble::Settings(words(status.message()))),
            _ => Err(failed(&status, address, "to take its settings")),
        },
    }
}

/// What it says of itself. `None`: it does not.
async fn told(peer: &Peer, address: &Address) -> Result<Option<DescribeResponse>, Trouble> {
    let mut client = ManifestServiceClient::new(peer.service())
        .max_decoding_message_size(DESCRIPTORS_BYTES_MAX + 512 * 1_024);
    let request = DescribeRequest {
        gateway_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    match client.describe(request).await {
        Ok(answer) => Ok(Some(answer.into_inner())),
        Err(status) if status.code() == Code::Unimplemented => Ok(None),
        Err(status) if status.code() == Code::OutOfRange => Err(Trouble::Descriptors(files::too_large())),
        Err(status) => Err(failed(&status, address, "what it is")),
    }
}

/// What an error of a plugin means. Its own words are repeated, because whoever reads them has set it up.
fn failed(status: &Status, address: &Address, asked: &str) -> Trouble {
    let is_lost = std::error::Error::source(status).is_some();
    match status.code() {
        Code::Unavailable => Trouble::Away(address.clone()),
        Code::Unknown | Code::Cancelled if is_lost => Trouble::Away(address.clone()),
        Code::DeadlineExceeded => Trouble::Slow,
        code => {
            let said = words(status.message());
            Trouble::Failed(format!("{asked} ({code:?}): {said}"))
        }
    }
}

/// A name that people are shown. `None`: there is none.
fn shown(text: &str) -> Option<String> {
    let text = words(text.trim());
    (!text.is_empty()).then_some(text)
}

/// The beginning of a plugin's words, on one line.
fn words(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(WORDS_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
