//! Reading a response to its end: a whole answer is whole, however its connection ends.

use std::time::Duration;

use futures::StreamExt;
use gatehouse_proto::agent::v1::FailureKind;
use reqwest::{Response, Version, header};
use tokio::time::{Instant, timeout_at};

use super::{
    decoder::{Decoder, End, Follows},
    ending::{Framing, verdict},
};
use crate::{
    answer::{Answer, TooLong},
    provider::{
        Answered, Unanswered,
        charset::Charset,
        failure::{self, Callee},
        inflate::Inflate,
        think::Piece,
    },
};

/// How long after the answer its cost is waited for. It comes right behind it, or not at all.
const USAGE_WAIT: Duration = Duration::from_secs(2);

/// How long more of an answer is waited for whose reason to stop came beside its last words: whether this server gives one with every
/// piece, only what follows can say.
const MORE_WAIT: Duration = Duration::from_secs(30);

/// How long the closing mark is waited for when nothing else is missing. With it the connection can be used again.
const MARK_WAIT: Duration = Duration::from_millis(250);

/// After this long without a byte, what is whole without its last sign is taken: some servers leave out the end of the last line and
/// leave the connection open.
const SETTLE_WAIT: Duration = Duration::from_secs(1);

/// The most of an error body that is read.
const ERROR_BODY_BYTES_MAX: usize = 64 * 1024;

/// How long the rest of an error body is waited for.
const ERROR_BODY_WAIT: Duration = Duration::from_secs(5);

/// Hands the pieces of an answer on as they come. `silence` is the longest pause inside it.
pub(super) async fn answer(
    callee: &Callee<'_>,
    response: Response,
    silence: Duration,
    answer: &mut Answer,
) -> Result<Answered, Unanswered> {
    if let Some(encoding) = foreign_encoding(&response) {
        let (provider, origin) = (callee.provider, callee.origin());
        let message = format!(
            "provider {provider} at {origin} compressed its answer in a way that nobody asked for: {encoding}. Turn that off there, or in \
             the proxy before it"
        );
        return Err(callee.failed(FailureKind::Unavailable, message));
    }
    let (framing, charset) = (framing(&response), Charset::of(response.headers()));
    let mut bytes = response.bytes_stream();
    let mut decoder = Decoder::new(charset, answer.is_verbatim());
    let mut heard_at = Instant::now();
    let (mut said_at, mut followed) = (heard_at, Follows::Rest);
    let (mut settles, mut was_heard_out) = (true, false);
    let broken = loop {
        let ends = match decoder.follows() {
            Follows::Cost if decoder.has_usage() => said_at + MARK_WAIT,
            Follows::Cost => said_at + USAGE_WAIT,
            Follows::Perhaps => said_at + silence.min(MORE_WAIT),
            Follows::Rest => heard_at + silence,
        };
        let until = if settles {
            ends.min(heard_at + SETTLE_WAIT)
        } else {
            ends
        };
        let mut pieces = Vec::new();
        let read = match timeout_at(until, bytes.next()).await {
            Ok(Some(Ok(chunk))) => {
                (heard_at, settles) = (Instant::now(), true);
                decoder.push(&chunk, &mut pieces)
            }
            Ok(None) => break None,
            Ok(Some(Err(error))) => break Some(failure::from_transport(callee, &error)),
            Err(_) if until < ends => {
                settles = false;
                decoder.settle(&mut pieces);
                Ok(())
            }
            Err(_) => {
                was_heard_out = true;
                break Some(fell_silent(callee));
            }
        };
        let spoke = !pieces.is_empty();
        if let Err(TooLong) = hand_on(pieces, answer).await {
            return too_long(callee, answer);
        }
        if let Err(why) = read {
            let message = format!(
                "provider {} at {} {why}. Look into its log",
                callee.provider,
                callee.origin()
            );
            break Some(callee.failed(FailureKind::Unavailable, message));
        }
        if decoder.is_over() {
            break None;
        }
        if spoke || decoder.follows() != followed {
            (said_at, followed) = (Instant::now(), decoder.follows());
        }
    };
    // Where a reason comes with every piece, none says that nothing is missing.
    let may_be_whole = was_heard_out || !decoder.goes_on();
    let mut pieces = Vec::new();
    let end = decoder.finish(&mut pieces);
    if let Err(TooLong) = hand_on(pieces, answer).await {
        return too_long(callee, answer);
    }
    tell_passed_over(callee, &end);
    let is_whole = end.is_done || end.stop_reason.is_some() && may_be_whole;
    match broken {
        // Everything was said: how the connection ended does not matter.
        Some(why) if !is_whole && end.error.is_none() => Err(why),
        _ => verdict(callee, end, framing, answer.has_calls()),
    }
}

