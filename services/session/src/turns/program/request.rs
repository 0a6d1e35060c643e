//! What a program asks, read once.

use std::time::Duration;

use gatehouse_proto::agent::v1 as agent;
use gatehouse_proto::session::v1 as proto;
use sha2::{Digest, Sha256};
use uuid::Builder;

use super::super::bring::{Bringing, result};
use super::super::message::{Message, Surface, not_blank};
use super::super::queue::QueueMode;
use super::super::{Engine, TurnState};
use crate::agents::ModelName;
use crate::conversations;
use crate::error::Error;
use crate::id::RunId;
use crate::key::{self, SessionKey};
use crate::media::Attachments;
use crate::sessions::SessionRef;
use crate::store::{ForkFrom, SessionPatch};
use crate::thinking::Level;
use crate::viewer::Viewer;

/// Names of sessions that the gateway makes for its own work: what a program says there would be taken for that.
const RESERVED: [&str; 3] = ["subagent:", "cron:", "acp:"];

/// Runs under one idempotency key. Each begins when the one before had no answer.
const RUNS_MAX: u32 = 20;

/// A program's turn, as it is asked for.
#[derive(Debug)]
pub(super) struct Asked {
    place: Place,
    agent: Option<String>,
    key: RunId,
    pub(super) stays: Stays,
    /// Whether the program can forget what it was told.
    pub(super) takes_back: bool,
    text: String,
    attachments: Attachments,
    bringing: Bringing,
    model: Option<String>,
    thinking: Option<String>,
    timeout_ms: Option<i64>,
}

/// Which session.
#[derive(Debug)]
enum Place {
    Named(String),
    /// That of a person whom the program knows.
    User(String),
    /// That of an earlier run, or one that begins as far as that.
    After(RunId, &'static str),
    /// One of its own.
    Own(&'static str),
}

/// What becomes of a run that nobody follows any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stays {
    ToItsEnd,
    For(Duration),
}

impl TryFrom<proto::StreamTurnRequest> for Asked {
    type Error = Error;

    fn try_from(request: proto::StreamTurnRequest) -> Result<Self, Error> {
        let proto::StreamTurnRequest {
            message,
            idempotency_key,
            agent_id,
            session_key,
            user,
            continues,
            surface,
            keep_ms,
            model,
            thinking,
            timeout_ms,
            attachments,
            instructions,
            history,
            tool_results,
            tools,
            parameters,
            background,
            linger_ms,
            takes_back,
        } = request;
        let own = match surface.as_deref() {
            None | Some("openai") => "openai",
            Some("openresponses") => "openresponses",
            Some(_) => {
                return Err(Error::Field {
                    path: "/surface",
                    problem: "is neither `openai` nor `openresponses`",
                });
            }
        };
        let place = match (session_key, user, continues) {
            (Some(key), _, _) => Place::Named(key),
            (None, Some(user), _) => Place::User(user),
            (None, None, Some(run)) => Place::After(RunId::new(run), own),
            (None, None, None) => Place::Own(own),
        };
        let linger = u64::try_from(linger_ms.unwrap_or(0)).unwrap_or(0);
        let attachments = Attachments::read(attachments)?;
        let bringing = Bringing {
            program: agent::Program {
                tools,
                parameters,
                instructions: instructions.filter(|text| !text.trim().is_empty()),
                history: Vec::new(),
            },
            history: history
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
            results: tool_results.into_iter().map(result).collect(),
            keep_ms,
            goes_on: matches!(place, Place::After(..)),
            is_forked: false,
        };
        let text = message.unwrap_or_default();
        Ok(Self {
            place,
            agent: agent_id,
            key: RunId::new(idempotency_key),
            stays: if background.unwrap_or(false) {
                Stays::ToItsEnd
            } else {
                Stays::For(Duration::from_millis(linger))
            },
            takes_back: takes_back.unwrap_or(false),
            text: if bringing.has_results() {
                text
            } else {
                not_blank(text, &attachments)?
            },
            attachments,
            bringing,
            model,
            thinking,
            timeout_ms: timeout_ms.filter(|ms| *ms > 0),
        })
    }
}

impl Asked {
    /// The run under this key: one that goes on or was answered, or else the next.
    pub(super) async fn run(&self, engine: &Engine) -> Result<RunId, Error> {
        let mut run = self.key.clone();
        for number in 2..=RUNS_MAX {
            match engine.stores().turns.find(&run).await? {
                Some(turn) if has_no_answer(turn.state) => run = RunId::new(format!("{}.{number}", self.key)),
                Some(_) | None => break,
            }
        }
        Ok(run)
    }

