//! Whether a token opens the door.

use std::{collections::HashMap, sync::Arc};

use jsonwebtoken::{Algorithm, Validation, dangerous};
use serde::Deserialize;

use super::{
    fetch,
    issuer::Issuers,
    keys::{Keys, NoKey, Place},
    rs256,
};

/// How far clocks may differ: what Microsoft's own libraries allow.
const LEEWAY_SECONDS: u64 = 5 * 60;
/// Microsoft's tokens have about 1.5 KB.
const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// The channel whose messages come here.
pub(crate) const CHANNEL: &str = "msteams";

/// Who the bot is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The app's id: what tokens are made out for.
    pub app_id: String,
    /// The tenant that it belongs to.
    pub tenant_id: String,
    /// Apps of the tenant, beside the bot itself, whose tokens of Entra are believed.
    pub callers: Vec<String>,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Its token is not one for us.
    #[error("{0}")]
    Unauthorized(&'static str),
    /// Its token is in order and may not speak for Teams.
    #[error("{0}")]
    Forbidden(&'static str),
    /// Nobody can tell now.
    #[error("the keys of the issuer are not to be had: {0}")]
    Unavailable(String),
}

/// What a token that was believed says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The `serviceUrl` that it was made out for. Tokens of the Bot Framework always have one.
    pub service_url: Option<String>,
}

/// All that is read of a token.
#[derive(Deserialize)]
struct Said {
    tid: Option<String>,
    azp: Option<String>,
    appid: Option<String>,
    scp: Option<String>,
    /// In these letters alone, as Microsoft writes it.
    serviceurl: Option<String>,
}

#[derive(Deserialize)]
struct Issuer {
    iss: String,
}

/// Whose token it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The service that brings messages of Teams.
    BotFramework,
    /// The bot's own tenant.
    Entra,
}

/// Looks at tokens.
#[derive(Debug)]
pub struct Validator {
    identity: Identity,
    issuers: HashMap<String, (Kind, Arc<Keys>)>,
}

impl Validator {
    /// One for this bot.
    ///
    /// # Errors
    /// When an HTTP client cannot be made, or the tenant is not a part of a URL.
    pub fn new(identity: Identity, issuers: &Issuers) -> Result<Self, String> {
        rs256::install();
        let http = fetch::client()?;
        let bot_framework = Place::Metadata {
            url: issuers.bot_framework_metadata.clone(),
            issuer: issuers.bot_framework.clone(),
        };
        let tenant = issuers
            .entra_keys(&identity.tenant_id)
            .ok_or("the tenant's id is not one")?;
        let entra = Arc::new(Keys::new(http.clone(), Place::Keys(tenant)));
        let mut known = HashMap::from([(
            issuers.bot_framework.clone(),
            (Kind::BotFramework, Arc::new(Keys::new(http, bot_framework))),
        )]);
        for issuer in issuers.entra(&identity.tenant_id) {
            known.insert(issuer, (Kind::Entra, Arc::clone(&entra)));
        }
        Ok(Self {
            identity,
            issuers: known,
        })
    }

    /// Looks at the value of an `Authorization` header.
    ///
    /// # Errors
    /// When the request is not one of Microsoft's for this bot, or when nobody can tell.
    pub async fn check(&self, authorization: Option<&str>) -> Result<Claims, Refused> {
        let token = bearer(authorization.ok_or(Refused::Unauthorized("there is no token"))?)?;
        let header = jsonwebtoken::decode_header(token)
            .map_err(|_| Refused::Unauthorized("the token is not one, or of a kind that is not taken"))?;
        if header.alg != Algorithm::RS256 || header.crit.is_some() {
            return Err(Refused::Unauthorized("the token is not signed with RS256 alone"));
        }
        let kid = header
            .kid
            .ok_or(Refused::Unauthorized("the token names no key"))?;
        // Only to choose the keys: what the token says is believed once its signature is.
        let Issuer { iss } = dangerous::insecure_decode_claims(token)
            .map_err(|_| Refused::Unauthorized("the token names no issuer"))?;
        let (kind, keys) = self.issuers.get(&iss).ok_or(Refused::Unauthorized(
            "the token is of an issuer that is not believed",
        ))?;
        let key = keys.get(&kid).await.map_err(|error| match error {
            NoKey::Unknown => Refused::Unauthorized("the token's key is not one of its issuer's"),
            NoKey::Unreachable(reason) => Refused::Unavailable(reason),
        })?;

        let said = jsonwebtoken::decode::<Said>(token, &key.key, &self.validation(&iss))
            .map_err(|error| Refused::Unauthorized(why(error.kind())))?
            .claims;
        match kind {
            Kind::BotFramework => {
                let endorsed = key.endorsements.as_ref();
                if !endorsed.is_some_and(|channels| channels.iter().any(|channel| channel == CHANNEL)) {
                    return Err(Refused::Forbidden("the token's key may not speak for Teams"));
                }
                if said.serviceurl.is_none() {
                    return Err(Refused::Unauthorized("the token names no service URL"));
                }
            }
            Kind::Entra => self.caller(&said)?,
        }
        Ok(Claims {
            service_url: said.serviceurl,
        })
    }

    fn validation(&self, issuer: &str) -> Validation {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_audience(&[&self.identity.app_id]);
        validation.set_issuer(&[issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation
    }

    /// Every app of a tenant gets tokens for every other: the tenant's word alone says nothing about who calls.
    fn caller(&self, said: &Said) -> Result<(), Refused> {
        if said.tid.as_deref() != Some(&*self.identity.tenant_id) {
            return Err(Refused::Unauthorized("the token is of another tenant"));
        }
        if said.scp.is_some() {
            return Err(Refused::Unauthorized("the token is a person's, not an app's"));
        }
        let caller = said.azp.as_ref().or(said.appid.as_ref());
        let known = |caller: &String| {
            *caller == self.identity.app_id || self.identity.callers.iter().any(|app| app == caller)
        };
        if !caller.is_some_and(known) {
            return Err(Refused::Forbidden(
                "the token is of an app that `callers` does not list",
            ));
        }
        Ok(())
    }
}

/// The token of a header.
fn bearer(authorization: &str) -> Result<&str, Refused> {
    let (scheme, token) = authorization
        .split_once(' ')
        .ok_or(Refused::Unauthorized("there is no bearer token"))?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refused::Unauthorized("there is no bearer token"));
    }
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Refused::Unauthorized("the token is too long"));
    }
    Ok(token.trim())
}

fn why(kind: &jsonwebtoken::errors::ErrorKind) -> &'static str {
    use jsonwebtoken::errors::ErrorKind;
    match kind {
        ErrorKind::InvalidSignature => "the token's signature is wrong",
        ErrorKind::ExpiredSignature => "the token has expired: is this machine's clock right?",
        ErrorKind::ImmatureSignature => "the token is not valid yet: is this machine's clock right?",
        ErrorKind::InvalidAudience => "the token is for another bot: is `appId` right?",
        ErrorKind::InvalidIssuer => "the token is of an issuer that is not believed",
        _ => "the token is not in order",
    }
}
