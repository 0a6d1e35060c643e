//! Files that Telegram keeps: asked for by their id, then fetched from the same server. The token goes to no other.

use std::time::Duration;

use futures::{StreamExt, stream};
use serde::Deserialize;
use serde_json::json;

use super::api::{Api, ApiError, CALL_WITHIN};
use crate::adapter::{FetchError, Remote};

/// What the address of a file begins with, behind which its id stands.
const SCHEME: &str = "telegram-file:";
/// Nothing of a file for so long: it broke off.
const SILENCE_MAX: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
struct Found {
    file_path: Option<String>,
    file_size: Option<u64>,
}

/// The address by which a message names a file.
pub(super) fn address(id: &str) -> String {
    format!("{SCHEME}{id}")
}

/// A file, from its address.
pub(super) async fn fetch(api: &Api, address: &str, bytes_max: u64) -> Result<Remote, FetchError> {
    let id = address
        .strip_prefix(SCHEME)
        .ok_or_else(|| FetchError::Never("it is not a file of Telegram".into()))?;
    let too_large = || FetchError::Never(format!("it is larger than {} MB", bytes_max / 1_000_000));
    let found: Found = api
        .call("getFile", &json!({"file_id": id}), CALL_WITHIN)
        .await
        .map_err(|error| match error {
            ApiError::Refused(refused) if refused.says("too big") => {
                FetchError::Never("Telegram gives bots no file that is this large".into())
            }
            ApiError::Refused(refused) if matches!(refused.code, 400 | 404) => {
                FetchError::Never(format!("Telegram refused: {refused}"))
            }
            other => FetchError::Retry(other.to_string()),
        })?;
    if found.file_size.is_some_and(|size| size > bytes_max) {
        return Err(too_large());
    }
    let path = found
        .file_path
        .ok_or_else(|| FetchError::Never("Telegram does not say where it is".into()))?;
    let (length, bytes) = api.file(&path, SILENCE_MAX).await.map_err(|error| match error {
        ApiError::Refused(refused) if matches!(refused.code, 400..=404) => {
            FetchError::Never(format!("Telegram refused: {refused}"))
        }
        other => FetchError::Retry(other.to_string()),
    })?;
    if length.is_some_and(|length| length > bytes_max) {
        return Err(too_large());
    }
    let counted = stream::unfold((bytes, 0_u64, false), move |(mut bytes, read, over)| async move {
        if over {
            return None;
        }
        let part = match bytes.next().await? {
            Ok(part) => part,
            Err(error) => return Some((Err(FetchError::Retry(error.to_string())), (bytes, read, true))),
        };
        let read = read.saturating_add(part.len() as u64);
        if read > bytes_max {
            let error = FetchError::Never(format!("it is larger than {} MB", bytes_max / 1_000_000));
            return Some((Err(error), (bytes, read, true)));
        }
        Some((Ok(part), (bytes, read, false)))
    });
    Ok(Remote {
        declared: None,
        bytes_max,
        bytes: counted.boxed(),
    })
}
