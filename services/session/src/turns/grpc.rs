//! `chat.send`, `chat.abort`, `agent`, `agent.wait`: parse, ask, answer.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use gatehouse_core::content::Block;
use gatehouse_core::{Caller, Content, Timestamp, hex, trace};
use gatehouse_proto::session::v1 as proto;
use sha2::{Digest, Sha256};
use tonic::Status;

use super::bring::{Kept, results_row};
use super::destination::Destination;
use super::fingerprint::Fingerprint;
use super::message::{Message, Surface, not_blank};
use super::outcome::status;
use super::queue::QueueMode;
use super::readable::Readable;
use super::results::check_results;
use super::{Admission, Engine, Progress, Reply, Seed, Submitted, TurnState};
use crate::agents::ModelName;
use crate::commands::{self, Speaker};
use crate::deliveries::Recall;
use crate::error::Error;
use crate::id::{RunId, SessionId};
use crate::key::SessionKey;
use crate::media::Attachments;
use crate::rows::{self, text_of};
use crate::sessions::SessionRef;
use crate::thinking::Level;
use crate::transcripts::NewEntry;
use crate::viewer::{Viewer, owner_of_new};

/// How long `agent.wait` waits when the caller does not say: the contract's figure.
const WAIT_MS_DEFAULT: i64 = 30_000;
/// The longest wait: the contract's figure. A stream of `agent` ends then too; the run goes on.
const WAIT_MS_MAX: i64 = 3_600_000;

/// The two answers of `agent`.
pub(crate) type RunAgentStream = Pin<Box<dyn Stream<Item = Result<proto::RunAgentResponse, Status>> + Send>>;

impl TryFrom<proto::SendChatRequest> for Message {
    type Error = Error;

    fn try_from(request: proto::SendChatRequest) -> Result<Self, Error> {
        let proto::SendChatRequest {
            session_key,
            message,
            idempotency_key,
            agent_id,
            session_id,
            queue_mode,
            deliver,
            thinking,
            timeout_ms,
            attachments,
            suppress_command_interpretation,
        } = request;
        let attachments = Attachments::read(attachments)?;
        Ok(Self {
            surface: Surface::Chat,
            session: SessionRef::new(session_key, agent_id),
            text: not_blank(message, &attachments)?,
            attachments,
            literal: suppress_command_interpretation.unwrap_or(false),
            run: RunId::new(idempotency_key),
            expected_session: session_id.map(SessionId::new),
            mode: queue_mode.map(QueueMode::try_from).transpose()?,
            deliver: deliver.unwrap_or(false),
            model: None,
            thinking: thinking.map(Level::known),
            timeout_ms,
            bringing: None,
        })
    }
}

impl TryFrom<proto::RunAgentRequest> for Message {
    type Error = Error;

    fn try_from(request: proto::RunAgentRequest) -> Result<Self, Error> {
        let proto::RunAgentRequest {
            message,
            idempotency_key,
            agent_id,
            session_key,
            deliver,
            timeout,
            model,
            thinking,
            attachments,
        } = request;
        let attachments = Attachments::read(attachments)?;
        let session_key = session_key.unwrap_or_else(|| "main".to_owned());
        Ok(Self {
            surface: Surface::Agent,
            session: SessionRef::new(session_key, agent_id),
            text: not_blank(message, &attachments)?,
            attachments,
            literal: false,
            run: RunId::new(idempotency_key),
            expected_session: None,
            mode: None,
            deliver: deliver.unwrap_or(false),
            model: model.map(ModelName::known),
            thinking: thinking.map(Level::known),
            timeout_ms: timeout
                .filter(|seconds| *seconds > 0)
                .map(|seconds| seconds * 1000),
            bringing: None,
        })
    }
}

