//! Plain HTTP requests, as a platform or a probe makes them.

use std::sync::OnceLock;

/// The client of this process. Making one reads the machine's certificates, which takes longer than a gateway needs to start.
///
/// # Panics
/// When the machine has no TLS roots at all.
#[must_use]
pub fn client() -> reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    let made = CLIENT.get_or_init(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A gateway restarts under the same address: a kept connection would be one to the gateway before.
        reqwest::Client::builder()
            .pool_max_idle_per_host(0)
            .build()
            .expect("TLS roots")
    });
    made.clone()
}

/// Gets a page.
///
/// # Errors
/// When nobody answers.
pub async fn get(url: &str) -> reqwest::Result<reqwest::Response> {
    client().get(url).send().await
}
