//! One step of a trace: it begins, says what it is about, and ends when it is dropped.
//!
//! A trace begins where something comes in ([`Span::root`], [`Span::entered`]); everything else is a step of the context that it
//! finds ([`Span::of`], [`Span::here`]). Work that belongs to no trace, such as asking a peer how it is, is not recorded: it would be
//! most of what a collector is sent, and answers no question about a message.
//!
//! What a span says are ids, names, sizes and codes of the semantic conventions, never what somebody said or who said it.
//! Attributes are computed only when the span is recorded, so that a step that nobody looks at costs one look at a flag.

use std::{borrow::Cow, sync::OnceLock};

use opentelemetry::{
    Context as Parent, KeyValue,
    trace::{
        Link, Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags,
        TraceId, TraceState, Tracer as _,
    },
};
use opentelemetry_sdk::trace::{SdkTracer, Span as Recorded};

pub use self::attribute::Attribute;
use super::{Context, current};

mod attribute;

/// Set once, when the process begins to export.
static TRACER: OnceLock<Tracer> = OnceLock::new();

/// Where spans are made.
#[derive(Clone, Debug)]
pub(super) struct Tracer {
    pub(super) sdk: SdkTracer,
    /// Whether a step of a trace that is not recorded never is: then it need not be asked.
    pub(super) follows_parent: bool,
}

impl Tracer {
    /// From now on spans of this process are made here. The first stays.
    pub(super) fn install(self) {
        let _ = TRACER.set(self);
    }
}

/// What a step is to the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A step inside of a process.
    Internal,
    /// It answers a call.
    Server,
    /// It makes a call.
    Client,
    /// It hands something over that is taken later.
    Producer,
    /// It takes what was handed over.
    Consumer,
}

impl From<Kind> for SpanKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Internal => Self::Internal,
            Kind::Server => Self::Server,
            Kind::Client => Self::Client,
            Kind::Producer => Self::Producer,
            Kind::Consumer => Self::Consumer,
        }
    }
}

/// A step of a trace. It ends when it is dropped.
#[derive(Debug)]
#[must_use = "a step ends when it is dropped"]
pub struct Span {
    context: Context,
    recorded: Option<Box<Recorded>>,
}

impl Span {
    /// Something came in: the first step of a trace. Whether it is recorded is for the sampler to say.
    pub fn root<N: Into<Cow<'static, str>>>(kind: Kind, name: impl FnOnce() -> N) -> Self {
        Self::begin(TRACER.get(), None, None, kind, name)
    }

    /// Something came in, with a context that its sender gave. Of somebody who is `trusted` it is the step before this one. A stranger's
    /// decides nothing: whoever can send a webhook could have everything recorded or nothing, and write into traces of others. It is
    /// a link of a new trace, by which it is still found.
    pub fn entered<N: Into<Cow<'static, str>>>(
        given: Option<Context>,
        trusted: bool,
        kind: Kind,
        name: impl FnOnce() -> N,
    ) -> Self {
        if trusted {
            Self::begin(TRACER.get(), given, None, kind, name)
        } else {
            Self::begin(TRACER.get(), None, given, kind, name)
        }
    }

    /// The step that follows this context: what a row kept, or a call brought.
    pub fn of<N: Into<Cow<'static, str>>>(parent: Context, kind: Kind, name: impl FnOnce() -> N) -> Self {
        Self::begin(TRACER.get(), Some(parent), None, kind, name)
    }

    /// A step of the work that this is called from.
    pub fn here<N: Into<Cow<'static, str>>>(kind: Kind, name: impl FnOnce() -> N) -> Self {
        match current() {
            Some(parent) => Self::of(parent, kind, name),
            None => Self::unrecorded(Context::new()),
        }
    }

    /// A step that nobody looks at.
    pub const fn unrecorded(context: Context) -> Self {
        Self {
            context,
            recorded: None,
        }
    }

    fn begin<N: Into<Cow<'static, str>>>(
        tracer: Option<&Tracer>,
        parent: Option<Context>,
        link: Option<Context>,
        kind: Kind,
        name: impl FnOnce() -> N,
    ) -> Self {
        let unsampled = |tracer: &&Tracer| {
            let is_decided = tracer.follows_parent && parent.is_some_and(|parent| !parent.sampled);
            !is_decided
        };
        let Some(tracer) = tracer.filter(unsampled) else {
            return Self::unrecorded(parent.unwrap_or_default());
        };
        let mut builder = SpanBuilder::from_name(name()).with_kind(kind.into());
        if let Some(link) = link {
            builder = builder.with_links(vec![Link::with_context(link.into())]);
        }
        let parent = parent.map_or_else(Parent::new, |parent| {
            Parent::new().with_remote_span_context(parent.into())
        });
        let made = tracer.sdk.build_with_context(builder, &parent);
        Self {
            context: Context::of(made.span_context()).unwrap_or_default(),
            recorded: made.is_recording().then(|| Box::new(made)),
        }
    }

    /// What follows from this step is done in this context.
    #[must_use]
    pub const fn context(&self) -> Context {
        self.context
    }

    /// Whether somebody will look at it.
    #[must_use]
    pub const fn is_recorded(&self) -> bool {
        self.recorded.is_some()
    }

    /// Says something of it, by a name of the semantic conventions.
    pub fn set(&mut self, name: &'static str, value: impl Attribute) {
        if let Some(recorded) = &mut self.recorded
            && let Some(value) = value.value()
        {
            recorded.set_attribute(KeyValue::new(name, value));
        }
    }

    /// It did not do what it was begun for, for a reason that is one of few words.
    pub fn fail(&mut self, reason: &str) {
        if let Some(recorded) = &mut self.recorded {
            recorded.set_status(Status::error(""));
        }
        self.set("error.type", reason);
    }
}

