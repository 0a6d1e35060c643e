//! A run, told to the program that reads it.

use std::pin::Pin;
use std::time::Duration;

use futures::{Stream, stream};
use gatehouse_core::{Caller, Chain, Failure, Kind};
use gatehouse_proto::agent::v1::{FailureKind, ToolCallDelta};
use gatehouse_proto::session::v1 as proto;
use tokio::{runtime::Handle, time};
use tonic::Status;

use super::super::outcome::status;
use super::super::taps::{Piece, Tap};
use super::super::{Engine, Submitted, Turn};
use super::request::{Asked, Stays};
use crate::error::Error;
use crate::id::RunId;
use crate::key::SessionKey;
use crate::rows;
use crate::store::Entry;
use crate::viewer::Viewer;

/// How long an end is waited for at a time; then it is looked at anew.
const LOOK: Duration = Duration::from_secs(600);

/// What is told when an answer was begun anew and its reader cannot forget the words before.
const BEGUN_ANEW: &str = "a part of the gateway went away in the middle of the answer, which was begun anew with other words; \
     ask again with the same idempotency key for the whole of it";

/// What who may ask again is told to wait.
const COME_BACK: Duration = Duration::from_secs(1);

/// What is told.
pub(super) type StreamTurnStream =
    Pin<Box<dyn Stream<Item = Result<proto::StreamTurnResponse, Status>> + Send>>;

type Waiting = Pin<Box<dyn Future<Output = Result<Turn, Error>> + Send>>;

/// Takes the message, and answers what happens from then on.
pub(super) async fn begin(
    engine: &Engine,
    caller: Option<Caller>,
    request: proto::StreamTurnRequest,
) -> Result<StreamTurnStream, Error> {
    let asked = Asked::try_from(request)?;
    let (stays, takes_back) = (asked.stays, asked.takes_back);
    let run = asked.run(engine).await?;
    let mut tap = engine.tap(&run, takes_back); // before it can say anything
    let viewer = Viewer::behind(caller.as_ref());
    let message = asked.into_message(engine, &viewer, run.clone()).await?;
    let Submitted { turn, duplicate } = message.submit(engine, caller).await?;
    let mut told = vec![proto::StreamTurnResponse {
        run: Some(proto::StartedTurn {
            run_id: turn.run.to_string(),
            session_key: turn.key.to_string(),
            agent_id: turn.key.agent().to_string(),
        }),
        ..proto::StreamTurnResponse::default()
    }];
    let late = engine
        .in_flight(&turn.key)
        .filter(|under_way| duplicate && under_way.run == turn.run);
    if let Some(under_way) = late {
        tap.begin_behind(&under_way.text, under_way.seq);
        told.extend(text(under_way.text));
    }
    let reading = Reading {
        ended: wait(engine, &turn.run),
        leaves: Leaves {
            engine: engine.clone(),
            key: turn.key.clone(),
            run: turn.run.clone(),
            stays,
            is_over: false,
        },
        tap,
        has_missed: duplicate,
        said: told.len() > 1,
        takes_back,
        has_called: false,
        failure: None,
        is_over: false,
        over: None,
        told: told.into_iter().map(Ok).rev().collect(),
    };
    Ok(Box::pin(stream::unfold(reading, async |mut reading| {
        let next = reading.next().await?;
        Some((next, reading))
    })))
}

fn wait(engine: &Engine, run: &RunId) -> Waiting {
    let (engine, run) = (engine.clone(), run.clone());
    Box::pin(async move { engine.wait(&run, LOOK).await })
}

/// How far a program has read a run.
struct Reading {
    /// Dropped first: who looks whether others read the run does not find this one.
    tap: Tap,
    leaves: Leaves,
    ended: Waiting,
    /// Whether it came when something may have been said already.
    has_missed: bool,
    said: bool,
    /// Whether what was told can be taken back.
    takes_back: bool,
    /// Whether a piece of a call was told. Those of an answer that is begun anew would be read as more of them.
    has_called: bool,
    failure: Option<FailureKind>,
    /// Nothing more is told.
    is_over: bool,
    over: Option<Turn>,
    /// What is to be told next, the last one first.
    told: Vec<Result<proto::StreamTurnResponse, Status>>,
}

impl Reading {
    async fn next(&mut self) -> Option<Result<proto::StreamTurnResponse, Status>> {
        loop {
            if let Some(next) = self.told.pop() {
                return Some(next);
            }
            if self.is_over {
                return None;
            }
            if let Some(turn) = &self.over {
                match self.tap.take() {
                    Some(piece) => self.take(piece),
                    None => {
                        let turn = turn.clone();
                        self.is_over = true;
                        self.leaves.is_over = true;
                        if let Err(error) = self.end(&turn).await {
                            return Some(Err(error.into()));
                        }
                    }
                }
                continue;
            }
            tokio::select! {
                biased;
                piece = self.tap.next() => self.take(piece),
                turn = &mut self.ended => match turn {
                    Ok(turn) if turn.state.is_terminal() => self.over = Some(turn),
                    Ok(turn) => self.ended = wait(&self.leaves.engine, &turn.run),
                    Err(error) => {
                        self.is_over = true;
                        self.leaves.is_over = true;
                        return Some(Err(error.into()));
                    }
                },
            }
        }
    }

