//! Plain HTTP requests, as a platform or a probe makes them.

/// A client of its own.
///
/// # Panics
/// When the machine has no TLS roots at all.
#[must_use]
pub fn client() -> reqwest::Client {
    // The first caller chooses for the process; a later one finds it chosen.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// Gets a page.
///
/// # Errors
/// When nobody answers.
pub async fn get(url: &str) -> reqwest::Result<reqwest::Response> {
    client().get(url).send().await
}