    /// The message, said in its session.
    pub(super) async fn into_message(
        self,
        engine: &Engine,
        viewer: &Viewer,
        run: RunId,
    ) -> Result<Message, Error> {
        let Self {
            place,
            agent,
            key: _, // the run has it
            stays: _,
            takes_back: _,
            text,
            attachments,
            mut bringing,
            model,
            thinking,
            timeout_ms,
        } = self;
        let session = match place {
            Place::Named(name) => {
                let session = SessionRef::new(name, agent);
                let key = session.key(&engine.policy()?.agents)?;
                if RESERVED.iter().any(|reserved| key.rest().starts_with(reserved)) {
                    return Err(Error::Field {
                        path: "/sessionKey",
                        problem: "is a name that the gateway gives to sessions of its own work: choose another",
                    });
                }
                session
            }
            Place::User(user) => SessionRef::new(format!("openai-user:{}", key::part(&user)), agent),
            Place::After(before, surface) => {
                let name = format!("{surface}:{}", own_name(&run));
                let (key, is_forked) = after(engine, viewer, &before, &run, name).await?;
                bringing.is_forked = is_forked;
                SessionRef::new(key.to_string(), None)
            }
            Place::Own(surface) => SessionRef::new(format!("{surface}:{}", own_name(&run)), agent),
        };
        Ok(Message {
            surface: Surface::Program,
            session,
            text,
            attachments,
            literal: true, // a program says things to a model; what it wants of the gateway it asks by methods
            run,
            expected_session: None,
            mode: Some(QueueMode::Followup), // who asks by a call waits for the answer to it
            deliver: false,
            model: model.map(ModelName::known),
            thinking: thinking.map(Level::known),
            timeout_ms,
            bringing: Some(Box::new(bringing)),
        })
    }
}

/// The session in which a run goes on from an earlier one, and whether it was made for that: when something else was said there
/// since, it is another one, which begins with what was said up to the answer of the earlier run.
async fn after(
    engine: &Engine,
    viewer: &Viewer,
    before: &RunId,
    run: &RunId,
    name: String,
) -> Result<(SessionKey, bool), Error> {
    let stores = engine.stores();
    if let Some(known) = stores.turns.find(run).await? {
        return Ok((known.key, false)); // a repeat
    }
    let turn = stores.turns.find(before).await?;
    let turn = turn.ok_or_else(|| Error::NoRun(before.to_string()))?;
    let session = stores.sessions.find(&turn.key).await?;
    let session = session.ok_or_else(|| Error::NoRun(before.to_string()))?;
    viewer.check(&session)?;
    let is_newest = session.last_run.as_ref() == Some(before);
    let answer = match turn.answer_seq {
        Some(seq) if !is_newest => stores.transcripts.entry(&turn.key, seq).await?,
        Some(_) | None => None,
    };
    let Some(answer) = answer else {
        return Ok((turn.key, false));
    };
    let key = SessionKey::of(&turn.key.agent(), &name)?;
    let patch = SessionPatch {
        user: session.user,
        ..SessionPatch::default()
    };
    let from = ForkFrom::Row(answer.row.id);
    conversations::fork(engine, viewer, &turn.key, &key, from, patch, None).await?;
    Ok((key, true))
}

fn has_no_answer(state: TurnState) -> bool {
    match state {
        TurnState::Failed | TurnState::Aborted | TurnState::Interrupted => true,
        TurnState::Queued | TurnState::Leased | TurnState::Running | TurnState::Done => false,
    }
}

/// The name of a session of its own: the same for a repeat, and nobody else's.
fn own_name(run: &RunId) -> uuid::Uuid {
    let digest: [u8; 32] = Sha256::digest(run.as_str()).into();
    let mut bytes = [0; 16];
    for (byte, of_digest) in bytes.iter_mut().zip(digest) {
        *byte = of_digest;
    }
    Builder::from_custom_bytes(bytes).into_uuid()
}
