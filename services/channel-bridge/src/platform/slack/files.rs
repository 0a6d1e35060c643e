//! Files that Slack keeps, by the address that stands in the message. The token goes with it, so only Slack is asked.

use super::{api::Api, event::File};
use crate::adapter::{FetchError, Remote};
use gatehouse_core::content::{Media, MediaSource};

/// What the address of a file begins with, behind which Slack's own stands.
const SCHEME: &str = "slack-file:";
/// The longest name of a file that is kept, in characters.
const NAME_CHARS_MAX: usize = 200;
/// Files of one message: what Slack's own programs send at once.
const FILES_MAX: usize = 10;

/// The files of a message.
pub(super) fn of<'a>(files: impl Iterator<Item = &'a File>) -> Vec<Media> {
    files.filter_map(media).take(FILES_MAX).collect()
}

fn media(file: &File) -> Option<Media> {
    let address = file.url_private_download.as_ref().or(file.url_private.as_ref())?;
    let printed = |name: &String| {
        let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let name: String = last
            .chars()
            .filter(|c| !c.is_control())
            .take(NAME_CHARS_MAX)
            .collect();
        Some(name).filter(|name| !name.trim().is_empty())
    };
    Some(Media {
        source: MediaSource::Url(format!("{SCHEME}{address}")),
        mime_type: file.mimetype.clone().filter(|kind| !kind.is_empty()),
        name: file.name.as_ref().and_then(printed),
        size_bytes: file.size,
    })
}

/// A file, from its address.
pub(super) async fn fetch(api: &Api, address: &str, bytes_max: u64) -> Result<Remote, FetchError> {
    let address = address
        .strip_prefix(SCHEME)
        .ok_or_else(|| FetchError::Never("it is not a file of Slack".into()))?;
    api.file(address, bytes_max).await
}