impl Message {
    /// What makes a repeat the same message: also what older versions took it for. `media` are the ids of what belongs to it, `kept` is
    /// what a program brought.
    fn fingerprint(&self, key: &SessionKey, media: &[&str], kept: &Kept) -> Fingerprint {
        let brought = hex::encode(&Sha256::digest(kept.bytes()));
        let deliver = if self.deliver { "deliver" } else { "" };
        let thinking = self.thinking.as_ref().map(Level::as_str);
        let model = self.model.as_ref().map_or("", ModelName::as_str);
        let mut parts = match self.surface {
            Surface::Chat => vec!["chat", key.as_str(), &self.text, deliver],
            Surface::Agent => vec!["agent", key.as_str(), &self.text, deliver, model],
            Surface::Program => vec!["program", key.as_str(), &self.text, model, &brought],
        };
        if !media.is_empty() {
            parts.push("media");
            parts.extend(media);
        }
        Fingerprint::with_thinking(&parts, thinking)
    }

    async fn say(self, engine: &Engine, caller: Option<Caller>) -> Result<Said, Error> {
        let Submitted { turn, duplicate } = self.submit(engine, caller).await?;
        let status = match turn.state {
            _ if !duplicate => "started",
            TurnState::Queued | TurnState::Leased | TurnState::Running => "in_flight",
            TurnState::Done => "ok",
            TurnState::Failed | TurnState::Interrupted => "error",
            TurnState::Aborted => "aborted",
        };
        Ok(Said {
            run: turn.run,
            status,
        })
    }

    pub(super) async fn submit(
        mut self,
        engine: &Engine,
        caller: Option<Caller>,
    ) -> Result<Submitted, Error> {
        let policy = engine.policy()?;
        let viewer = Viewer::behind(caller.as_ref());
        let key = self.session.resolve_to_act(engine, &viewer).await?;
        if let Some(model) = &mut self.model {
            *model = policy.book.named("/model", model, policy.agents.of(&key).ok())?;
        }
        let Destination {
            key,
            queue,
            model,
            forbids_sending,
        } = Destination::find(engine.stores(), &policy, key, None, self.mode).await?;
        let model = self.model.as_ref().or(model.as_ref());
        let thinking = self
            .thinking
            .as_ref()
            .map(Level::as_str)
            .filter(|word| !word.trim().is_empty())
            .map(|word| policy.level("/thinking", word, &key, model))
            .transpose()?;
        let speaker = Speaker::client(caller.clone(), self.literal);
        let for_gateway = || {
            let words = Content::text(self.text.clone());
            self.attachments.is_empty() && commands::is_for_gateway(&words, &speaker, &policy)
        };
        if forbids_sending && !for_gateway() {
            return Err(Error::SendBlocked);
        }
        let attachments = std::mem::take(&mut self.attachments);
        let content = attachments
            .keep(self.text.clone(), engine.media(), policy.media_bytes_max)
            .await?;
        let media: Vec<&str> = content.blocks().iter().filter_map(media_id).collect();
        let now = engine.now();
        let kept = match self.bringing.take() {
            // Boxed, because most messages bring nothing.
            Some(bringing) => {
                let mut readable = Readable::by(&policy, &key, model)?;
                readable.check(&content, "/attachments")?;
                // A repeat finds its results answered.
                if engine.stores().turns.find(&self.run).await?.is_none() {
                    check_results(&bringing, &key, engine.stores()).await?;
                }
                let keeping = bringing.keep(engine.media(), policy.media_bytes_max, &mut readable, now);
                Box::pin(keeping).await?
            }
            None => Kept::default(),
        };
        let fingerprint = self.fingerprint(&key, &media, &kept).into_bytes();
        let mut entry = NewEntry::of_person(&content, &self.run, None, now);
        if let Some(results) = &kept.results {
            entry = results_row(results, entry);
        }
        if let Some(Caller {
            user_id: Some(id),
            user_name,
            ..
        }) = &caller
        {
            entry.extra.sender_label = Some(user_name.as_ref().unwrap_or(id).clone());
            entry.extra.user = Some(id.clone());
        }
        let admission = Admission {
            entry,
            fingerprint,
            queue,
            reply: if self.deliver {
                Reply::SessionChat
            } else {
                Reply::Clients
            },
            seed: Seed {
                user: owner_of_new(caller.as_ref(), &key),
                ..Seed::default()
            },
            viewer,
            expected_session: self.expected_session,
            sender: caller.as_ref().and_then(|caller| caller.user_id.clone()),
            inbound: None,
            model: self.model,
            thinking,
            timeout_ms: self.timeout_ms,
            task: None,
            brought: kept.brought,
            life: Some(Arc::clone(&policy.life)),
            trace: trace::current().unwrap_or_default(),
            now,
            key,
            run: self.run,
        };
        let run = admission.run.clone();
        let is_first = caller
            .as_ref()
            .is_some_and(|caller| engine.follow(&admission.key, &run, caller));
        let taken = Box::pin(commands::take(engine, &policy, &speaker, admission)).await;
        match &taken {
            Ok(taken) => engine.answered(&run, taken.turn.state.is_terminal()),
            // A run of this id that goes on keeps who follows it.
            Err(_) if is_first => engine.answered(&run, true),
            Err(_) => {}
        }
        taken
    }
}

