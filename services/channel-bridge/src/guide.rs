//! What a person needs to set an account up: where to click, what to copy from there, and whether it works. Each platform says it of
//! itself; `gatehouse channels add` asks for it and shows it.

use std::borrow::Cow;

use futures::future::BoxFuture;
use serde_json::Value;

use crate::platform::Platforms;

/// How an account of one platform is set up.
#[derive(Clone, Copy, Debug)]
pub struct Guide {
    /// What is to be done there, in order, each a sentence.
    pub steps: &'static [&'static str],
    /// What is copied from there.
    pub keys: &'static [Key],
    /// What to do once it is connected.
    pub then: &'static str,
}

/// Something that is copied from a platform into the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its key in the account.
    pub name: &'static str,
    /// Its name for a person.
    pub label: &'static str,
    /// Whether whoever knows it is the account: it is kept in a file of its own.
    pub is_secret: bool,
    /// The variable of the environment in which other tools look for it.
    pub variable: &'static str,
}

/// An account that works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Works {
    /// As whom it is known there.
    pub name: String,
    /// What is not as it should be, with what to do.
    pub notes: Vec<String>,
}

/// What came of trying an account.
pub type Trial = BoxFuture<'static, Result<Works, String>>;

/// A platform that can be set up.
#[derive(Clone, Copy, Debug)]
pub struct Offered {
    /// Its key under `channels`.
    pub channel: &'static str,
    /// Its name for a person.
    pub label: &'static str,
    /// How.
    pub guide: &'static Guide,
}

/// The platforms that can be set up.
#[must_use]
pub fn offered() -> Vec<Offered> {
    let platforms = Platforms::all();
    let offered = platforms.iter().filter_map(|entry| {
        let guide = entry.guide?;
        let (Cow::Borrowed(channel), Cow::Borrowed(label)) = (&entry.name, &entry.label) else {
            return None; // what is not compiled in has no guide of ours
        };
        Some(Offered {
            channel,
            label,
            guide,
        })
    });
    offered.collect()
}

/// Tries an account, as it is to stand in the configuration, with its secrets in place.
///
/// # Errors
/// What is wrong and what to do, in words for a person. Never holds a secret.
pub async fn try_account(channel: &str, account: &Value) -> Result<Works, String> {
    let platforms = Platforms::all();
    let entry = platforms
        .get(channel)
        .ok_or_else(|| format!("there is no channel {channel}"))?;
    let _ = rustls::crypto::ring::default_provider().install_default(); // the HTTP client asks for one
    (entry.trial)(account)?.await
}
