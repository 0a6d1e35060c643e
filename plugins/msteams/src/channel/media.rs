//! Files that people sent: from Microsoft's hosts alone, with the bot's token to the connector and to nobody else.

use futures::{StreamExt, stream, stream::BoxStream};
use gatehouse_proto::channel::v1::FetchMediaResponse;
use reqwest::Response;
use tonic::Status;

use crate::{account::Account, connector::ConnectorError, service_url::FilePlace};

/// The largest file, in bytes, whatever the gateway takes: it has a bound of its own, which is smaller as a rule.
const FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// The largest piece, in bytes.
const PIECE_BYTES_MAX: usize = 256 * 1024;

/// The bytes of a file, by the address that the activity named.
pub(super) async fn fetch(
    account: &Account,
    address: &str,
) -> Result<BoxStream<'static, Result<FetchMediaResponse, Status>>, Status> {
    let place = account.settings.services.hosts.file(address);
    let place =
        place.map_err(|error| Status::permission_denied(format!("the file is not fetched: {error}")))?;
    let (url, with_token) = match place {
        FilePlace::Connector(url) => (url, true),
        FilePlace::Open(url) => (url, false),
    };
    let answer = account.connector.file(url, with_token).await.map_err(status)?;
    if answer
        .content_length()
        .is_some_and(|bytes| bytes > FILE_BYTES_MAX)
    {
        return Err(Status::failed_precondition("the file is too large"));
    }
    let mime_type = answer
        .headers()
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .filter(|mime| mime.len() <= 255)
        .map(str::to_owned);
    let head = FetchMediaResponse {
        mime_type,
        data: Vec::new().into(),
    };
    Ok(stream::once(async { Ok(head) }).chain(pieces(answer)).boxed())
}

fn pieces(answer: Response) -> impl futures::Stream<Item = Result<FetchMediaResponse, Status>> + Send {
    let bytes = answer.bytes_stream();
    let pieces = bytes.scan(0_u64, |read, chunk| {
        let piece = match chunk {
            Err(_) => Err(Status::unavailable("the file broke off")),
            Ok(chunk) => {
                *read = read.saturating_add(chunk.len() as u64);
                if *read > FILE_BYTES_MAX {
                    Err(Status::failed_precondition("the file is too large"))
                } else {
                    Ok(chunk)
                }
            }
        };
        std::future::ready(Some(piece))
    });
    pieces.flat_map(|piece| {
        let small = match piece {
            Err(status) => vec![Err(status)],
            Ok(mut chunk) => {
                let mut small = Vec::new();
                while !chunk.is_empty() {
                    let data = chunk.split_to(chunk.len().min(PIECE_BYTES_MAX));
                    small.push(Ok(FetchMediaResponse {
                        mime_type: None,
                        data,
                    }));
                }
                small
            }
        };
        stream::iter(small)
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
