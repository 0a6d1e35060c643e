//! The keys that an issuer publishes, kept here. A token with a key that is not known is a reason to ask anew, but strangers send such
//! tokens as well: so it is asked once in a while and no more, whatever comes.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jsonwebtoken::DecodingKey;
use reqwest::Client;
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};
use url::Url;

use super::fetch;

/// Keys older than this are fetched anew. Microsoft takes keys back within days; SDKs that kept them for five days refused good tokens.
const FRESH_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// Between two fetches, whatever happens: a new key is known half a minute later at worst, and a flood costs Microsoft two requests a minute.
const ASKED_EVERY: Duration = Duration::from_secs(30);
/// More keys than this are not an issuer's. The Bot Framework has about 15.
const KEYS_MAX: usize = 256;

/// Where the keys stand.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// A document says where, and who it is about.
    Metadata { url: Url, issuer: String },
    /// Here.
    Keys(Url),
}

/// One key.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) key: DecodingKey,
    /// The channels that it may speak for. `None`: it says nothing of channels.
    pub(super) endorsements: Option<Vec<String>>,
}

/// What is known, and since when.
#[derive(Debug, Default)]
struct Known {
    keys: HashMap<String, Arc<Key>>,
    fetched: Option<Instant>,
    asked: Option<Instant>,
}

/// Why there is no key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The issuer has none of this name.
    Unknown,
    /// Nobody can tell now.
    Unreachable(String),
}

/// The keys of one issuer.
#[derive(Debug)]
pub(super) struct Keys {
    http: Client,
    place: Place,
    known: Mutex<Known>,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<serde_json::Value>,
}

/// A key as it is published. Those of other kinds are passed over.
#[derive(Deserialize)]
struct PublishedKey {
    kid: String,
    kty: String,
    n: String,
    e: String,
    endorsements: Option<Vec<String>>,
}

impl Keys {
    pub(super) fn new(http: Client, place: Place) -> Self {
        Self {
            http,
            place,
            known: Mutex::default(),
        }
    }

    /// The key of this name. Whoever comes while it is fetched waits for the same answer.
    pub(super) async fn get(&self, kid: &str) -> Result<Arc<Key>, NoKey> {
        let mut known = self.known.lock().await;
        let now = Instant::now();
        let found = known.keys.get(kid).cloned();
        let fresh = known.fetched.is_some_and(|at| now - at < FRESH_FOR);
        if fresh && let Some(key) = found {
            return Ok(key);
        }
        if known.asked.is_some_and(|at| now - at < ASKED_EVERY) {
            // A key that is a little too old is better than none while Microsoft cannot be reached.
            return found.ok_or_else(|| match known.fetched {
                Some(_) => NoKey::Unknown,
                None => NoKey::Unreachable("its keys could not be fetched a moment ago".into()),
            });
        }
        known.asked = Some(now);
        match self.fetch().await {
            Ok(keys) => {
                known.keys = keys;
                known.fetched = Some(now);
                known.keys.get(kid).cloned().ok_or(NoKey::Unknown)
            }
            Err(reason) => found.ok_or(NoKey::Unreachable(reason)),
        }
    }

    async fn fetch(&self) -> Result<HashMap<String, Arc<Key>>, String> {
        let url = match &self.place {
            Place::Keys(url) => url.clone(),
            Place::Metadata { url, issuer } => {
                let metadata: Metadata = fetch::json(&self.http, url.clone()).await?;
                let keys = Url::parse(&metadata.jwks_uri)
                    .ok()
                    .filter(|keys| metadata.issuer == *issuer && keys.origin() == url.origin());
                keys.ok_or_else(|| format!("{url} is about another issuer, or keeps its keys elsewhere"))?
            }
        };
        let published: Published = fetch::json(&self.http, url).await?;
        let keys = published.keys.into_iter().take(KEYS_MAX).filter_map(key);
        Ok(keys.collect())
    }
}

fn key(published: serde_json::Value) -> Option<(String, Arc<Key>)> {
    let published: PublishedKey = serde_json::from_value(published).ok()?;
    if published.kty != "RSA" {
        return None;
    }
    let key = DecodingKey::from_rsa_components(&published.n, &published.e).ok()?;
    let endorsements = published.endorsements;
    Some((published.kid, Arc::new(Key { key, endorsements })))
}
