//! `sessions.create`: the session, and what is said in it first.

use gatehouse_core::{Caller, Failure, Kind};
use gatehouse_proto::session::v1 as proto;

use super::super::settings::SettingChanges;
use super::super::{Made, SessionPatch, SessionRecord};
use super::entry;
use super::request::Create;
use crate::agents::ModelName;
use crate::conversations;
use crate::error::Error;
use crate::turns::Engine;
use crate::turns::grpc::{self as turns, Said};
use crate::viewer::{Viewer, owner_of_new};

pub(crate) async fn create(
    engine: &Engine,
    caller: Option<Caller>,
    request: proto::CreateSessionRequest,
) -> Result<proto::CreateSessionResponse, Error> {
    let Create {
        session,
        mut patch,
        once,
        parent,
        succeeds,
        fork,
        message,
        attachments,
        run,
        timeout_ms,
    } = Create::try_from(request)?;
    let policy = engine.policy()?;
    let viewer = Viewer::behind(caller.as_ref());
    let key = session.resolve_to_act(engine, &viewer).await?;
    if let Some(Some(model)) = &mut patch.model {
        *model = policy.book.named("/model", model, policy.agents.of(&key).ok())?;
    }
    if let Some(Some(level)) = &mut patch.thinking_level {
        let model = patch.model.as_ref().and_then(Option::as_ref);
        *level = policy.level("/thinkingLevel", level.as_str(), &key, model)?;
    }
    patch.user = owner_of_new(caller.as_ref(), &key);
    let now = engine.now();
    let sessions = &engine.stores().sessions;
    if let Some(parent) = parent {
        let parent = parent.resolve(engine, &viewer).await?;
        if parent == key {
            return Err(Error::Field {
                path: "/parentSessionKey",
                problem: "is the session itself",
            });
        }
        match sessions.find(&parent).await? {
            Some(parent) if succeeds || fork.is_some() => inherit(&mut patch, &parent),
            Some(_) => {}
            // An agent's main session is always there, whether something was said in it or not.
            None if fork.is_none() && parent.is_main() && policy.agents.of(&parent).is_ok() => {}
            None => return Err(Error::NoParent(parent)),
        }
        patch.parent = Some(parent);
    }
    let source = patch.parent.clone();
    let session = match fork.zip(source) {
        Some((from, source)) => {
            let forked = conversations::fork(engine, &viewer, &source, &key, from, patch, once).await?;
            forked.session
        }
        None => {
            engine
                .change(key.clone(), "create", async {
                    let adopted = adopts(&patch);
                    let (mut session, made) = sessions.create(&key, patch, once, now).await?;
                    viewer.check(&session)?; // somebody else may have begun it since it was looked for
                    if made == Made::Found && adopted != SessionPatch::default() {
                        session = sessions.patch(&key, adopted, now).await?;
                    }
                    Ok((session.clone(), Some(session)))
                })
                .await?
        }
    };
    let made = proto::CreateSessionResponse {
        ok: true,
        key: session.key.to_string(),
        session_id: session.session_id.to_string(),
        entry: Some(entry(&session, engine)),
        ..proto::CreateSessionResponse::default()
    };
    let Some(text) = message else {
        return Ok(made);
    };
    Ok(
        match turns::say(engine, caller, &key, text, attachments, run, timeout_ms).await {
            Ok(Said { run, status }) => proto::CreateSessionResponse {
                run_started: Some(true),
                run_id: Some(run.to_string()),
                status: Some(status.to_owned()),
                entry: match sessions.find(&key).await? {
                    Some(session) => Some(entry(&session, engine)),
                    None => made.entry,
                },
                ..made
            },
            // Who tries again later has a session to say it in.
            Err(error) => proto::CreateSessionResponse {
                run_started: Some(false),
                run_error: Some(run_error(error)),
                ..made
            },
        },
    )
}

/// What a session that is there already is set to by a request for a new one. A name to show and a parent are of new sessions alone.
fn adopts(patch: &SessionPatch) -> SessionPatch {
    SessionPatch {
        label: patch.label.clone(),
        model: patch.model.clone(),
        thinking_level: patch.thinking_level.clone(),
        category: patch.category.clone(),
        ..SessionPatch::default()
    }
}

/// What a session is set to that is like another one.
pub(crate) fn like(session: &SessionRecord) -> SessionPatch {
    let mut patch = SessionPatch::default();
    inherit(&mut patch, session);
    patch
}

/// What a new session takes over from the one whose place it takes.
fn inherit(patch: &mut SessionPatch, parent: &SessionRecord) {
    let model = parent.model_override.clone();
    // One that was stored and is none is as good as none.
    let model = model.and_then(|model| ModelName::try_from(String::from(model)).ok());
    patch.model = patch.model.take().or(model.map(Some));
    patch.thinking_level = patch
        .thinking_level
        .take()
        .or(parent.thinking_level.clone().map(Some));
    patch.queue_mode = patch.queue_mode.or(parent.queue_mode.map(Some));
    patch.category = patch.category.take().or(parent.category.clone().map(Some));
    patch.settings = SettingChanges::like(&parent.settings);
}

/// Why something was not done, inside an answer that says that something else was.
pub(crate) fn run_error(error: Error) -> proto::RunError {
    let failure = Failure::from(error);
    let retryable = matches!(failure.kind, Kind::Exhausted | Kind::Unavailable);
    proto::RunError {
        code: if retryable {
            "UNAVAILABLE"
        } else {
            "INVALID_REQUEST"
        }
        .to_owned(),
        message: failure.message.to_string(),
        retryable: retryable.then_some(true),
    }
}
