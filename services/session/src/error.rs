//! Everything that can go wrong here, and what each means to the caller.

use gatehouse_core::store;
use gatehouse_core::{Chain, Failure, Kind};

use crate::agents::AgentError;
use crate::id::EntryId;
use crate::key::{KeyError, SessionKey};
use crate::routing::RouteError;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// The caller's key or agent.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The caller's key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A channel's message that nobody answers.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// A field that is well-formed and yet makes no sense.
    #[error("at {path}: {problem}")]
    Field {
        path: &'static str,
        problem: &'static str,
    },
    /// No model can be told to think so hard.
    #[error("at {path}: is not a level of thinking: it may be one of {levels}")]
    Level { path: &'static str, levels: String },
    /// The key was used before, for something else.
    #[error("this idempotency key was used with another message")]
    RequestConflict,
    /// The client looks at a transcript that is no longer the current one.
    #[error("session {0} has begun a new transcript")]
    SessionMoved(SessionKey),
    /// No such session.
    #[error("session {0} does not exist")]
    NoSession(SessionKey),
    /// Somebody else's.
    #[error(
        "session {0} belongs to another user: ask its user, or come with a credential that has operator.admin"
    )]
    OfAnotherUser(SessionKey),
    /// Nothing that is called so.
    #[error("No session found{0}")]
    NoneFound(String),
    /// Several that may be meant.
    #[error("several sessions have the {by} {name}: name one by its key")]
    SeveralFound { by: &'static str, name: String },
    /// The session that another one is to be begun from.
    #[error("unknown parent session: {0}")]
    NoParent(SessionKey),
    /// It is always there.
    #[error("Cannot delete the main session ({0}).")]
    MainSession(SessionKey),
    /// Only what is put away may be deleted by this call.
    #[error("session {0} is not archived")]
    NotArchived(SessionKey),
    /// Its owner set it so.
    #[error("send blocked by session policy")]
    SendBlocked,
    /// No such run.
    #[error("run {0} does not exist")]
    NoRun(String),
    /// No such row, or one from before a reset.
    #[error("row {0} is not in this transcript")]
    NoRow(EntryId),
    /// Something runs or waits there.
    #[error("session {0} has an active run; retry after it finishes, or stop it first")]
    RunActive(SessionKey),
    /// The agent service, which knows the models.
    #[error("the agent service did not list its models; try again in a moment")]
    Models(#[source] Box<tonic::Status>),
    /// Too many messages wait.
    #[error("{cap} messages wait in this session already")]
    QueueFull { cap: u16 },
    /// The reply should go to the session's chat, and there is none.
    #[error("session {0} belongs to no chat that a reply could go to")]
    NoTarget(SessionKey),
    /// Labels are unique.
    #[error("another session has the label '{0}'")]
    LabelTaken(String),
    /// A turn did not stop in time.
    #[error("a turn of session {0} is still stopping")]
    StillStopping(SessionKey),
    /// No configuration has come yet, or what the last process left behind was not looked at.
    #[error("the session service is still starting")]
    NotReady,
    /// The process is about to end.
    #[error("the gateway is stopping; send the message again when it is back")]
    Stopping,
    /// Something that belongs to a message cannot be taken.
    #[error("attachment {} {problem}", index + 1)]
    Attachment { index: usize, problem: String },
    /// The same of something that no model would be shown, by its place.
    #[error("{problem}")]
    MediaNotTaken { path: String, problem: String },
    /// A program's tool answers what nobody asked.
    #[error("no call waits for this result: it answers a call of the assistant's last message, once")]
    ToolCallUnknown { index: usize },
    /// The caller's bytes.
    #[error("is larger than {} MiB: send a smaller one, or raise agents.defaults.mediaMaxMb", bytes_max / (1024 * 1024))]
    MediaTooLarge { bytes_max: u64 },
    #[error("is empty")]
    MediaEmpty,
    #[error("is not base64")]
    MediaGarbled,
    /// All that may be kept is kept.
    #[error(
        "the media of all conversations take 10 GiB, and no more is kept: delete sessions that nobody needs"
    )]
    MediaFull,
    /// The files of media.
    #[error("media could not be read or written")]
    Media(#[source] std::io::Error),
    #[error("this medium is not kept any more")]
    NoMedia,
    /// Nobody here made the link.
    #[error("this is not a link of this gateway")]
    LinkForged,
    /// It was one of ours.
    #[error("this link is over: load the conversation again for a new one")]
    LinkOver,
    /// The caller may not do that.
    #[error("{what} needs scope {scope}")]
    Scope { what: &'static str, scope: &'static str },
    /// What is wrong with a job, and where.
    #[error("at {path}: {problem}")]
    Job { path: &'static str, problem: String },
    /// No such job. OpenClaw's command line looks a job up by its name when it reads these words.
    #[error("cron job not found: {0}. List the jobs and try again with the id of one.")]
    NoJob(String),
    #[error("the job was changed meanwhile: look at it again")]
    JobChanged { expected: String, actual: String },
    /// No group is called so.
    #[error("unknown session group: {0}")]
    NoGroup(String),
    /// A list of groups that leaves one out which holds sessions.
    #[error(
        "session group {0:?} still has members: move them, or delete the group by itself (sessions.groups.delete)"
    )]
    GroupInUse(String),
    #[error("there are 10,000 jobs already, and no more are kept: remove some that nobody needs")]
    TooManyJobs,
    /// The store.
    #[error("session store failed")]
    Store(#[source] store::Error),
    /// The store holds something that this version never wrote.
    #[error("session store holds an unreadable {0}")]
    Unreadable(&'static str),
    /// A task of the turn engine panicked.
    #[error("a task of the turn engine failed")]
    Engine(#[source] tokio::task::JoinError),
}

impl Error {
    /// What it means to the caller.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Agent(AgentError::Unknown(_))
            | Self::NoSession(_)
            | Self::NoneFound(_)
            | Self::NoParent(_)
            | Self::NoRun(_)
            | Self::NoRow(_)
            | Self::NoMedia
            | Self::NoJob(_)
            | Self::NoGroup(_) => Kind::NotFound,
            Self::Attachment { .. } | Self::MediaTooLarge { .. } | Self::MediaEmpty | Self::MediaGarbled => {
                Kind::Invalid
            }
            Self::LinkForged | Self::LinkOver | Self::Scope { .. } | Self::OfAnotherUser(_) => {
                Kind::Forbidden
            }
            Self::Agent(
                AgentError::Key(_) | AgentError::SelectionRequired | AgentError::Contradiction { .. },
            )
            | Self::Key(_)
            | Self::SeveralFound { .. }
            | Self::Field { .. }
            | Self::Job { .. }
            | Self::MediaNotTaken { .. }
            | Self::ToolCallUnknown { .. }
            | Self::Level { .. } => Kind::Invalid,
            Self::Route(RouteError::Key(_)) => Kind::Invalid,
            Self::Route(RouteError::UnknownAgent { .. } | RouteError::Agent(_))
            | Self::NoTarget(_)
            | Self::MainSession(_)
            | Self::RunActive(_)
            | Self::NotArchived(_)
            | Self::GroupInUse(_)
            | Self::SendBlocked => Kind::Precondition,
            Self::RequestConflict | Self::SessionMoved(_) | Self::LabelTaken(_) | Self::JobChanged { .. } => {
                Kind::Conflict
            }
            Self::QueueFull { .. } | Self::MediaFull | Self::TooManyJobs => Kind::Exhausted,
            Self::StillStopping(_) | Self::NotReady | Self::Stopping | Self::Models(_) => Kind::Unavailable,
            Self::Store(error) => error.kind(),
            Self::Unreadable(_) | Self::Engine(_) | Self::Media(_) => Kind::Internal,
        }
    }

    /// What is wrong with the bytes of an attachment is said of the attachment.
    pub(crate) fn of_attachment(self, index: usize) -> Self {
        match self {
            wrong @ (Self::MediaTooLarge { .. } | Self::MediaEmpty | Self::MediaGarbled) => {
                Self::Attachment {
                    index,
                    problem: wrong.to_string(),
                }
            }
            other => other,
        }
    }

    /// The same where the attachments stand somewhere else than beside the message.
    pub(crate) fn of_attachments(self, path: &str) -> Self {
        match self {
            Self::Attachment { index, problem } => Self::MediaNotTaken {
                path: format!("{path}/{index}"),
                problem,
            },
            other => other,
        }
    }

    /// The stable word for programs.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        Some(match self {
            Self::Agent(AgentError::SelectionRequired)
            | Self::Route(RouteError::Agent(AgentError::SelectionRequired)) => "AGENT_SELECTION_REQUIRED",
            Self::Agent(AgentError::Unknown(_)) | Self::Route(RouteError::UnknownAgent { .. }) => {
                "agent-unknown"
            }
            Self::Agent(_) | Self::Key(_) | Self::Route(_) => "session-key-invalid",
            Self::Field { .. } | Self::Level { .. } | Self::Job { .. } => return None,
            Self::NoJob(_) => "CRON_JOB_NOT_FOUND",
            Self::JobChanged { .. } => "job-changed",
            Self::NoGroup(_) => "group-not-found",
            Self::GroupInUse(_) => "group-in-use",
            Self::TooManyJobs => "too-many-jobs",
            Self::RequestConflict => "chat-request-conflict",
            Self::SessionMoved(_) => "session-changed",
            Self::NoSession(_) | Self::NoneFound(_) => "session-not-found",
            Self::OfAnotherUser(_) => "session-of-another-user",
            Self::SeveralFound { .. } => "session-ambiguous",
            Self::NoParent(_) => "parent-not-found",
            Self::MainSession(_) => "main-session",
            Self::NotArchived(_) => "not-archived",
            Self::SendBlocked => "send-blocked",
            Self::NoRun(_) => "run-not-found",
            Self::NoRow(_) => "message-not-found",
            Self::RunActive(_) => "run-active",
            Self::Models(_) => "agent-away",
            Self::QueueFull { .. } => "queue-full",
            Self::NoTarget(_) => "no-delivery-target",
            Self::LabelTaken(_) => "label-taken",
            Self::StillStopping(_) => "still-stopping",
            Self::NotReady => "starting",
            Self::Stopping => "stopping",
            Self::Attachment { .. } | Self::MediaTooLarge { .. } | Self::MediaEmpty | Self::MediaGarbled => {
                "attachment-refused"
            }
            Self::MediaNotTaken { .. } => "media-not-taken",
            Self::ToolCallUnknown { .. } => "tool-call-unknown",
            Self::MediaFull => "media-full",
            Self::NoMedia => "media-not-found",
            Self::LinkForged => "link-invalid",
            Self::LinkOver => "link-expired",
            Self::Scope { .. } => "missing-scope",
            Self::Store(_) | Self::Unreadable(_) | Self::Engine(_) | Self::Media(_) => return None,
        })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if error.kind() == Kind::Internal {
            return Self::internal(&error);
        }
        if let Error::Store(cause) = &error {
            if let Some(trouble) = cause.trouble() {
                return Self::new(error.kind(), trouble.to_string()).reason(trouble.reason());
            }
            tracing::warn!(error = %Chain(cause), "the store did not take a request");
        }
        let mut failure = Self::new(error.kind(), error.to_string());
        if let Some(reason) = error.reason() {
            failure = failure.reason(reason);
        }
        match error {
            Error::Field { path, .. } | Error::Level { path, .. } | Error::Job { path, .. } => {
                failure = failure.path(path);
            }
            // Clients of the protocol read these by `code`.
            Error::NoJob(id) => failure = failure.detail("code", "CRON_JOB_NOT_FOUND").detail("jobId", id),
            Error::JobChanged { expected, actual } => {
                failure = failure
                    .detail("code", "CRON_JOB_CHANGED")
                    .detail("expectedConfigRevision", expected)
                    .detail("actualConfigRevision", actual);
            }
            Error::Attachment { index, .. } => failure = failure.path(format!("/attachments/{index}")),
            Error::MediaNotTaken { path, .. } => failure = failure.path(path),
            Error::ToolCallUnknown { index } => {
                failure = failure.path(format!("/toolResults/{index}/callId"))
            }
            _ => {}
        }
        failure
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        Failure::from(error).into()
    }
}

#[cfg(test)]
mod tests;
