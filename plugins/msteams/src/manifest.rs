//! What the gateway is told of the plugin: `gatehouse.plugin.v1.ManifestService`.

use gatehouse_proto::plugin::v1::{
    ConfigureRequest, ConfigureResponse, DescribeRequest, DescribeResponse,
    manifest_service_server::ManifestService,
};
use tonic::{Request, Response, Status};

use crate::contract::DESCRIPTORS;

/// Everything is an account's setting, under `channels.msteams`.
const NO_SETTINGS: &str = r#"{"type": "object", "properties": {}, "additionalProperties": false}"#;

/// The manifest.
#[derive(Clone, Copy, Debug)]
pub struct Manifest;

#[tonic::async_trait]
impl ManifestService for Manifest {
    async fn describe(
        &self,
        _request: Request<DescribeRequest>,
    ) -> Result<Response<DescribeResponse>, Status> {
        Ok(Response::new(DescribeResponse {
            title: "Microsoft Teams".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            file_descriptor_set: DESCRIPTORS.to_vec(),
            config_schema: NO_SETTINGS.into(),
        }))
    }

    async fn configure(
        &self,
        request: Request<ConfigureRequest>,
    ) -> Result<Response<ConfigureResponse>, Status> {
        let config = request.into_inner().config;
        let is_empty = matches!(config.trim(), "" | "null")
            || serde_json::from_str::<serde_json::Map<_, _>>(&config)
                .is_ok_and(|map: serde_json::Map<String, serde_json::Value>| map.is_empty());
        if is_empty {
            return Ok(Response::new(ConfigureResponse {}));
        }
        Err(Status::invalid_argument(
            "the plugin has no settings of its own: they stand under `channels.msteams`",
        ))
    }
}
