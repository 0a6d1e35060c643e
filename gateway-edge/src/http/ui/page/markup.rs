//! As much of HTML as it takes to find the addresses and the scripts of a page that a build tool wrote. What is not understood is
//! handed on as it is.

/// A part of a page. All of them in their order are the page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// `<html` with its attributes, without the bracket that ends it.
    Root(&'a str),
    /// The value of `href` or `src`.
    Address(&'a str),
    /// What stands in a script.
    Script(&'a str),
    Other(&'a str),
}

/// Elements whose content is no markup (HTML, 13.1.2).
const RAW: [&str; 4] = ["script", "style", "title", "textarea"];

/// Takes a page apart.
pub(super) fn pieces(page: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        found.push(Piece::Other(before));
        rest = if let Some(comment) = tag.strip_prefix("<!--") {
            let end = comment.find("-->").map_or(tag.len(), |end| end + 7);
            let (comment, rest) = tag.split_at(end);
            found.push(Piece::Other(comment));
            rest
        } else if tag.starts_with("<!") || tag.starts_with("</") || !starts_a_tag(tag) {
            let (bracket, rest) = tag.split_at(1);
            found.push(Piece::Other(bracket));
            rest
        } else {
            element(tag, &mut found)
        };
    }
    found.push(Piece::Other(rest));
    found
}

fn starts_a_tag(tag: &str) -> bool {
    tag.as_bytes().get(1).is_some_and(u8::is_ascii_alphabetic)
}

/// Takes a start tag, and its content if that is no markup. Hands back what follows.
fn element<'a>(tag: &'a str, found: &mut Vec<Piece<'a>>) -> &'a str {
    let name_end = tag
        .find(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/')
        .unwrap_or(tag.len());
    let (head, attributes) = tag.split_at(name_end);
    let name = head.strip_prefix('<').unwrap_or_default().to_ascii_lowercase();
    let end = tag_end(attributes);
    let (attributes, rest) = attributes.split_at(end);
    if name == "html" {
        let (whole, _) = tag.split_at(name_end + end);
        found.push(Piece::Root(whole));
    } else {
        found.push(Piece::Other(head));
        addresses(attributes, found);
    }
    if !RAW.contains(&name.as_str()) {
        return rest;
    }
    let Some(content) = rest.strip_prefix('>') else {
        return rest;
    };
    let close = format!("</{name}");
    let length = content.to_ascii_lowercase().find(&close).unwrap_or(content.len());
    let (content, rest) = content.split_at(length);
    found.push(Piece::Other(">"));
    found.push(if name == "script" && !content.is_empty() {
        Piece::Script(content)
    } else {
        Piece::Other(content)
    });
    rest
}

/// Where the bracket is that ends a tag: not within quotes.
fn tag_end(attributes: &str) -> usize {
    let mut quote = None;
    for (at, byte) in attributes.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return at,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => (),
        }
    }
    attributes.len()
}

/// Finds the quoted values of `href` and `src`.
fn addresses<'a>(attributes: &'a str, found: &mut Vec<Piece<'a>>) {
    let mut rest = attributes;
    while let Some(at) = rest.find(['"', '\'']) {
        let (before, quoted) = rest.split_at(at);
        let quote = if quoted.starts_with('"') { '"' } else { '\'' };
        let value = quoted.strip_prefix(quote).unwrap_or_default();
        let Some(length) = value.find(quote) else { break };
        let (value, after) = value.split_at(length);
        let name = before.trim_end().strip_suffix('=').map(str::trim_end);
        let is = |wanted: &str| {
            name.and_then(|name| name.rsplit(|c: char| c.is_ascii_whitespace()).next())
                .is_some_and(|name| name.eq_ignore_ascii_case(wanted))
        };
        let (opening, _) = rest.split_at(at + 1);
        found.push(Piece::Other(opening));
        found.push(if is("href") || is("src") {
            Piece::Address(value)
        } else {
            Piece::Other(value)
        });
        let (closing, next) = after.split_at(1);
        found.push(Piece::Other(closing));
        rest = next;
    }
    found.push(Piece::Other(rest));
}
