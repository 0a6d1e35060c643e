//! A small document of Microsoft's: bounded in time and bytes, without redirects.

use std::time::Duration;

use reqwest::{Client, redirect};
use serde::de::DeserializeOwned;
use url::Url;

/// How long Microsoft may take for a document. Teams gives up on us after 15 seconds, and two are fetched in a row.
const WITHIN: Duration = Duration::from_secs(5);
/// The keys of the Bot Framework are 20 KB, those of a tenant 10.
const BYTES_MAX: usize = 1024 * 1024;

/// A client that goes where it is told and nowhere else.
pub(super) fn client() -> Result<Client, String> {
    Client::builder()
        .redirect(redirect::Policy::none())
        .timeout(WITHIN)
        .user_agent(concat!("gatehouse-msteams/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| format!("the HTTP client cannot be built: {error}"))
}

/// Fetches a document.
pub(super) async fn json<T: DeserializeOwned>(http: &Client, url: Url) -> Result<T, String> {
    let place = url.host_str().unwrap_or_default().to_owned();
    let mut answer = http
        .get(url)
        .send()
        .await
        .map_err(|error| format!("{place} cannot be reached: {}", error.without_url()))?;
    if !answer.status().is_success() {
        return Err(format!("{place} answers {}", answer.status().as_u16()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer
        .chunk()
        .await
        .map_err(|error| format!("{place} broke off: {}", error.without_url()))?
    {
        if bytes.len() + chunk.len() > BYTES_MAX {
            return Err(format!("{place} sends more than {BYTES_MAX} bytes"));
        }
        bytes.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&bytes).map_err(|_| format!("{place} sends something else than its keys"))
}
