//! The requests of `sessions.*`, read.

use gatehouse_core::Timestamp;
use gatehouse_proto::session::v1 as proto;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::super::settings::{SettingChanges, Word};
use super::super::{
    Change, Expected, ForkFrom, Once, SessionFilter, SessionPatch, SessionRef, ShownKind, SortBy,
};
use crate::agents::ModelName;
use crate::error::Error;
use crate::id::{RunId, SessionId};
use crate::key::AgentId;
use crate::media::Attachments;
use crate::rows::Wanted;
use crate::thinking::Level;
use crate::turns::fingerprint::Fingerprint;
use crate::turns::queue::QueueMode;
use crate::viewer::Viewer;

/// Rows of a page when the caller does not say: the contract's figure.
const PAGE_DEFAULT: i64 = 100;
/// Rows of a page at most: the contract's figure.
const PAGE_MAX: i64 = 10_000;

/// Characters of a name: OpenClaw's figure. The contract bounds its bytes, of which a character has up to four.
const NAME_CHARS_MAX: usize = 512;

/// What is shown as a name in lists is one line of text.
///
/// # Errors
/// When it is not.
pub(super) fn one_line(path: &'static str, name: Option<&str>) -> Result<(), Error> {
    if name.is_some_and(|name| name.contains(char::is_control)) {
        return Err(field(path, "holds a line break or another control character"));
    }
    if name.is_some_and(|name| name.chars().count() > NAME_CHARS_MAX) {
        return Err(field(path, "has more than 512 characters"));
    }
    Ok(())
}

/// `sessions.list`.
pub(super) struct List {
    pub(super) filter: SessionFilter,
    /// Only sessions that changed in so many minutes.
    pub(super) active_minutes: Option<i64>,
    /// Only sessions that were begun from this one.
    pub(super) parent: Option<SessionRef>,
    /// Only sessions whose agent is in the configuration.
    pub(super) configured: bool,
    /// Only sessions with a dashboard.
    pub(super) dashboards: bool,
    pub(super) wanted: Wanted,
}

impl TryFrom<proto::ListSessionsRequest> for List {
    type Error = Error;

    fn try_from(request: proto::ListSessionsRequest) -> Result<Self, Error> {
        let proto::ListSessionsRequest {
            limit,
            offset,
            agent_id,
            active_minutes,
            search,
            label,
            include_derived_titles,
            include_last_message,
            archived,
            kind,
            channel,
            spawned_by,
            include_global,
            include_unknown,
            configured_agents_only,
            sort_by,
            require_last_interaction,
            has_board,
            board_face,
            pinned,
            group,
            active_only,
            exclude_cron,
        } = request;
        let kind = kind.map(|word| {
            ShownKind::parse(&word).ok_or(Error::Field {
                path: "/kind",
                problem: "is not direct, group, global or unknown",
            })
        });
        let sort = match sort_by.as_deref() {
            None | Some("updatedAt") => SortBy::Change,
            Some("lastInteractionAt" | "activity") => SortBy::Interaction,
            Some(_) => {
                return Err(Error::Field {
                    path: "/sortBy",
                    problem: "is not updatedAt or lastInteractionAt",
                });
            }
        };
        let dashboards = match board_face.as_deref() {
            None | Some("chat") => has_board == Some(true),
            Some("dashboard") => true,
            Some(_) => {
                return Err(Error::Field {
                    path: "/boardFace",
                    problem: "is not chat or dashboard",
                });
            }
        };
        let left_out = [
            (include_global, ShownKind::Global),
            (include_unknown, ShownKind::Unknown),
        ];
        let archived = match archived.as_deref().map(str::trim) {
            None | Some("false" | "null") => Some(false),
            Some("true") => Some(true),
            Some(r#""all""#) => None,
            Some(_) => {
                return Err(Error::Field {
                    path: "/archived",
                    problem: "is not true, false or \"all\"",
                });
            }
        };
        let limit = limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
        let filter = SessionFilter {
            viewer: Viewer::default(), // whoever asks says who looks
            agent: agent_id.as_deref().map(AgentId::normalise).transpose()?,
            since: None,
            search: search.filter(|search| !search.trim().is_empty()),
            label,
            archived,
            kind: kind.transpose()?,
            channel,
            parent: None,
            without: left_out
                .into_iter()
                .filter_map(|(wanted, kind)| (wanted == Some(false)).then_some(kind))
                .collect(),
            agents: None,
            interaction: require_last_interaction.unwrap_or(false),
            pinned,
            group,
            active: active_only.unwrap_or(false),
            without_jobs: exclude_cron.unwrap_or(false),
            sort,
            limit: u32::try_from(limit).unwrap_or(1),
            offset: u32::try_from(offset.unwrap_or(0).max(0)).unwrap_or(u32::MAX),
        };
        Ok(Self {
            filter,
            active_minutes,
            parent: spawned_by.map(|key| SessionRef::new(key, agent_id)),
            configured: configured_agents_only.unwrap_or(false),
            dashboards,
            wanted: wanted(include_derived_titles, include_last_message),
        })
    }
}

pub(super) fn wanted(title: Option<bool>, preview: Option<bool>) -> Wanted {
    Wanted {
        title: title.unwrap_or(false),
        preview: preview.unwrap_or(false),
    }
}

/// `sessions.create`.
pub(super) struct Create {
    pub(super) session: SessionRef,
    pub(super) patch: SessionPatch,
    pub(super) once: Option<Once>,
    /// The session that it is begun from.
    pub(super) parent: Option<SessionRef>,
    /// Whether it begins with what its parent is set to.
    pub(super) succeeds: bool,
    /// How much of its parent's transcript it begins with.
    pub(super) fork: Option<ForkFrom>,
    /// What to say in it first.
    pub(super) message: Option<String>,
    pub(super) attachments: Attachments,
    /// The run that answers it.
    pub(super) run: RunId,
    /// The longest that the answer may take.
    pub(super) timeout_ms: Option<i64>,
}

impl TryFrom<proto::CreateSessionRequest> for Create {
    type Error = Error;

