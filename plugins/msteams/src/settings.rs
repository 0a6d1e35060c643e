//! How an account is configured: what stands in `channels.msteams`.

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::{
    Secret,
    auth::{Identity, Issuers},
    connector::{Credential, Managed},
    service_url::Hosts,
};

/// Where Azure answers on a virtual machine for the machine's identity.
const MACHINE: &str = "http://169.254.169.254/metadata/identity/oauth2/token";

/// The JSON Schema of an account.
pub const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {
    "appId": { "type": "string", "pattern": "^[0-9A-Fa-f-]{36}$", "description": "The bot's Microsoft App ID." },
    "tenantId": { "type": "string", "pattern": "^[0-9A-Fa-f-]{36}$", "description": "The tenant that the bot belongs to." },
    "auth": { "enum": ["secret", "managedIdentity"], "description": "How the bot shows who it is. Unset: by its secret." },
    "clientSecret": { "type": "string", "minLength": 1, "description": "The value of a client secret of the app." },
    "cloud": { "enum": ["public", "usGovernment"], "description": "Unset: public." },
    "tenants": { "type": "array", "maxItems": 50, "items": { "type": "string", "pattern": "^[0-9A-Fa-f-]{36}$" },
      "description": "Further tenants whose people may write, beside the bot's own." },
    "callers": { "type": "array", "maxItems": 50, "items": { "type": "string", "pattern": "^[0-9A-Fa-f-]{36}$" },
      "description": "Apps of the own tenant whose tokens are believed, beside the bot's own." },
    "playground": { "type": "boolean", "description": "Microsoft's Agents Playground on this machine, without any sign-in." }
  },
  "additionalProperties": false
}"#;

/// As it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    app_id: Option<String>,
    tenant_id: Option<String>,
    auth: Option<Auth>,
    client_secret: Option<String>,
    cloud: Option<Cloud>,
    #[serde(default)]
    tenants: Vec<String>,
    #[serde(default)]
    callers: Vec<String>,
    #[serde(default)]
    playground: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Auth {
    #[default]
    Secret,
    ManagedIdentity,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Cloud {
    #[default]
    Public,
    UsGovernment,
}

/// Where the services of Microsoft are. A test puts its own in their place; no setting does.
#[derive(Clone, Debug)]
pub struct Services {
    /// Those who sign.
    pub issuers: Issuers,
    /// Those who are answered.
    pub hosts: Hosts,
    /// Whether it is the cloud of the government of the United States.
    pub us_government: bool,
}

/// What the machine says about its identity.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// `IDENTITY_ENDPOINT`.
    pub endpoint: Option<Url>,
    /// `IDENTITY_HEADER`.
    pub key: Option<Secret>,
}

/// Who may call: Microsoft with a token, or anybody on this machine.
#[derive(Clone, Debug)]
pub enum Callers {
    /// With a token for this bot.
    Signed(Identity),
    /// The Playground.
    Anybody,
}

/// How an account is configured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who may call.
    pub callers: Callers,
    /// How the bot shows who it is.
    pub credential: Credential,
    /// Where the services are.
    pub services: Services,
    /// The tenants whose people may write. Empty: the Playground has none.
    pub tenants: Vec<String>,
}

impl Settings {
    /// Reads them. `services` takes the place of Microsoft's, for a stand-in.
    ///
    /// # Errors
    /// When the account cannot work with them: a sentence for whoever wrote them.
    pub fn read(config: &str, machine: &Machine, services: Option<Services>) -> Result<Self, String> {
        // Not the value in the message: a secret may stand where it does not belong.
        let value: Value =
            serde_json::from_str(config).map_err(|_| "the account's settings are not JSON".to_owned())?;
        let written: Written = serde_json::from_value(value)
            .map_err(|_| "the account's settings are not as the schema has them".to_owned())?;
        let us_government = written.cloud.unwrap_or_default() == Cloud::UsGovernment;
        let services = services.unwrap_or_else(|| Services {
            issuers: if us_government {
                Issuers::us_government()
            } else {
                Issuers::public()
            },
            hosts: match (written.playground, us_government) {
                (true, _) => Hosts::playground(),
                (false, true) => Hosts::us_government(),
                (false, false) => Hosts::public(),
            },
            us_government,
        });
        if written.playground {
            return written.playground(services);
        }
        let app_id = guid(written.app_id.as_deref()).ok_or("set `appId`: the bot's Microsoft App ID")?;
        let tenant_id =
            guid(written.tenant_id.as_deref()).ok_or("set `tenantId`: the id of the bot's own tenant")?;
        let credential = match written.auth.unwrap_or_default() {
            Auth::Secret => Credential::Secret {
                token_url: services
                    .issuers
                    .login
                    .join(&format!("{tenant_id}/oauth2/v2.0/token"))
                    .map_err(|_| "`tenantId` is not one")?,
                app_id: app_id.clone(),
                secret: Secret::new(
                    written
                        .client_secret
                        .as_deref()
                        .filter(|secret| !secret.trim().is_empty())
                        .ok_or("set `clientSecret`, or `auth: \"managedIdentity\"`")?,
                ),
            },
            Auth::ManagedIdentity if written.client_secret.is_some() => {
                return Err("`clientSecret` is for `auth: \"secret\"`: take it out".into());
            }
            Auth::ManagedIdentity => Credential::Managed {
                client_id: app_id.clone(),
                place: managed(machine)?,
            },
        };
        let mut tenants = written.tenants;
        tenants.push(tenant_id.clone());
        Ok(Self {
            callers: Callers::Signed(Identity {
                app_id,
                tenant_id,
                callers: written.callers,
            }),
            credential,
            services,
            tenants: tenants.iter().map(|tenant| tenant.to_ascii_lowercase()).collect(),
        })
    }

    /// Whether people of this tenant may write.
    #[must_use]
    pub fn takes(&self, tenant: Option<&str>) -> bool {
        match (&self.callers, tenant) {
            (Callers::Anybody, _) => true,
            (Callers::Signed(_), Some(tenant)) => self.tenants.contains(&tenant.to_ascii_lowercase()),
            (Callers::Signed(_), None) => false,
        }
    }
}

impl Written {
    fn playground(self, services: Services) -> Result<Settings, String> {
        let is_bot = self.app_id.is_some()
            || self.tenant_id.is_some()
            || self.client_secret.is_some()
            || self.auth.is_some();
        if is_bot {
            return Err(
                "`playground` lets anybody on this machine in, and is refused beside a bot's `appId`, `tenantId`, `auth` or \
                 `clientSecret`: take one or the other out"
                    .into(),
            );
        }
        Ok(Settings {
            callers: Callers::Anybody,
            credential: Credential::None,
            services,
            tenants: Vec::new(),
        })
    }
}

fn managed(machine: &Machine) -> Result<Managed, String> {
    match (&machine.endpoint, &machine.key) {
        (Some(endpoint), Some(key)) => Ok(Managed::Service {
            endpoint: endpoint.clone(),
            key: key.clone(),
        }),
        (None, None) => Ok(Managed::Machine(
            Url::parse(MACHINE).map_err(|error| error.to_string())?,
        )),
        _ => {
            Err("IDENTITY_ENDPOINT and IDENTITY_HEADER come together: name both in the plugin's `env`".into())
        }
    }
}

/// The id of an app or a tenant: 36 signs, so that it is one segment of an address and nothing else.
fn guid(text: Option<&str>) -> Option<String> {
    let text = text?.trim();
    let is_guid = text.len() == 36 && text.bytes().all(|sign| sign.is_ascii_hexdigit() || sign == b'-');
    is_guid.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
