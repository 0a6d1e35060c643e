//! The bridge's end of an account's stream.

use std::collections::VecDeque;

use gatehouse_proto::channel::v1::{
    Inbound, InboundCommitted, InboundRefused, LoginWanted, Probe, ReportState, Reported, RunAccountRequest,
    RunAccountResponse, SendPart, StopAccount, part_answered::Outcome, run_account_request::Message as Asked,
    run_account_response::Message as Said,
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use tonic::Streaming;

use crate::{plugin::LOOK, server::DEADLINE};

/// The bridge's end of an account's stream.
pub(crate) struct Account {
    asking: mpsc::Sender<RunAccountRequest>,
    answers: Streaming<RunAccountResponse>,
    is_connected: bool,
    /// What was reported beside everything else.
    reported: VecDeque<(String, ReportState)>,
    /// Whether the word on reports is held back, and the one that waits for it.
    pub(crate) holds: bool,
    held: Option<u64>,
}

impl Account {
    pub(crate) fn new(
        asking: mpsc::Sender<RunAccountRequest>,
        answers: Streaming<RunAccountResponse>,
    ) -> Self {
        Self {
            asking,
            answers,
            is_connected: false,
            reported: VecDeque::new(),
            holds: false,
            held: None,
        }
    }

    pub(crate) async fn ask(&self, message: Asked) {
        let message = Some(message);
        let asked = self.asking.send(RunAccountRequest { message }).await;
        asked.expect("the stream is open");
    }

    /// What the plugin says next, signs of life and reports aside. `None`: it has closed the stream.
    pub(crate) async fn said(&mut self) -> Option<Said> {
        loop {
            match self.next().await? {
                Said::Heard(_) => {}
                Said::Reported(reported) => self.report(reported).await,
                said => return Some(said),
            }
        }
    }

    async fn next(&mut self) -> Option<Said> {
        let answer = timeout(DEADLINE, self.answers.message()).await.expect("in time");
        Some(answer.expect("no error")?.message.expect("a message"))
    }

    /// As the bridge does: in the order in which it was said.
    async fn report(&mut self, reported: Reported) {
        let (seq, duplicate) = (reported.seq, false);
        let state = reported.state();
        self.reported.push_back((reported.message_id, state));
        if self.holds {
            self.held = Some(seq);
        } else {
            self.ask(Asked::Committed(InboundCommitted { seq, duplicate }))
                .await;
        }
    }

    /// The report that comes next.
    pub(crate) async fn reported(&mut self) -> (String, ReportState) {
        loop {
            if let Some(reported) = self.reported.pop_front() {
                return reported;
            }
            match self.next().await.expect("the stream is open") {
                Said::Heard(_) => {}
                Said::Connected(_) if !self.is_connected => self.is_connected = true,
                Said::Reported(reported) => self.report(reported).await,
                other => panic!("{other:?}"),
            }
        }
    }

    /// Answers reports until something has come about.
    pub(crate) async fn answers_until(&mut self, come: impl Future<Output = ()>) {
        let mut come = std::pin::pin!(come);
        loop {
            tokio::select! {
                () = &mut come => return,
                said = self.next() => match said.expect("the stream is open") {
                    Said::Heard(_) => {}
                    Said::Connected(_) if !self.is_connected => self.is_connected = true,
                    Said::Reported(reported) => self.report(reported).await,
                    other => panic!("{other:?}"),
                },
            }
        }
    }

    /// Gives the word on the report that is held back. `Some`: why it is not kept.
    pub(crate) async fn releases(&mut self, error: Option<&str>) {
        self.holds = false;
        let (seq, duplicate, again) = (self.held.take().expect("a report"), false, true);
        let word = match error.map(str::to_owned) {
            Some(reason) => Asked::Refused(InboundRefused { seq, reason, again }),
            None => Asked::Committed(InboundCommitted { seq, duplicate }),
        };
        self.ask(word).await;
    }

    /// Waits until it is connected, which it is once what waited for it is committed.
    pub(crate) async fn connected(&mut self) {
        if !self.is_connected {
            let said = self.said().await;
            assert!(matches!(said, Some(Said::Connected(_))), "{said:?}");
            self.is_connected = true;
        }
    }

    pub(crate) async fn login(&mut self) -> LoginWanted {
        match self.said().await {
            Some(Said::Login(login)) => login,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until it is linked and connected: what it said on the way.
    pub(crate) async fn linked(&mut self) -> Vec<String> {
        let mut notices = Vec::new();
        loop {
            match self.said().await {
                Some(Said::Notice(notice)) => notices.extend(notice.text),
                Some(Said::Login(_)) => {}
                Some(Said::Connected(_)) => return notices,
                other => panic!("{other:?}"),
            }
        }
    }

    /// The message that comes next. What waited for us may come before we are connected.
    pub(crate) async fn heard(&mut self) -> Inbound {
        loop {
            match self.said().await {
                Some(Said::Inbound(inbound)) => return *inbound,
                Some(Said::Connected(_)) if !self.is_connected => self.is_connected = true,
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) async fn commit(&self, inbound: &Inbound) {
        let (seq, duplicate) = (inbound.seq, false);
        self.ask(Asked::Committed(InboundCommitted { seq, duplicate }))
            .await;
    }

    pub(crate) async fn refuse(&self, inbound: &Inbound) {
        let reason = "the inbox is full".to_owned();
        let (seq, again) = (inbound.seq, true);
        self.ask(Asked::Refused(InboundRefused { seq, reason, again }))
            .await;
    }

    /// Says a part. What became of it.
    pub(crate) async fn send(&mut self, part: SendPart) -> Outcome {
        let id = part.id;
        self.ask(Asked::Send(part)).await;
        match self.said().await {
            Some(Said::Part(answered)) if answered.id == id => answered.outcome.expect("an outcome"),
            other => panic!("{other:?}"),
        }
    }

    /// Says a part that WhatsApp takes: its message.
    pub(crate) async fn sent(&mut self, part: SendPart) -> String {
        match self.send(part).await {
            Outcome::Sent(sent) => sent.platform_id,
            other => panic!("{other:?}"),
        }
    }

    /// Asks for signs of life until there is one.
    pub(crate) async fn probe(&mut self) {
        let until = Instant::now() + DEADLINE;
        loop {
            self.ask(Asked::Probe(Probe {})).await;
            if let Ok(answer) = timeout(LOOK, self.answers.message()).await {
                let said = answer.expect("no error").and_then(|said| said.message);
                assert!(matches!(said, Some(Said::Heard(_))), "{said:?}");
                return;
            }
            assert!(Instant::now() < until, "WhatsApp is not there");
        }
    }

    /// The end that comes next: why, and whether it is for good.
    pub(crate) async fn ended(&mut self) -> (String, bool) {
        match self.said().await {
            Some(Said::Ended(ended)) => (ended.reason, ended.for_good),
            other => panic!("{other:?}"),
        }
    }

    /// The bridge wants the end, and waits for it.
    pub(crate) async fn stop(mut self) {
        self.ask(Asked::Stop(StopAccount {})).await;
        while self.said().await.is_some() {}
    }
}
