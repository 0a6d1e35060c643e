//! `gateway.http`: what programs may ask by HTTP that know OpenAI's API and not the gateway's own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What programs may ask by HTTP.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Http {
    /// Endpoints in the form of OpenAI's API, each with the gateway's own credentials and scopes. All are off unless they are switched
    /// on.
    pub endpoints: Endpoints,
}

/// Endpoints in the form of OpenAI's API.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Endpoints {
    /// `POST /v1/chat/completions`, and with it `GET /v1/models`.
    pub chat_completions: Endpoint,
    /// `POST /v1/responses`, and with it `GET /v1/models`.
    pub responses: Endpoint,
    /// `POST /v1/embeddings`.
    pub embeddings: Embeddings,
}

/// Vectors of texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Embeddings {
    /// Whether it is there.
    pub enabled: bool,
    /// `<provider>/<model>` that makes them. Unset: only requests that name one are answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// One of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Endpoint {
    /// Whether it is there.
    pub enabled: bool,
}
