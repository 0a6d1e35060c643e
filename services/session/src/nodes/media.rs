//! Pictures and recordings in what nodes answer. Whoever asked gets them as the node sent them, in the result; they are kept beside it
//! as well, under the invocation's record, so that what a camera saw can be looked at after the call.

use gatehouse_core::Chain;
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::{End, Nodes, State};
use crate::media::{MediaId, decoded, is_seen_or_heard};

/// The largest medium of a node: a frame that holds it is no larger.
const MEDIUM_BYTES_MAX: u64 = 25 * 1024 * 1024;

/// Media of one result: more are not looked for. A roll of photos is a dozen.
const MEDIA_MAX: usize = 32;

/// Results that are looked into at once. Each takes the memory of a second copy for a moment; who waits here waits for a disk.
const AT_ONCE: usize = 2;

/// Results whose media are being kept.
#[derive(Debug)]
pub(super) struct Keeping(Semaphore);

impl Default for Keeping {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

/// A part of a result, as `camera.snap`, `camera.clip`, `screen.record` and `file.fetch` have it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(default)]
    base64: Option<String>,
    #[serde(default)]
    mime_type: Option<String>,
}

/// A result: one medium, or a list of them, as `photos.latest` has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Media {
    #[serde(default)]
    base64: Option<String>,
    #[serde(default)]
    mime_type: Option<String>,
    #[serde(default)]
    photos: Vec<Part>,
}

/// The media of a result. What has another form has none.
fn found(json: &str) -> Vec<Part> {
    if !json.contains("\"base64\"") {
        return Vec::new(); // most results: they are not read
    }
    let Ok(media) = serde_json::from_str::<Media>(json) else {
        return Vec::new();
    };
    let Media {
        base64,
        mime_type,
        photos,
    } = media;
    let first = Part { base64, mime_type };
    std::iter::once(first).chain(photos).take(MEDIA_MAX).collect()
}

impl Nodes {
    /// Keeps what an invocation brought. A result whose media cannot be kept is a result all the same.
    pub(super) async fn keep_media(&self, end: &End, id: &str) -> Vec<MediaId> {
        let Some(json) = end.payload.json.as_deref().filter(|_| end.state == State::Ok) else {
            return Vec::new();
        };
        let Ok(_turn) = self.0.keeping.0.acquire().await else {
            return Vec::new();
        };
        let mut kept = Vec::new();
        for part in found(json) {
            let Some(base64) = part.base64.filter(|base64| is_seen_or_heard(base64)) else {
                continue;
            };
            match self
                .0
                .media
                .keep(decoded(base64), part.mime_type, MEDIUM_BYTES_MAX)
                .await
            {
                Ok(medium) => kept.push(medium.id),
                Err(error) => {
                    tracing::warn!(invocation.id = id, error = %Chain(&error), "a medium of a node could not be kept");
                }
            }
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_are_found_where_nodes_put_them_and_nowhere_else() {
        let count = |json: &str| found(json).iter().filter(|part| part.base64.is_some()).count();

        assert_eq!(count(r#"{"format":"jpg","base64":"\/9j\/","width":1}"#), 1);
        assert_eq!(
            count(r#"{"photos":[{"base64":"a"},{"base64":"b","width":2}]}"#),
            2
        );
        for none in ["7", "[]", r#"{"text":"\"base64\""}"#, r#"{"base64":7}"#, "{"] {
            assert_eq!(count(none), 0, "{none}");
        }
        let many = format!(r#"{{"photos":[{}]}}"#, vec![r#"{"base64":"a"}"#; 100].join(","));
        assert_eq!(found(&many).len(), MEDIA_MAX);
    }
}
