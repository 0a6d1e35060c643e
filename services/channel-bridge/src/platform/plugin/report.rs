//! What a plugin says of messages that its platform took.

use gatehouse_proto::channel::v1::{
    InboundCommitted, InboundRefused, ReportState, Reported, run_account_request::Message as Told,
};

use crate::adapter::{InboundSink, ReceiveError, Report};

const fn state(wire: ReportState) -> Option<Report> {
    match wire {
        // Of a newer version.
        ReportState::Unspecified => None,
        ReportState::NotDelivered => Some(Report::NotDelivered),
        ReportState::Delivered => Some(Report::Delivered),
        ReportState::Read => Some(Report::Read),
    }
}

/// Keeps it. What is not understood counts as kept: said again it would be no better.
pub(super) async fn take(sink: InboundSink, wire: Reported) -> Told {
    let (seq, said) = (wire.seq, state(wire.state()));
    let kept = match said {
        Some(report) => sink.report(&wire.message_id, report).await,
        None => Ok(()),
    };
    match kept {
        Ok(()) => Told::Committed(InboundCommitted {
            seq,
            duplicate: false,
        }),
        Err(error) => Told::Refused(InboundRefused {
            seq,
            reason: error.to_string(),
            again: !matches!(error, ReceiveError::Invalid(_)),
        }),
    }
}
