//! Whose tokens are believed, and where their keys are published.

use url::Url;

/// Where the issuers of one cloud are. A test puts its own in their place.
#[derive(Clone, Debug)]
pub struct Issuers {
    /// The `iss` of the service that brings messages of Teams.
    pub bot_framework: String,
    /// Where it says which keys it has.
    pub bot_framework_metadata: Url,
    /// Where tenants are, for example `https://login.microsoftonline.com/`.
    pub login: Url,
    /// The beginning of an Entra issuer of version 1, for example `https://sts.windows.net/`.
    pub entra_v1: String,
}

/// An address of ours, written below.
fn constant(url: &str) -> Url {
    Url::parse(url).expect("a URL")
}

impl Issuers {
    /// Those of Microsoft's public cloud.
    #[must_use]
    pub fn public() -> Self {
        Self {
            bot_framework: "https://api.botframework.com".into(),
            bot_framework_metadata: constant(
                "https://login.botframework.com/v1/.well-known/openidconfiguration",
            ),
            login: constant("https://login.microsoftonline.com/"),
            entra_v1: "https://sts.windows.net/".into(),
        }
    }

    /// Those of the cloud of the government of the United States.
    #[must_use]
    pub fn us_government() -> Self {
        Self {
            bot_framework: "https://api.botframework.us".into(),
            bot_framework_metadata: constant(
                "https://login.botframework.azure.us/v1/.well-known/openidconfiguration",
            ),
            login: constant("https://login.microsoftonline.us/"),
            entra_v1: "https://sts.windows.net/".into(),
        }
    }

    /// The issuers of tokens that the tenant gives out: of version 1 and of version 2.
    pub(super) fn entra(&self, tenant: &str) -> [String; 2] {
        [
            format!("{}{tenant}/", self.entra_v1),
            format!("{}{tenant}/v2.0", self.login),
        ]
    }

    /// Where a tenant says which keys it has.
    pub(super) fn entra_keys(&self, tenant: &str) -> Option<Url> {
        self.login.join(&format!("{tenant}/discovery/v2.0/keys")).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Issuers;

    #[test]
    fn each_cloud_has_issuers_of_its_own() {
        let (public, government) = (Issuers::public(), Issuers::us_government());

        assert_eq!(
            public.entra("t-1"),
            [
                "https://sts.windows.net/t-1/",
                "https://login.microsoftonline.com/t-1/v2.0"
            ]
        );
        assert_eq!(
            government.entra_keys("t-1").expect("a URL").as_str(),
            "https://login.microsoftonline.us/t-1/discovery/v2.0/keys"
        );
        assert_ne!(public.bot_framework, government.bot_framework);
    }
}
