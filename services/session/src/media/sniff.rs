//! What bytes are. What a client says of them counts only where the bytes say nothing, and never makes a picture of them.

/// Bytes that are looked at: what all known kinds are told by, and enough of a text to see that it is one.
pub(super) const HEAD_BYTES: usize = 4096;

const UNKNOWN: &str = "application/octet-stream";

/// The media type of a file that begins like this. `whole`: these are all its bytes.
pub(super) fn mime_type(head: &[u8], whole: bool, declared: Option<&str>) -> String {
    let declared = declared.and_then(plain);
    if let Some(known) = infer::get(head) {
        let known = known.mime_type();
        // Office files are archives, and only their names say which.
        let is_office = known == "application/zip"
            && declared
                .as_deref()
                .is_some_and(|declared| declared.starts_with("application/vnd."));
        return match declared {
            Some(declared) if is_office => declared,
            Some(_) | None => known.to_owned(),
        };
    }
    let seen = |declared: &String| {
        !["image/", "audio/", "video/"]
            .iter()
            .any(|kind| declared.starts_with(kind))
    };
    if is_text(head, whole) {
        let textual = declared.filter(|declared| declared.starts_with("text/") || seen(declared));
        return textual
            .filter(|declared| declared != UNKNOWN)
            .unwrap_or_else(|| "text/plain".to_owned());
    }
    declared.filter(seen).unwrap_or_else(|| UNKNOWN.to_owned())
}

/// Whether a browser may show it beside the conversation: pictures of pixels, and what is heard or watched. Nothing in which a
/// script could stand.
pub(super) fn is_inline(mime_type: &str) -> bool {
    let pictures = [
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "image/avif",
        "image/bmp",
        "image/heif",
    ];
    pictures.contains(&mime_type) || mime_type.starts_with("audio/") || mime_type.starts_with("video/")
}

/// A media type without its parameters. `None`: it is none.
fn plain(declared: &str) -> Option<String> {
    let essence = declared.split(';').next()?.trim().to_ascii_lowercase();
    let (kind, of) = essence.split_once('/')?;
    let token = |text: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte);
        !text.is_empty() && text.len() <= 127 && text.bytes().all(allowed)
    };
    (token(kind) && token(of)).then_some(essence)
}

fn is_text(head: &[u8], whole: bool) -> bool {
    let readable = match std::str::from_utf8(head) {
        Ok(_) => true,
        // A character may be cut in two where the head ends.
        Err(error) => !whole && error.error_len().is_none(),
    };
    readable && !head.is_empty() && !head.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    #[test]
    fn the_bytes_say_what_a_file_is_whatever_was_declared() {
        assert_eq!(mime_type(PNG, true, Some("text/html")), "image/png");
        assert_eq!(mime_type(PNG, true, None), "image/png");
        assert_eq!(mime_type(b"%PDF-1.7", true, Some("image/png")), "application/pdf");
        assert_eq!(
            mime_type(b"# notes\n", true, Some("text/markdown; charset=utf-8")),
            "text/markdown"
        );
        assert_eq!(
            mime_type(b"{}", true, Some("application/json")),
            "application/json"
        );
        assert_eq!(mime_type(b"words", true, None), "text/plain");
    }

    #[test]
    fn a_declared_picture_that_is_none_is_a_file_that_nobody_shows() {
        for claimed in ["image/png", "image/svg+xml", "video/mp4", "nonsense", ""] {
            let text = mime_type(b"<svg onload=alert(1)>", true, Some(claimed));
            let bytes = mime_type(b"\x00\x01\xfe", true, Some(claimed));

            assert!(
                !is_inline(&text) && !is_inline(&bytes),
                "{claimed}: {text}, {bytes}"
            );
        }
        assert!(is_inline("image/png") && !is_inline("image/svg+xml") && !is_inline("text/html"));
    }

    #[test]
    fn a_character_that_is_cut_in_two_by_the_end_of_the_head_makes_no_binary_file() {
        let half = "abcü".as_bytes();
        let head = half.get(..half.len() - 1).unwrap();

        assert_eq!(mime_type(head, false, None), "text/plain");
        assert_eq!(mime_type(head, true, None), UNKNOWN);
    }
}
