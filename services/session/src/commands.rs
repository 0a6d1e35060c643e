//! What is typed behind a slash: answered by the gateway, and no model hears of it.
//!
//! Every message comes through [`take`], whatever its way in: from a screen, a program or a chat. One that begins with a known
//! command is answered at once, whatever runs in its session, and what it changes is stored in one transaction with its answer;
//! a repeat finds the answer and does nothing twice. All else is said to the agent, also `/what/is/no/command`. Who may use what
//! is in one place (`speaker`), and which commands there are in another (`table`).

mod absent;
mod answers;
mod conversation;
mod grpc;
mod help;
mod line;
mod settings;
mod speaker;
mod status;
mod table;
#[cfg(test)]
mod tests;
mod words;

use gatehouse_core::Content;

use self::answers::Said;
pub(crate) use self::conversation::is_worth_it as is_worth_a_summary;
pub(crate) use self::grpc::{CommandGrpc, entries};
use self::line::Line;
pub(crate) use self::speaker::{Chatter, Speaker};
use self::table::Name;
use crate::answer;
use crate::error::Error;
use crate::policy::Policy;
use crate::rows::content_of;
use crate::sessions::{SessionPatch, SessionRecord};
use crate::turns::{Admission, Engine, GatewayAnswer, Submitted, Task};

/// What a command is answered with.
#[derive(Debug, Default)]
struct Answer {
    text: String,
    /// What it changes about the session.
    change: Option<SessionPatch>,
}

impl Answer {
    fn says(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            change: None,
        }
    }

    fn changes(change: SessionPatch, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            change: Some(change),
        }
    }
}

/// What a command is used on.
struct Scene<'a> {
    engine: &'a Engine,
    policy: &'a Policy,
    speaker: &'a Speaker,
    admission: &'a Admission,
    /// The session, when there is one yet.
    session: Option<SessionRecord>,
}

/// Whether a message is one that the gateway answers without asking a model: a session in which nothing may be said takes it all
/// the same, or nobody could ever allow it again.
pub(crate) fn is_for_gateway(content: &Content, speaker: &Speaker, policy: &Policy) -> bool {
    Line::read(content, speaker, &policy.reset_triggers).is_some_and(|line| match line.command.what {
        Name::New | Name::Reset => line.rest.is_empty(), // what stands behind it is said to the agent
        Name::Compact => false,
        _ => true,
    })
}

/// Takes a message: does what it says when it is a command, and hands it to the agent otherwise.
///
/// # Errors
/// Those of [`Engine::submit`], and when a client may not use the command.
pub(crate) async fn take(
    engine: &Engine,
    policy: &Policy,
    speaker: &Speaker,
    mut admission: Admission,
) -> Result<Submitted, Error> {
    let content = content_of(&admission.entry.content);
    let Some(line) = Line::read(&content, speaker, &policy.reset_triggers) else {
        return engine.submit(admission).await;
    };
    if let Some(turn) = engine.stores().turns.known(&admission).await? {
        return Ok(Submitted {
            turn,
            duplicate: true,
        });
    }
    if !speaker.may(line.command.needs) {
        let Some(refusal) = speaker.refusal(line.command) else {
            return Err(speaker.lacks(line.command));
        };
        return say(engine, admission, Answer::says(refusal)).await;
    }
    let session = engine.stores().sessions.find(&admission.key).await?;
    if let Some(expected) = &admission.expected_session {
        let is_of_it = match &session {
            Some(session) => engine.stores().sessions.had(session, expected).await?,
            None => false,
        };
        if !is_of_it {
            return Err(Error::SessionMoved(admission.key));
        }
    }
    tracing::info!(
        run.id = %admission.run,
        session.key = admission.key.as_str(),
        command = line.word,
        "a command is answered"
    );
    match line.command.what {
        Name::New | Name::Reset => {
            let reason = line.command.name();
            conversation::begin_anew(engine, &admission.key, session.as_ref(), reason).await?;
            admission.expected_session = None; // it was another one
            if !line.rest.is_empty() {
                admission.entry = admission.entry.saying(&Content::text(line.rest));
                return engine.submit(admission).await;
            }
            return say(engine, admission, Answer::says(Said::NewConversation.text())).await;
        }
        Name::Compact => {
            if !conversation::is_worth_it(engine, &admission.key).await? {
                return say(engine, admission, Answer::says(Said::NothingToCompact.text())).await;
            }
            admission.task = Some(Task::Compact);
            admission.entry.in_context = false;
            return engine.submit(admission).await;
        }
        Name::Stop => {
            let stopped = conversation::stop(engine, speaker, &admission).await?;
            return say(engine, admission, Answer::says(stopped)).await;
        }
        Name::Help
        | Name::Commands
        | Name::Status
        | Name::WhoAmI
        | Name::Model
        | Name::Models
        | Name::Think
        | Name::Queue
        | Name::Context
        | Name::Usage
        | Name::Verbose
        | Name::Reasoning
        | Name::Send
        | Name::Absent => {}
    }
    let scene = Scene {
        engine,
        policy,
        speaker,
        admission: &admission,
        session,
    };
    let answer = match line.command.what {
        Name::Help => Answer::says(help::short(speaker)),
        Name::Commands => Answer::says(help::all(speaker)),
        Name::WhoAmI => Answer::says(speaker.described()),
        Name::Status => Answer::says(status::status(&scene).await?),
        Name::Context => Answer::says(status::context(&scene).await?),
        Name::Usage if line.rest.is_empty() => Answer::says(status::usage(&scene).await?),
        Name::Usage => words::usage(&scene, &line.rest),
        Name::Verbose => words::verbose(&scene, &line.rest),
        Name::Reasoning => words::reasoning(&scene, &line.rest),
        Name::Send => words::send(&scene, &line.rest),
        Name::Model => settings::model(&scene, &line.rest)?,
        Name::Models => settings::models(&scene, &line.rest)?,
        Name::Think => settings::think(&scene, &line.rest)?,
        Name::Queue => settings::queue(&scene, &line.rest),
        Name::Absent => Answer::says(absent::answer(&line.word, speaker.is_told_details())),
        Name::New | Name::Reset | Name::Compact | Name::Stop => Answer::default(), // above
    };
    say(engine, admission, answer).await
}

async fn say(engine: &Engine, mut admission: Admission, answer: Answer) -> Result<Submitted, Error> {
    let Answer { text, change } = answer;
    admission.entry.in_context = false;
    admission.expected_session = None; // looked at before
    let content = Content::text(text);
    let answer = GatewayAnswer {
        change,
        entry: answer::by_gateway(&admission.run, &content, admission.now),
        reply: content,
    };
    engine.answer(admission, answer).await
}