    fn try_from(request: proto::CreateSessionRequest) -> Result<Self, Error> {
        let proto::CreateSessionRequest {
            key,
            agent_id,
            label,
            display_name,
            model,
            thinking_level,
            idempotency_key,
            message,
            task,
            parent_session_key,
            succeeds_parent,
            category,
            attachments,
            fork,
            fork_from,
            timeout_ms,
        } = request;
        let attachments = Attachments::read(attachments)?;
        if succeeds_parent.is_some() && parent_session_key.is_none() {
            return Err(Error::Field {
                path: "/succeedsParent",
                problem: "needs parentSessionKey",
            });
        }
        let fork = match (fork, fork_from.as_deref()) {
            (Some(true), None) => Some(ForkFrom::End),
            (Some(true), Some("last-completed")) => Some(ForkFrom::LastCompleted),
            (_, Some("last-completed")) => return Err(field("/forkFrom", "needs fork")),
            (_, Some(_)) => return Err(field("/forkFrom", "is not last-completed")),
            (_, None) => None,
        };
        if fork.is_some() && parent_session_key.is_none() {
            return Err(field("/fork", "needs parentSessionKey"));
        }
        one_line("/label", label.as_deref())?;
        one_line("/displayName", display_name.as_deref())?;
        one_line("/category", category.as_deref())?;
        // What is attached is said, with words or without.
        let message = message.or(task).filter(|text| !text.trim().is_empty());
        let message = message.or((!attachments.is_empty()).then(String::new));
        let once = idempotency_key.as_ref().map(|idempotency_key| {
            let mut parts = vec![
                key.as_deref(),
                agent_id.as_deref(),
                label.as_deref(),
                display_name.as_deref(),
                model.as_deref(),
                thinking_level.as_deref(),
            ];
            // Without them the digest is the one that earlier versions made.
            let newer = [
                message.as_deref(),
                parent_session_key.as_deref(),
                category.as_deref(),
            ];
            if newer.iter().any(Option::is_some) {
                parts.extend(newer);
            }
            if fork.is_some() {
                parts.push(Some(fork_from.as_deref().unwrap_or("fork")));
            }
            Once {
                key: idempotency_key.clone(),
                fingerprint: Fingerprint::of_options(&parts).into_bytes(),
            }
        });
        let run = idempotency_key.clone().map_or_else(RunId::generate, RunId::new);
        let parent = parent_session_key.map(|key| SessionRef::new(key, None));
        let key = key.unwrap_or_else(|| format!("dashboard:{}", new_id(idempotency_key.as_deref())));
        let patch = SessionPatch {
            user: None,
            label: label.map(Some),
            display_name: display_name.map(Some),
            model: model.map(|name| Some(ModelName::known(name))),
            thinking_level: thinking_level.map(|word| Some(Level::known(word))),
            category: category.map(Some),
            ..SessionPatch::default()
        };
        Ok(Self {
            session: SessionRef::new(key, agent_id),
            patch,
            once,
            parent,
            succeeds: succeeds_parent.unwrap_or(false),
            fork,
            message,
            attachments,
            run,
            timeout_ms,
        })
    }
}

fn field(path: &'static str, problem: &'static str) -> Error {
    Error::Field { path, problem }
}

/// The same for the same idempotency key.
fn new_id(idempotency_key: Option<&str>) -> Uuid {
    let Some(key) = idempotency_key else {
        return Uuid::new_v4();
    };
    let digest = Sha256::digest(key.as_bytes());
    let mut bytes = [0; 16];
    for (byte, from) in bytes.iter_mut().zip(digest.iter()) {
        *byte = *from;
    }
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// `sessions.patch`.
pub(super) struct Patch {
    pub(super) session: SessionRef,
    pub(super) patch: SessionPatch,
}

impl TryFrom<proto::PatchSessionRequest> for Patch {
    type Error = Error;

    fn try_from(request: proto::PatchSessionRequest) -> Result<Self, Error> {
        let proto::PatchSessionRequest {
            key,
            label,
            display_name,
            model,
            thinking_level,
            queue_mode,
            archived,
            pinned,
            unread,
            agent_id,
            category,
            icon,
            color,
            verbose_level,
            reasoning_level,
            response_usage,
            send_policy,
            expected_session_id,
            expected_lifecycle_revision,
            expected_marked_unread_at,
            null_fields,
        } = request;
        one_line("/label", label.as_deref())?;
        one_line("/displayName", display_name.as_deref())?;
        one_line("/category", category.as_deref())?;
        let nulls = Nulls(null_fields);
        let settings = SettingChanges {
            icon: nulls.change("icon", icon),
            color: nulls.change("color", color),
            verbose: nulls.word("verboseLevel", verbose_level)?,
            reasoning: nulls.word("reasoningLevel", reasoning_level)?,
            usage: nulls.word("responseUsage", response_usage)?,
            send: nulls.word("sendPolicy", send_policy)?,
        };
        let expected = Expected {
            session_id: expected_session_id.map(SessionId::new),
            lifecycle_revision: expected_lifecycle_revision,
            marked_unread_at: nulls.change(
                "expectedMarkedUnreadAt",
                expected_marked_unread_at.map(Timestamp::from_ms),
            ),
        };
        let patch = SessionPatch {
            user: None, // it stays whose it is
            label: nulls.change("label", label),
            display_name: nulls.change("displayName", display_name),
            model: nulls.change("model", model.map(ModelName::known)),
            thinking_level: nulls.change("thinkingLevel", thinking_level.map(Level::known)),
            queue_mode: nulls.change("queueMode", queue_mode.map(QueueMode::try_from).transpose()?),
            archived: nulls.flag("archived", archived),
            pinned: nulls.flag("pinned", pinned),
            unread: nulls.flag("unread", unread),
            category: nulls.change("category", category),
            parent: None,
            settings,
            expected,
        };
        let only_read = SessionPatch {
            unread: Some(false),
            expected: patch.expected.clone(),
            ..SessionPatch::default()
        };
        if patch.expected.marked_unread_at.is_some() && patch != only_read {
            return Err(Error::Field {
                path: "/expectedMarkedUnreadAt",
                problem: "needs unread false, and nothing else to change",
            });
        }
        Ok(Self {
            session: SessionRef::new(key, agent_id),
            patch,
        })
    }
}

/// The fields that a caller set to `null`: they go back to their defaults.
struct Nulls(Vec<String>);

impl Nulls {
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|field| field == name)
    }

    fn change<T>(&self, name: &str, value: Option<T>) -> Change<T> {
        if self.has(name) {
            Some(None)
        } else {
            value.map(Some)
        }
    }

    fn word<T: Word>(&self, name: &str, value: Option<String>) -> Result<Change<T>, Error> {
        let value = value.as_deref().map(T::read).transpose()?;
        Ok(self.change(name, value))
    }

    fn flag(&self, name: &str, value: Option<bool>) -> Option<bool> {
        if self.has(name) { Some(false) } else { value }
    }
}
