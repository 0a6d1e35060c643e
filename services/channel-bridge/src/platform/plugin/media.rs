//! Files of a plugin's channel, in both directions, each in a call of its own: a large one holds up no conversation.

use futures::StreamExt;
use gatehouse_core::{client::Peer, content::Media};
use gatehouse_proto::channel::v1::{
    FetchMediaRequest, FetchMediaResponse, MediaHead, SentMedia, TakeMediaRequest,
    channel_adapter_client::ChannelAdapterClient,
};
use tokio::sync::mpsc;
use tonic::{Code, Status};

use super::said;
use crate::{
    adapter::{AccountKey, FetchError, Remote, SendError},
    media::{Kept, MediaReader},
};

/// Largest message of a plugin: what the contract says.
pub(super) const MESSAGE_BYTES_MAX: usize = 1_536 * 1_024;
/// Bytes of one piece: what the contract says.
const PIECE_BYTES: usize = 64 * 1_024;
/// Pieces that wait for the plugin.
const PIECES_MAX: usize = 4;

/// Fetches what somebody sent.
pub(super) async fn fetch(
    peer: &Peer,
    account: &AccountKey,
    address: &str,
    bytes_max: u64,
) -> Result<Remote, FetchError> {
    let mut client = ChannelAdapterClient::new(peer.service()).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let request = FetchMediaRequest {
        channel: account.channel.clone(),
        account_id: account.account.clone(),
        address: address.to_owned(),
    };
    let mut pieces = client
        .fetch_media(request)
        .await
        .map_err(|status| missed(&status))?
        .into_inner();
    let first = pieces
        .next()
        .await
        .transpose()
        .map_err(|status| missed(&status))?;
    let FetchMediaResponse { mime_type, data } = first.unwrap_or_default();
    let first = futures::stream::iter((!data.is_empty()).then_some(Ok(data)));
    let rest = pieces.map(|piece| piece.map(|piece| piece.data).map_err(|status| missed(&status)));
    let mut left = bytes_max;
    let bytes = first.chain(rest).map(move |piece| {
        let piece = piece?;
        let size = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        left = left
            .checked_sub(size)
            .ok_or_else(|| FetchError::Never(format!("it is larger than {bytes_max} bytes")))?;
        Ok(piece)
    });
    Ok(Remote {
        declared: mime_type.map(|text| said(&text)).filter(|text| !text.is_empty()),
        bytes_max,
        bytes: bytes.boxed(),
    })
}

/// Gives the plugin a file that the next message is to carry.
pub(super) async fn hand_over(
    peer: &Peer,
    account: &AccountKey,
    to: &str,
    reader: &MediaReader,
    medium: &Media,
) -> Result<SentMedia, SendError> {
    let Kept {
        mime_type,
        size_bytes,
        bytes,
        ..
    } = reader.open(medium).await.map_err(unread)?;
    let mut bytes = std::pin::pin!(gatehouse_core::pieces::of_size(bytes, PIECE_BYTES));
    let size_bytes = i64::try_from(size_bytes).unwrap_or(i64::MAX);
    let name = medium.name.clone().unwrap_or_default();
    let head = MediaHead {
        channel: account.channel.clone(),
        account_id: account.account.clone(),
        to: to.to_owned(),
        mime_type: mime_type.clone(),
        name: name.clone(),
        size_bytes,
    };
    let (pieces, mut waiting) = mpsc::channel(PIECES_MAX);
    let feed = async move {
        let head = TakeMediaRequest {
            head: Some(head),
            data: bytes::Bytes::new(),
        };
        if pieces.send(head).await.is_err() {
            return Ok(()); // the plugin has seen enough: it says why
        }
        while let Some(piece) = bytes.next().await {
            let data = piece.map_err(unread)?;
            if pieces.send(TakeMediaRequest { head: None, data }).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    };
    let mut client = ChannelAdapterClient::new(peer.service());
    let stream = futures::stream::poll_fn(move |context| waiting.poll_recv(context));
    // What broke off is smaller than its head says, and no message names it.
    let (taken, ()) = futures::future::try_join(
        async { client.take_media(stream).await.map_err(|status| refused(&status)) },
        feed,
    )
    .await?;
    Ok(SentMedia {
        handle: taken.into_inner().handle,
        mime_type,
        name,
        size_bytes,
    })
}

/// Whether a code says that it may work later.
fn may_work_later(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::Unknown
            | Code::Cancelled
    )
}

fn missed(status: &Status) -> FetchError {
    let reason = super::wire::because(status.message());
    if may_work_later(status.code()) {
        FetchError::Retry(reason)
    } else {
        FetchError::Never(reason)
    }
}

fn refused(status: &Status) -> SendError {
    let reason = super::wire::because(status.message());
    if may_work_later(status.code()) {
        SendError::retry(reason)
    } else {
        SendError::permanent(reason)
    }
}

fn unread(error: FetchError) -> SendError {
    match error {
        FetchError::Retry(reason) => SendError::retry(reason),
        FetchError::Never(reason) => SendError::permanent(reason),
    }
}
