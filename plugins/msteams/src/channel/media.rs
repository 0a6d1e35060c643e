//! Files that people sent: from Microsoft's hosts alone, with the bot's token to the connector and to nobody else.

use futures::StreamExt;
use gatehouse_plugin_sdk::Fetched;
use tonic::Status;

use crate::{account::Account, connector::ConnectorError, service_url::FilePlace};

/// The bytes of a file, by the address that the activity named.
pub(super) async fn fetch(account: &Account, address: &str) -> Result<Fetched, Status> {
    let place = account.settings.services.hosts.file(address);
    let place =
        place.map_err(|error| Status::permission_denied(format!("the file is not fetched: {error}")))?;
    let (url, with_token) = match place {
        FilePlace::Connector(url) => (url, true),
        FilePlace::Open(url) => (url, false),
    };
    let answer = account.connector.file(url, with_token).await.map_err(status)?;
    let mime_type = answer
        .headers()
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let data = answer
        .bytes_stream()
        .map(|chunk| chunk.map_err(|_| Status::unavailable("the file broke off")));
    Ok(Fetched {
        mime_type,
        data: data.boxed(),
    })
}

fn status(error: ConnectorError) -> Status {
    match error {
        ConnectorError::Busy { reason, .. }
        | ConnectorError::Unreached(reason)
        | ConnectorError::Unknown(reason)
        | ConnectorError::Credential(reason) => Status::unavailable(reason),
        error @ ConnectorError::Refused {
            status: 404 | 410, ..
        } => Status::not_found(error.to_string()),
        error @ ConnectorError::Refused { .. } => Status::failed_precondition(error.to_string()),
    }
}