impl Context {
    fn of(given: &SpanContext) -> Option<Self> {
        given.is_valid().then(|| Self {
            trace_id: u128::from_be_bytes(given.trace_id().to_bytes()),
            span_id: u64::from_be_bytes(given.span_id().to_bytes()),
            sampled: given.is_sampled(),
        })
    }
}

impl From<Context> for SpanContext {
    fn from(context: Context) -> Self {
        let Context {
            trace_id,
            span_id,
            sampled,
        } = context;
        Self::new(
            TraceId::from(trace_id),
            SpanId::from(span_id),
            TraceFlags::default().with_sampled(sampled),
            true,
            TraceState::NONE,
        )
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider as _;
    use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};

    use super::*;

    fn tracer(root: Sampler) -> Tracer {
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(root)))
            .build();
        Tracer {
            sdk: provider.tracer("test"),
            follows_parent: true,
        }
    }

    fn name() -> &'static str {
        "a step"
    }

    #[test]
    fn a_step_belongs_to_the_trace_of_the_one_before_it_and_has_an_id_of_its_own() {
        let tracer = tracer(Sampler::AlwaysOn);
        let first = Span::begin(Some(&tracer), None, None, Kind::Server, name);
        let before = first.context();

        let next = Span::begin(Some(&tracer), Some(before), None, Kind::Internal, name);

        assert!(next.is_recorded());
        assert_eq!(next.context().trace_id(), before.trace_id());
        assert_ne!(next.context(), before);
        let kept: Context = next.context().to_string().parse().unwrap();
        assert_eq!(kept, next.context(), "a row keeps it as it is");
    }

    #[test]
    fn without_a_collector_a_step_is_the_context_that_it_found() {
        let given: Context = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            .parse()
            .unwrap();
        let unasked = || -> &'static str { unreachable!("nobody reads the name") };

        let mut step = Span::begin(None, Some(given), None, Kind::Client, unasked);
        step.set("a", 1_i64);
        step.fail("nothing");

        assert!(!step.is_recorded() && step.context() == given);
        let first = Span::begin(None, None, Some(given), Kind::Client, unasked);
        assert_ne!(
            first.context().trace_id(),
            given.trace_id(),
            "a link is no parent"
        );
    }

    #[test]
    fn what_the_first_step_decided_holds_for_all_that_follow() {
        let (off, on) = (tracer(Sampler::AlwaysOff), tracer(Sampler::AlwaysOn));
        let first = Span::begin(Some(&off), None, None, Kind::Server, name);
        assert!(!first.is_recorded());

        let next = Span::begin(Some(&on), Some(first.context()), None, Kind::Server, name);

        assert!(!next.is_recorded(), "another process does not decide anew");
        assert_eq!(next.context(), first.context());
    }

    #[test]
    fn what_a_stranger_sends_decides_nothing() {
        let off = tracer(Sampler::AlwaysOff);
        let given: Context = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            .parse()
            .unwrap();

        let step = Span::begin(Some(&off), None, Some(given), Kind::Server, name);

        assert!(!step.is_recorded());
        assert_ne!(step.context().trace_id(), given.trace_id());
    }
}
