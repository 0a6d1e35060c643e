//! Who may call the plugin over gRPC: the gateway, which shows the digest of the plugin's own token, and nobody else.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tonic::{Request, Status, service::Interceptor};

use crate::Secret;

/// Lets the gateway in. [`crate::Server`] has one; whoever builds a server of their own puts it before every service.
#[derive(Clone)]
pub struct Guard {
    expected: String,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Guard")
    }
}

impl Guard {
    /// One for the plugin with this token.
    #[must_use]
    pub fn new(token: &Secret) -> Self {
        let digest = Sha256::digest(token.expose().trim().as_bytes());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            expected: format!("Bearer {hex}"),
        }
    }
}

impl Interceptor for Guard {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let shown = request
            .metadata()
            .get("authorization")
            .map(|value| value.as_bytes());
        let is_gateway = shown.is_some_and(|shown| shown.ct_eq(self.expected.as_bytes()).into());
        if is_gateway {
            Ok(request)
        } else {
            Err(Status::unauthenticated("only the gateway is served"))
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::{Code, Request, service::Interceptor};

    use super::Guard;
    use crate::Secret;

    #[test]
    fn whoever_shows_the_digest_of_the_token_is_the_gateway() {
        let mut guard = Guard::new(&Secret::new("token\n"));
        let mut ask = |shown: Option<&str>| {
            let mut request = Request::new(());
            if let Some(shown) = shown {
                let value = shown.parse().expect("metadata");
                request.metadata_mut().insert("authorization", value);
            }
            guard.call(request).map(drop).map_err(|status| status.code())
        };

        let digest = "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0";
        assert_eq!(ask(Some(&format!("Bearer {digest}"))), Ok(()));
        for wrong in [None, Some(""), Some("Bearer token"), Some(digest)] {
            assert_eq!(ask(wrong), Err(Code::Unauthenticated), "{wrong:?}");
        }
    }
}
