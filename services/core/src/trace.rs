//! Which request a piece of work belongs to: the W3C trace context (level 1), <https://www.w3.org/TR/trace-context/>.
//!
//! One trace leads from a message's way in to its answer's way out. Between processes it travels as the `traceparent` header of
//! every internal call: the server takes it in, the client gives it on, and no handler knows of it. Where work waits in a
//! database (inbox, turn, delivery, outbox), its row keeps the context, and whoever goes on with it does so [`within`] it.
//!
//! A context that cannot be read begins a new trace; it never fails a call. What is kept and logged of it is hexadecimal digits
//! of a fixed length, whatever a client sent.
//!
//! The steps of a trace are [`Span`]s. They are recorded only where the operator names a collector ([`otlp`]); elsewhere a span is
//! its context and nothing else. So the id of a step is the id of a span that somebody was told of, and a call takes the context
//! that it is made in with it as it is.

mod field;
pub mod otlp;
mod span;

use std::{
    fmt,
    future::Future,
    hash::{BuildHasher, RandomState},
    str::FromStr,
};

use http::HeaderValue;
use tokio::task::futures::TaskLocalFuture;
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

pub use self::span::{Attribute, Kind, Span};

/// The header, and the metadata key.
pub const TRACEPARENT: &str = "traceparent";

/// Bytes of a context of version 00. Later versions may be longer and begin with the same.
const VERSION_00_BYTES: usize = 55;

/// The longest context that is looked at (the gateway protocol's bound).
const BYTES_MAX: usize = 128;

tokio::task_local! {
    static CURRENT: Context;
}

/// A trace, and one step in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Context {
    trace_id: u128,
    span_id: u64,
    sampled: bool,
}

/// It is not a trace context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a W3C trace context")]
pub struct NotAContext;

impl Context {
    /// The beginning of a trace that nobody records: where something comes in that should be, there is [`Span::root`].
    #[must_use]
    pub fn new() -> Self {
        let trace_id = (u128::from(random()) << 64) | u128::from(random());
        Self {
            trace_id: trace_id.max(1),
            span_id: random().max(1),
            sampled: false,
        }
    }

    /// What somebody sent or a row kept, or else a new trace.
    #[must_use]
    pub fn continued(text: Option<&str>) -> Self {
        text.and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    /// Names the trace: 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// Whether its steps are recorded.
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        self.sampled
    }

    /// What the metadata of a call say.
    #[must_use]
    pub fn from_metadata(metadata: &MetadataMap) -> Option<Self> {
        Self::from_header(metadata.as_ref().get(TRACEPARENT)?)
    }

    pub(crate) fn from_header(header: &HeaderValue) -> Option<Self> {
        header.to_str().ok()?.parse().ok()
    }
}

impl Default for Context {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Context {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            trace_id,
            span_id,
            sampled,
        } = self;
        write!(
            out,
            "00-{trace_id:032x}-{span_id:016x}-{:02x}",
            u8::from(*sampled)
        )
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Context({self})")
    }
}

impl FromStr for Context {
    type Err = NotAContext;

    fn from_str(text: &str) -> Result<Self, NotAContext> {
        let valid = text.is_ascii() && text.len() <= BYTES_MAX;
        let (fixed, rest) = text
            .split_at_checked(VERSION_00_BYTES)
            .filter(|_| valid)
            .ok_or(NotAContext)?;
        let mut parts = fixed.split('-');
        let mut part = |digits| parts.next().and_then(|part| hex(part, digits)).ok_or(NotAContext);
        let (version, trace_id, span_id, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        let shaped = match version {
            0x00 => rest.is_empty(),
            0xff => false, // forbidden, so that it can be told from a context
            _ => rest.is_empty() || rest.starts_with('-'),
        };
        let span_id = u64::try_from(span_id).map_err(|_| NotAContext)?;
        if !shaped || trace_id == 0 || span_id == 0 {
            return Err(NotAContext);
        }
        Ok(Self {
            trace_id,
            span_id,
            sampled: flags & 1 == 1,
        })
    }
}

/// So many lower-case hexadecimal digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_hex = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let shaped = text.len() == digits && text.bytes().all(is_hex);
    shaped.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

/// Ids need not be secret, but two processes must not draw the same ones: the hasher's keys are random in each thread and
/// differ at each call. Asking the kernel for each would cost a call more than all else about its trace.
fn random() -> u64 {
    RandomState::new().hash_one(())
}

/// The context of the work that this is called from.
#[must_use]
pub fn current() -> Option<Context> {
    CURRENT.try_with(|context| *context).ok()
}

/// Does some work in this context. Tasks that it spawns need to be [carried](carry) along.
pub fn within<F: Future>(context: Context, work: F) -> TaskLocalFuture<Context, F> {
    CURRENT.scope(context, work)
}

/// The same work in the context that this is called from; for what is spawned.
pub fn carry<F: Future>(work: F) -> TaskLocalFuture<Context, F> {
    within(current().unwrap_or_default(), work)
}

/// Gives the context on to another process.
pub(crate) fn attach(metadata: &mut MetadataMap) {
    let context = current().unwrap_or_default();
    if let Ok(mut header) = MetadataValue::<Ascii>::try_from(context.to_string()) {
        header.set_sensitive(true); // another in each call: in HTTP/2's header table it would only evict what repeats
        metadata.insert(TRACEPARENT, header);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_context_is_written_as_it_was_read() {
        let context: Context = EXAMPLE.parse().unwrap();
        assert_eq!(context.to_string(), EXAMPLE);
        assert_eq!(context.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let later = EXAMPLE.replacen("00", "cc", 1) + "-what-comes-later";
        assert_eq!(later.parse(), Ok(context), "a later version begins with the same");
    }

    #[test]
    fn what_is_not_a_context_begins_a_new_trace() {
        let zeros = "0".repeat(32);
        for text in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
            "00-4bf92f3577b34da6a3ce929d0e0e4736+00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
            &format!("00-{zeros}-00f067aa0ba902b7-01"),
            &format!(
                "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-{}",
                "x".repeat(100)
            ),
        ] {
            assert_eq!(text.parse::<Context>(), Err(NotAContext), "{text:?}");
            assert_ne!(Context::continued(Some(text)), Context::continued(Some(text)));
        }
    }

    #[tokio::test]
    async fn work_that_is_carried_along_stays_in_its_trace_and_other_work_has_none() {
        let context = Context::new();

        let carried = within(context, async {
            let carried = tokio::spawn(carry(async { current() }));
            let left = tokio::spawn(async { current() });
            (carried.await.unwrap(), left.await.unwrap())
        });

        assert_eq!(carried.await, (Some(context), None));
        assert_eq!(current(), None);
    }

    #[tokio::test]
    async fn a_call_takes_the_context_that_it_is_made_in_with_it() {
        let context = Context::new();
        let mut metadata = MetadataMap::new();

        within(context, async { attach(&mut metadata) }).await;

        assert_eq!(Context::from_metadata(&metadata), Some(context));
    }

    #[tokio::test]
    async fn work_that_belongs_to_no_trace_is_recorded_nowhere() {
        let mut metadata = MetadataMap::new();

        attach(&mut metadata);

        let header = Context::from_metadata(&metadata).map(|context| context.to_string());
        assert!(header.is_some_and(|text| text.ends_with("-00")));
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_in_its_fixed_form(text in "\\PC{0,140}") {
            if let Ok(context) = text.parse::<Context>() {
                prop_assert_eq!(context.to_string().len(), VERSION_00_BYTES);
            }
        }
    }
}