    fn take(&mut self, piece: Piece) {
        let nothing = proto::StreamTurnResponse::default();
        let told = match piece {
            Piece::Model { provider, model } => proto::StreamTurnResponse {
                model: Some(proto::AskedModel { provider, model }),
                ..nothing
            },
            Piece::Text { text: said, .. } => {
                self.said = true;
                self.told.extend(text(said).map(Ok));
                return;
            }
            Piece::Thinking(thinking) => proto::StreamTurnResponse {
                thinking: Some(thinking),
                ..nothing
            },
            Piece::Notice(notice) => proto::StreamTurnResponse {
                notice: Some(notice),
                ..nothing
            },
            Piece::WasThinking => proto::StreamTurnResponse {
                text_was_thinking: Some(true),
                ..nothing
            },
            Piece::Call(call) => {
                (self.said, self.has_called) = (true, true);
                call_piece(call)
            }
            Piece::Failed(kind) => {
                self.failure = Some(kind);
                return;
            }
            Piece::Anew if self.takes_back => {
                (self.said, self.has_called) = (false, false);
                proto::StreamTurnResponse {
                    begun_anew: Some(true),
                    ..nothing
                }
            }
            Piece::Anew if !self.has_called => return, // what says the same goes on
            Piece::Anew | Piece::Rewritten => {
                let told = Failure::new(Kind::Unavailable, BEGUN_ANEW).reason("answer-begun-anew");
                self.told.push(Err(told.retry_after(COME_BACK).into()));
                // Who may come back finds the whole answer by the key. For whom nobody waits any more, the run is stopped.
                self.is_over = true;
                self.leaves.is_over = self.leaves.stays != Stays::For(Duration::ZERO);
                return;
            }
        };
        self.told.push(Ok(told));
    }

    /// What is told at the end; of a run that was not read from its beginning, what was missed of it.
    async fn end(&mut self, turn: &Turn) -> Result<(), Error> {
        let stores = self.leaves.engine.stores();
        let answer = match turn.answer_seq {
            Some(seq) => stores.transcripts.entry(&turn.key, seq).await?,
            None => None,
        };
        let status = status(turn);
        let end = proto::EndedTurn {
            status: status.to_owned(),
            stop_reason: turn.stop_reason.clone().map(String::from),
            usage: answer.as_ref().and_then(|answer| rows::usage(&answer.row)),
            failure: self.failure.map(|kind| word(kind).to_owned()),
            error: turn.error.clone(),
        };
        self.told.push(Ok(proto::StreamTurnResponse {
            end: Some(end),
            ..proto::StreamTurnResponse::default()
        }));
        // Who came late may have missed the beginning of a call or of a thought.
        let has_gap = self.has_missed && (self.takes_back || !self.said);
        let missed = answer.filter(|_| has_gap && status == "ok");
        self.told.extend(missed.iter().flat_map(whole).rev().map(Ok));
        if missed.is_some() && self.said {
            self.told.push(Ok(proto::StreamTurnResponse {
                begun_anew: Some(true),
                ..proto::StreamTurnResponse::default()
            }));
        }
        Ok(())
    }
}

/// All that an answer says.
fn whole(answer: &Entry) -> Vec<proto::StreamTurnResponse> {
    let content = rows::content_of(&answer.row.content);
    let calls = (0..).zip(content.calls()).map(|(index, call)| {
        call_piece(ToolCallDelta {
            index,
            id: Some(call.id.clone()),
            name: Some(call.name.clone()),
            arguments: call.arguments.get().to_owned(),
        })
    });
    text(content.words()).into_iter().chain(calls).collect()
}

fn text(said: String) -> Option<proto::StreamTurnResponse> {
    (!said.is_empty()).then(|| proto::StreamTurnResponse {
        text: Some(said),
        ..proto::StreamTurnResponse::default()
    })
}

fn call_piece(call: ToolCallDelta) -> proto::StreamTurnResponse {
    let ToolCallDelta {
        index,
        id,
        name,
        arguments,
    } = call;
    proto::StreamTurnResponse {
        tool_call: Some(proto::ToolCallPiece {
            index: index.into(),
            id,
            name,
            arguments,
        }),
        ..proto::StreamTurnResponse::default()
    }
}

fn word(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Unspecified => "unknown",
        FailureKind::Auth => "auth",
        FailureKind::RateLimit => "rate_limit",
        FailureKind::Context => "context",
        FailureKind::Timeout => "timeout",
        FailureKind::Unavailable => "unavailable",
        FailureKind::Rejected => "rejected",
        FailureKind::Config => "config",
        FailureKind::Moderation => "moderation",
        FailureKind::ModelMissing => "model_missing",
        FailureKind::Empty | FailureKind::Silent => "empty",
    }
}

/// Stops a run when its last reader is gone.
struct Leaves {
    engine: Engine,
    key: SessionKey,
    run: RunId,
    stays: Stays,
    /// Whether it has ended, or goes on without readers.
    is_over: bool,
}

impl Drop for Leaves {
    fn drop(&mut self) {
        let Stays::For(linger) = self.stays else { return };
        // At the end of the process readers are let go, and the run is not: the next process has it.
        if self.is_over || self.engine.is_stopping() {
            return;
        }
        let (engine, key, run) = (self.engine.clone(), self.key.clone(), self.run.clone());
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        runtime.spawn(async move {
            time::sleep(linger).await;
            if engine.readers(&run) > 0 || engine.is_stopping() {
                return;
            }
            tracing::debug!(run.id = %run, "the program that asked is gone: its run is stopped");
            if let Err(error) = engine.abort(key, Some(run)).await {
                tracing::warn!(error = %Chain(&error), "a run that nobody reads could not be stopped");
            }
        });
    }
}
