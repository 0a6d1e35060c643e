//! What the gateway is told of the plugin: `gatehouse.plugin.v1.ManifestService`.

use gatehouse_proto::plugin::v1::{
    ConfigureRequest, ConfigureResponse, DescribeRequest, DescribeResponse,
    manifest_service_server::ManifestService,
};
use serde_json::{Map, Value};
use tonic::{Request, Response, Status};

/// Everything is an account's setting, under `channels`.
const NO_SETTINGS: &str = r#"{"type": "object", "properties": {}, "additionalProperties": false}"#;

/// What a plugin is whose settings all stand under its channel.
#[derive(Clone, Copy, Debug)]
pub struct Manifest {
    title: &'static str,
    version: &'static str,
    descriptors: &'static [u8],
}

impl Manifest {
    /// A plugin that people call so, of this version (`env!("CARGO_PKG_VERSION")`).
    #[must_use]
    pub const fn new(title: &'static str, version: &'static str) -> Self {
        Self {
            title,
            version,
            descriptors: &[],
        }
    }

    /// It has methods and events of its own: the encoded `FileDescriptorSet` of its contracts, with their options.
    #[must_use]
    pub const fn with(mut self, descriptors: &'static [u8]) -> Self {
        self.descriptors = descriptors;
        self
    }
}

#[tonic::async_trait]
impl ManifestService for Manifest {
    async fn describe(
        &self,
        _request: Request<DescribeRequest>,
    ) -> Result<Response<DescribeResponse>, Status> {
        Ok(Response::new(DescribeResponse {
            title: self.title.into(),
            version: self.version.into(),
            file_descriptor_set: self.descriptors.to_vec(),
            config_schema: NO_SETTINGS.into(),
        }))
    }

    async fn configure(
        &self,
        request: Request<ConfigureRequest>,
    ) -> Result<Response<ConfigureResponse>, Status> {
        let config = request.into_inner().config;
        let is_empty = matches!(config.trim(), "" | "null")
            || serde_json::from_str::<Map<String, Value>>(&config).is_ok_and(|map| map.is_empty());
        if is_empty {
            return Ok(Response::new(ConfigureResponse {}));
        }
        Err(Status::invalid_argument(
            "the plugin has no settings of its own: they stand under its channel in `channels`",
        ))
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_proto::plugin::v1::{ConfigureRequest, manifest_service_server::ManifestService};
    use tonic::{Code, Request};

    use super::Manifest;

    #[tokio::test]
    async fn settings_that_nobody_would_read_are_refused() {
        let manifest = Manifest::new("A platform", "1.0.0");
        let configure = |config: &str| {
            let config = config.to_owned();
            manifest.configure(Request::new(ConfigureRequest { config }))
        };

        for nothing in ["", " null", "{}"] {
            assert!(configure(nothing).await.is_ok(), "{nothing}");
        }
        let refused = configure(r#"{"token": "x"}"#).await.expect_err("refused");
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
}
