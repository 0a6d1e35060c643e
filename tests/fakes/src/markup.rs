//! Telegram's HTML as its server reads it: strictly.

/// Tags that it knows.
const TAGS: &[&str] = &["b", "i", "s", "u", "code", "pre", "a", "blockquote"];

/// The text without its tags.
///
/// # Errors
/// What is wrong with it, in the server's words.
pub(crate) fn read(html: &str) -> Result<String, String> {
    let (mut text, mut open, mut rest) = (String::new(), Vec::new(), html);
    while let Some(c) = rest.chars().next() {
        match c {
            '<' => {
                let end = rest.find('>').ok_or("unclosed start tag")?;
                let tag = rest.get(1..end).unwrap_or_default();
                rest = rest.get(end + 1..).unwrap_or_default();
                if let Some(name) = tag.strip_prefix('/') {
                    if open.pop() != Some(name) {
                        return Err(format!("unmatched end tag {name:?}"));
                    }
                    continue;
                }
                let name = tag.split(' ').next().unwrap_or_default();
                if !TAGS.contains(&name) {
                    return Err(format!("unsupported start tag {name:?}"));
                }
                if name == "blockquote" && open.contains(&"blockquote") {
                    return Err("a blockquote within a blockquote".to_owned());
                }
                open.push(name);
            }
            '&' => {
                let known = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"')];
                let found = known.iter().find(|(name, _)| rest.starts_with(name));
                let (name, meant) = found.copied().unwrap_or(("&", '&'));
                text.push(meant);
                rest = rest.get(name.len()..).unwrap_or_default();
            }
            other => {
                text.push(other);
                rest = rest.get(other.len_utf8()..).unwrap_or_default();
            }
        }
    }
    match open.last() {
        Some(name) => Err(format!("can't find end tag corresponding to start tag {name:?}")),
        None => Ok(text),
    }
}