/// Says once for an answer that a part of it may be missing. What was said belongs into no log unless somebody asks for it.
fn tell_passed_over(callee: &Callee<'_>, end: &End) {
    if end.passed_over == 0 {
        return;
    }
    tracing::warn!(
        provider.id = callee.provider,
        model.id = callee.model,
        origin = callee.origin(),
        count = end.passed_over,
        "events of an answer could not be read, and were passed over"
    );
    tracing::debug!(
        provider.id = callee.provider,
        part = callee.words(&end.stray).trim_start_matches(": "),
        "the first event that could not be read"
    );
}

async fn hand_on(pieces: Vec<Piece>, answer: &mut Answer) -> Result<(), TooLong> {
    for piece in pieces {
        match piece {
            Piece::Text(text) => answer.say(text).await?,
            Piece::Thinking(text) => answer.think(text).await?,
            Piece::WasThinking => answer.was_thinking().await,
            Piece::Call(call) => answer.call(call).await?,
        }
    }
    Ok(())
}

/// The answer is as long as one may be. Thoughts alone are none.
fn too_long(callee: &Callee<'_>, answer: &Answer) -> Result<Answered, Unanswered> {
    if answer.was_said() {
        return Ok(Answered::cut_off());
    }
    let (provider, model) = (callee.provider, callee.model);
    let message = format!(
        "model {model} of provider {provider} thought without an end and said nothing. Let it think less, or choose another"
    );
    Err(callee.failed(FailureKind::Empty, message))
}

fn fell_silent(callee: &Callee<'_>) -> Unanswered {
    let (provider, origin) = (callee.provider, callee.origin());
    let message = format!(
        "provider {provider} at {origin} fell silent in its answer. Look into its log, or raise models.providers.{provider}.timeoutSeconds"
    );
    callee.failed(FailureKind::Timeout, message)
}

/// An encoding that cannot be read here. No request offers any; gzip is known by its bytes.
fn foreign_encoding(response: &Response) -> Option<String> {
    let encoding = response.headers().get(header::CONTENT_ENCODING)?.to_str().ok()?;
    let encoding: String = encoding.trim().to_ascii_lowercase().chars().take(40).collect();
    (!["", "identity", "gzip", "x-gzip", "none"].contains(&encoding.as_str())).then_some(encoding)
}

/// Whether the end of the body says that all of it came.
fn framing(response: &Response) -> Framing {
    let headers = response.headers();
    let is_framed = response.version() >= Version::HTTP_2
        || headers.contains_key(header::CONTENT_LENGTH)
        || headers.contains_key(header::TRANSFER_ENCODING);
    if is_framed {
        Framing::Whole
    } else {
        Framing::Closed
    }
}

/// Reads a refusal with its words.
pub(super) async fn refusal(callee: &Callee<'_>, response: Response) -> Unanswered {
    let (status, headers) = (response.status(), response.headers().clone());
    if foreign_encoding(&response).is_some() {
        return failure::from_response(callee, status, &headers, &[]); // its words cannot be read
    }
    let (mut body, mut inflate) = (Vec::new(), Inflate::default());
    let mut bytes = response.bytes_stream();
    let until = Instant::now() + ERROR_BODY_WAIT;
    while let Ok(Some(Ok(chunk))) = timeout_at(until, bytes.next()).await {
        let unpacked = inflate.push(&chunk, &mut body);
        if body.len() > ERROR_BODY_BYTES_MAX {
            body.truncate(ERROR_BODY_BYTES_MAX);
            break;
        }
        if unpacked.is_err() {
            break;
        }
    }
    failure::from_response(callee, status, &headers, &body)
}
