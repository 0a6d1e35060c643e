//! Answers that are one document: read to their end, unpacked, within a bound, and in the letters in which they were written.

use futures::StreamExt;
use gatehouse_proto::agent::v1::FailureKind;
use reqwest::{Response, StatusCode};

use crate::provider::{
    Unanswered,
    charset::Charset,
    failure::{self, Callee, Said},
    inflate::Inflate,
    json,
};

/// An answer.
pub(super) struct Whole {
    status: StatusCode,
    pub(super) text: String,
}

/// Why there is none.
pub(super) enum Unread {
    /// It has more bytes than may be.
    TooLong,
    Failed(Unanswered),
}

/// Reads it.
pub(super) async fn read(callee: &Callee<'_>, response: Response, bytes_max: usize) -> Result<Whole, Unread> {
    let (status, charset) = (response.status(), Charset::of(response.headers()));
    let (mut body, mut inflate) = (Vec::new(), Inflate::default());
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| Unread::Failed(failure::from_transport(callee, &error)))?;
        if inflate.push(&piece, &mut body).is_err() {
            break; // what it was meant to be, what came of it says
        }
        if body.len() > bytes_max {
            return Err(Unread::TooLong);
        }
    }
    let mut text =
        String::from_utf8(body).unwrap_or_else(|other| charset.whole(other.as_bytes()).into_owned());
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    Ok(Whole { status, text })
}

impl Whole {
    /// Why it is not what was asked for: in the server's words where it says some, else in ours.
    pub(super) fn refused(&self, callee: &Callee<'_>, what: &str) -> Unanswered {
        let said = match json::parse(&self.text) {
            Some(parsed) => Said::in_answer(&parsed.value, false)
                .or_else(|| Said::instead_of_answer(&parsed.value))
                .unwrap_or_default(),
            None => Said::of_text(&self.text),
        };
        if !said.words.is_empty() {
            return failure::in_success(callee, self.status, &said);
        }
        let message = format!("provider {} at {} {what}", callee.provider, callee.origin());
        callee.failed(FailureKind::Unavailable, message)
    }
}
