//! Where the pages of the origin stand: the gateway's own, and a Control UI that an operator names; and what a path means to each. What
//! is served there is the business of `http`.

mod mount;
mod own;

pub(crate) use self::{
    mount::{Mount, Place},
    own::{ASSETS, FIXED, OwnPage},
};

/// Whether a path is written in the one form that all our paths have, so that what is in front of the gateway and what is in it
/// can never read one path in two ways.
pub(crate) fn is_canonical(path: &str) -> bool {
    let segment = |segment: &str| !segment.is_empty() && segment.bytes().any(|byte| byte != b'.');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~:@!$&'()*+,=".contains(&byte);
    path == "/"
        || path.strip_prefix('/').is_some_and(|rest| {
            // A segment of dots alone is a step up for somebody.
            rest.split('/').all(segment) && rest.bytes().all(plain)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_form() {
        for good in ["/", "/ws", "/rpc/chat.send", "/webhooks/webhook/home-1", "/a/..b"] {
            assert!(is_canonical(good), "{good}");
        }
        for bad in [
            "",
            "*",
            "//",
            "//rpc/status",
            "/rpc//status",
            "/rpc/status/",
            "/./rpc/status",
            "/a/../rpc/status",
            "/rpc/%73tatus",
            "/rpc/status%2f",
            "/%2e%2e/rpc",
            "/rpc/...",
            "/rpc\\status",
            "/rpc/st;a=b",
        ] {
            assert!(!is_canonical(bad), "{bad}");
        }
    }
}
