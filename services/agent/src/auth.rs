//! `models.authStatus`: what there is to show to each provider.

use std::sync::Arc;

use gatehouse_core::{Clock, config::ConfigHandle};
use gatehouse_proto::agent::v1::{
    ApiKeyAuth, GetModelAuthStatusRequest, GetModelAuthStatusResponse, ProviderAuth,
    model_auth_service_server::ModelAuthService,
};
use tonic::{Request, Response, Status};

use crate::{config::Config, error::Error};

#[derive(Debug)]
pub(crate) struct Grpc {
    config: ConfigHandle<Arc<Config>>,
    clock: Clock,
}

impl Grpc {
    pub(crate) fn new(config: ConfigHandle<Arc<Config>>, clock: Clock) -> Self {
        Self { config, clock }
    }
}

#[tonic::async_trait]
impl ModelAuthService for Grpc {
    async fn get_model_auth_status(
        &self,
        _: Request<GetModelAuthStatusRequest>,
    ) -> Result<Response<GetModelAuthStatusResponse>, Status> {
        let revision = self.config.current().ok_or(Error::Starting)?;
        Ok(Response::new(GetModelAuthStatusResponse {
            ts: self.clock.now_ms(),
            providers: providers(&revision.value),
            provider_capabilities: Vec::new(),
        }))
    }
}

/// Every provider of the document: first those that can be asked.
fn providers(config: &Config) -> Vec<ProviderAuth> {
    let usable = config.providers.iter().map(|(id, provider)| {
        // Some servers take their key in a header of its own.
        let has_key = provider.api_key.is_some() || !provider.headers.is_empty();
        let api_key = has_key.then(|| ApiKeyAuth {
            source: "config".to_owned(),
        });
        named(id, "static", api_key, None)
    });
    let left_out = config
        .left_out
        .iter()
        .map(|(id, why)| named(id, "missing", None, Some(why.clone())));
    usable.chain(left_out).collect()
}

fn named(id: &str, status: &str, api_key: Option<ApiKeyAuth>, detail: Option<String>) -> ProviderAuth {
    ProviderAuth {
        provider: id.to_owned(),
        auth_provider: id.to_owned(),
        display_name: id.to_owned(),
        status: status.to_owned(),
        profiles: Vec::new(),
        api_key,
        detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_provider_says_whether_a_key_is_there_and_never_which() {
        let config: Config = serde_json::from_str(
            r#"{"models":{"providers":{
                "keyed":{"baseUrl":"http://h/v1","apiKey":"sk-1f9a8b7c6d5e"},
                "local":{"baseUrl":"http://127.0.0.1:11434/v1"}
            },"leftOut":{"broken":"models.providers.broken.apiKey: OPENAI_API_KEY is not set"}}}"#,
        )
        .unwrap();

        let all = providers(&config);

        let told: Vec<_> = all
            .iter()
            .map(|one| (one.provider.as_str(), one.status.as_str(), one.api_key.is_some()))
            .collect();
        assert_eq!(
            told,
            [
                ("keyed", "static", true),
                ("local", "static", false),
                ("broken", "missing", false)
            ]
        );
        assert!(!format!("{all:?}").contains("sk-1f9a8b7c6d5e"));
        assert!(
            all[2]
                .detail
                .as_deref()
                .is_some_and(|why| why.contains("OPENAI_API_KEY"))
        );
    }
}