fn media_id(block: &Block) -> Option<&str> {
    match block {
        Block::Media(media) => media.source.id(),
        _ => None,
    }
}

pub(crate) async fn send(
    engine: &Engine,
    caller: Option<Caller>,
    request: proto::SendChatRequest,
) -> Result<proto::SendChatResponse, Error> {
    let Said { run, status } = Message::try_from(request)?.say(engine, caller).await?;
    Ok(proto::SendChatResponse {
        run_id: run.to_string(),
        status: status.to_owned(),
    })
}

/// A message that was taken, as its sender hears of it.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) run: RunId,
    /// `started`, or how the run stands that a repeat began.
    pub(crate) status: &'static str,
}

/// Says something in a session, as `chat.send` does.
pub(crate) async fn say(
    engine: &Engine,
    caller: Option<Caller>,
    key: &SessionKey,
    text: String,
    attachments: Attachments,
    run: RunId,
    timeout_ms: Option<i64>,
) -> Result<Said, Error> {
    let message = Message {
        surface: Surface::Chat,
        session: SessionRef::new(key.to_string(), None),
        text: not_blank(text, &attachments)?,
        attachments,
        literal: false,
        run,
        expected_session: None,
        mode: None,
        deliver: false,
        model: None,
        thinking: None,
        timeout_ms,
        bringing: None,
    };
    message.say(engine, caller).await
}

pub(crate) async fn abort(
    engine: &Engine,
    recall: &Recall,
    viewer: &Viewer,
    request: proto::AbortChatRequest,
) -> Result<proto::AbortChatResponse, Error> {
    let proto::AbortChatRequest {
        session_key,
        agent_id,
        run_id,
    } = request;
    let key = SessionRef::new(session_key, agent_id)
        .resolve(engine, viewer)
        .await?;
    let run = run_id.map(RunId::new);
    let stopped = engine.abort(key.clone(), run.clone()).await?;
    // After the runs: what one of them said last is taken back as well.
    let session = engine.stores().sessions.find(&key).await?;
    let dropped = if session.is_some_and(|session| session.target.is_some()) {
        recall.of_session(&key, run.as_ref()).await?
    } else {
        0
    };
    Ok(proto::AbortChatResponse {
        ok: true,
        aborted: !stopped.is_empty() || dropped > 0,
        dropped_count: (dropped > 0).then_some(dropped),
        run_ids: stopped.iter().map(ToString::to_string).collect(),
    })
}

pub(crate) async fn run(
    engine: &Engine,
    caller: Option<Caller>,
    request: proto::RunAgentRequest,
) -> Result<RunAgentStream, Error> {
    let Submitted { turn, duplicate: _ } = Message::try_from(request)?.submit(engine, caller).await?;
    let accepted = proto::RunAgentResponse {
        run_id: turn.run.to_string(),
        status: "accepted".to_owned(),
        session_key: turn.key.to_string(),
        agent_id: turn.key.agent().to_string(),
        accepted_at: Some(turn.queued_at.as_ms()),
        summary: None,
        result: None,
    };
    let engine = engine.clone();
    let end = stream::once(async move { end(&engine, &turn.run, &turn.key).await.map_err(Status::from) });
    Ok(Box::pin(stream::once(async { Ok(accepted) }).chain(end)))
}

