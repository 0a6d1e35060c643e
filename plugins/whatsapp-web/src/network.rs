//! Where WhatsApp is.

use std::time::Duration;

use ureq::config::Config;
use whatsapp_rust::http::UreqHttpClient;

use crate::media::FILE_BYTES_MAX;

/// The largest answer of WhatsApp's files, in bytes: encrypted, they are a little longer.
const BODY_BYTES_MAX: u64 = FILE_BYTES_MAX + 1024 * 1024;

/// Where WhatsApp is: where WhatsApp Web is, with the version that it asks for.
#[derive(Clone, Debug, Default)]
pub struct Network {
    pub(crate) url: Option<String>,
    pub(crate) version: Option<(u32, u32, u32)>,
}

/// How long WhatsApp's files may take to be there, to begin an answer, and for a whole file: a thread waits for each.
const CONNECTED_WITHIN: Duration = Duration::from_secs(10);
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);
const WHOLE_WITHIN: Duration = Duration::from_secs(5 * 60);
/// What is read and written at once, in bytes.
const BUFFER_BYTES: usize = 16 * 1024;

fn client(https_only: bool) -> UreqHttpClient {
    let config = Config::builder()
        .https_only(https_only)
        .timeout_connect(Some(CONNECTED_WITHIN))
        .timeout_recv_response(Some(ANSWERED_WITHIN))
        .timeout_send_body(Some(WHOLE_WITHIN))
        .timeout_recv_body(Some(WHOLE_WITHIN))
        .input_buffer_size(BUFFER_BYTES)
        .output_buffer_size(BUFFER_BYTES)
        .build();
    UreqHttpClient::with_agent(config.into()).with_max_body_bytes(BODY_BYTES_MAX)
}

#[cfg(not(feature = "untrusted-server"))]
impl Network {
    /// How its files are reached.
    pub(crate) fn files() -> UreqHttpClient {
        client(true)
    }
}

#[cfg(feature = "untrusted-server")]
pub use stand_in::Plain;

#[cfg(feature = "untrusted-server")]
mod stand_in {
    use async_trait::async_trait;
    use whatsapp_rust::{
        http::{HttpClient, HttpRequest, HttpResponse, UreqHttpClient},
        wacore::net::{StreamingHttpResponse, UploadBody},
    };

    use super::{Network, client};

    impl Network {
        /// A stand-in at this address, which asks for no version.
        #[must_use]
        pub fn stand_in(url: impl Into<String>) -> Self {
            Self {
                url: Some(url.into()),
                version: Some((2, 3000, 1)),
            }
        }

        /// How its files are reached.
        #[must_use]
        pub fn files() -> Plain {
            Plain(client(false))
        }
    }

    /// Files of a stand-in: it has no certificate that anybody knows.
    pub struct Plain(UreqHttpClient);

    impl std::fmt::Debug for Plain {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Plain")
        }
    }

    fn plain(mut request: HttpRequest) -> HttpRequest {
        if let Some(rest) = request.url.strip_prefix("https://127.0.0.1:") {
            request.url = format!("http://127.0.0.1:{rest}");
        }
        request
    }

    #[async_trait]
    impl HttpClient for Plain {
        async fn execute(&self, request: HttpRequest) -> anyhow::Result<HttpResponse> {
            self.0.execute(plain(request)).await
        }

        fn supports_streaming(&self) -> bool {
            self.0.supports_streaming()
        }

        fn execute_streaming(&self, request: HttpRequest) -> anyhow::Result<StreamingHttpResponse> {
            self.0.execute_streaming(plain(request))
        }

        fn supports_upload_streaming(&self) -> bool {
            self.0.supports_upload_streaming()
        }

        fn execute_upload(
            &self,
            request: HttpRequest,
            body: UploadBody,
            length: u64,
        ) -> anyhow::Result<HttpResponse> {
            self.0.execute_upload(plain(request), body, length)
        }
    }
}
