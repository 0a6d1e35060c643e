//! The steps of a message's trace in this service, by the names of OpenTelemetry for messaging. Chats and senders are not named: on
//! many platforms they are telephone numbers, and a collector may be anybody's.

use gatehouse_core::trace::{self, Context, Kind, Span};

/// A message comes in: its trace begins here, or with the request that the edge handed over.
pub(crate) fn receive(channel: &str, account: &str) -> Span {
    match trace::current() {
        Some(context) => of(context, Kind::Consumer, "receive", channel, account),
        None => {
            let step = Span::root(Kind::Consumer, || format!("receive {channel}"));
            said(step, "receive", channel, account)
        }
    }
}

/// What is to be done about it is decided, and it is handed to session.
pub(crate) fn process(context: Context, channel: &str, account: &str) -> Span {
    of(context, Kind::Consumer, "process", channel, account)
}

/// A reply leaves for the platform.
pub(crate) fn send(context: Context, channel: &str, account: &str) -> Span {
    of(context, Kind::Client, "send", channel, account)
}

/// The platform has taken a part of it, and its receipt is kept.
pub(crate) fn settle(channel: &str, account: &str) -> Span {
    let step = Span::here(Kind::Internal, || format!("settle {channel}"));
    said(step, "settle", channel, account)
}

fn of(context: Context, kind: Kind, operation: &'static str, channel: &str, account: &str) -> Span {
    let step = Span::of(context, kind, || format!("{operation} {channel}"));
    said(step, operation, channel, account)
}

fn said(mut step: Span, operation: &'static str, channel: &str, account: &str) -> Span {
    step.set("messaging.system", channel);
    step.set("messaging.operation.name", operation);
    step.set("messaging.operation.type", operation);
    step.set("gatehouse.account", account);
    step
}