async fn end(engine: &Engine, run: &RunId, key: &SessionKey) -> Result<proto::RunAgentResponse, Error> {
    let longest = Duration::from_millis(u64::try_from(WAIT_MS_MAX).unwrap_or(0));
    let mut turn = engine.wait(run, longest).await?;
    while let Some(other) = turn.merged_into.clone() {
        turn = engine.wait(&other, longest).await?; // the answer is that of the turn it was merged into
    }
    let answer = match turn.answer_seq {
        Some(seq) => engine.stores().transcripts.entry(key, seq).await?,
        None => None,
    };
    let text = answer
        .as_ref()
        .map(|entry| text_of(&entry.row.content))
        .unwrap_or_default();
    let session = engine.stores().sessions.find(key).await?;
    let agent_meta = answer.zip(session).map(|(entry, session)| proto::RunAgentMeta {
        session_id: session.session_id.to_string(),
        provider: entry.row.extra.provider.clone(),
        model: entry.row.extra.model.clone(),
        usage: rows::usage(&entry.row),
    });
    let summary = turn.error.clone().unwrap_or_else(|| match turn.state {
        TurnState::Done => "completed".to_owned(),
        TurnState::Queued | TurnState::Leased | TurnState::Running => "still running".to_owned(),
        TurnState::Failed | TurnState::Aborted | TurnState::Interrupted => turn.state.word().to_owned(),
    });
    let duration_ms = turn
        .ended_at
        .zip(turn.started_at)
        .map_or(0, |(end, start)| end.ms_since(start).max(0)); // the clock may have been set back between
    Ok(proto::RunAgentResponse {
        run_id: run.to_string(),
        status: status(&turn).to_owned(),
        session_key: key.to_string(),
        agent_id: key.agent().to_string(),
        accepted_at: None,
        summary: Some(summary),
        result: Some(proto::RunResult {
            payloads: vec![proto::ReplyPayload {
                text,
                media_url: None,
            }],
            meta: Some(proto::RunMeta {
                duration_ms,
                stop_reason: turn.stop_reason.map(String::from),
                agent_meta,
            }),
        }),
    })
}

pub(crate) async fn wait(
    engine: &Engine,
    viewer: &Viewer,
    request: proto::WaitAgentRequest,
) -> Result<proto::WaitAgentResponse, Error> {
    let proto::WaitAgentRequest { run_id, timeout_ms } = request;
    let patience = timeout_ms.unwrap_or(WAIT_MS_DEFAULT).clamp(0, WAIT_MS_MAX);
    let patience = Duration::from_millis(u64::try_from(patience).unwrap_or(0));
    let run = RunId::new(run_id);
    let turn = engine.wait(&run, patience).await?;
    // Behind the wait, for the run may have come while it was waited for.
    if viewer.check_key(engine, &turn.key).await.is_err() {
        return Err(Error::NoRun(run.to_string()));
    }
    Ok(proto::WaitAgentResponse {
        run_id: turn.run.to_string(),
        status: status(&turn).to_owned(),
        started_at: turn.started_at.map(Timestamp::as_ms),
        ended_at: turn.ended_at.map(Timestamp::as_ms),
        stop_reason: turn.stop_reason.map(String::from),
        error: turn.error,
    })
}

/// What a run writes, as it writes it.
pub(crate) type FollowRunStream =
    Pin<Box<dyn Stream<Item = Result<proto::FollowRunResponse, Status>> + Send>>;

pub(crate) fn follow(engine: &Engine, request: proto::FollowRunRequest) -> FollowRunStream {
    let proto::FollowRunRequest { run_id, lasting } = request;
    let reader = engine.read_along(RunId::new(run_id), lasting);
    Box::pin(stream::unfold(Some(reader), async |reader| {
        let mut reader = reader?;
        match reader.next().await {
            Ok(Some(progress)) => Some((Ok(progress.into()), Some(reader))),
            Ok(None) => None,
            Err(error) => Some((Err(error.into()), None)),
        }
    }))
}

impl From<Progress> for proto::FollowRunResponse {
    fn from(progress: Progress) -> Self {
        match progress {
            Progress::Text { text, replace } => Self {
                text,
                replace,
                end: None,
            },
            Progress::End { replies } => Self {
                end: Some(proto::RunEnd { replies }),
                ..Self::default()
            },
        }
    }
}
