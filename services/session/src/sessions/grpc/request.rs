//! The requests of `sessions.*`, read.

use gatehouse_proto::session::v1 as proto;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::super::{Change, Once, SessionFilter, SessionPatch, SessionRef};
use crate::agents::ModelName;
use crate::error::Error;
use crate::key::AgentId;
use crate::rows::Wanted;
use crate::turns::fingerprint::Fingerprint;
use crate::turns::queue::QueueMode;

/// Rows of a page when the caller does not say: the contract's figure.
const PAGE_DEFAULT: i64 = 100;
/// Rows of a page at most: the contract's figure.
const PAGE_MAX: i64 = 10_000;

/// `sessions.list`.
pub(super) struct List {
    pub(super) filter: SessionFilter,
    /// Only sessions that changed in so many minutes.
    pub(super) active_minutes: Option<i64>,
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
        } = request;
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
            agent: agent_id.as_deref().map(AgentId::normalise).transpose()?,
            since: None,
            search: search.filter(|search| !search.trim().is_empty()),
            label,
            archived,
            limit: u32::try_from(limit).unwrap_or(1),
            offset: u32::try_from(offset.unwrap_or(0).max(0)).unwrap_or(u32::MAX),
        };
        Ok(Self {
            filter,
            active_minutes,
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
        } = request;
        let once = idempotency_key.as_ref().map(|idempotency_key| Once {
            key: idempotency_key.clone(),
            fingerprint: Fingerprint::of_options(&[
                key.as_deref(),
                agent_id.as_deref(),
                label.as_deref(),
                display_name.as_deref(),
                model.as_deref(),
                thinking_level.as_deref(),
            ])
            .into_bytes(),
        });
        let key = key.unwrap_or_else(|| format!("dashboard:{}", new_id(idempotency_key.as_deref())));
        let patch = SessionPatch {
            label: label.map(Some),
            display_name: display_name.map(Some),
            model: model.map(ModelName::try_from).transpose()?.map(Some),
            thinking_level: thinking_level.map(Some),
            ..SessionPatch::default()
        };
        Ok(Self {
            session: SessionRef::new(key, agent_id),
            patch,
            once,
        })
    }
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
            null_fields,
        } = request;
        let nulls = Nulls(null_fields);
        let patch = SessionPatch {
            label: nulls.change("label", label),
            display_name: nulls.change("displayName", display_name),
            model: nulls.change("model", model.map(ModelName::try_from).transpose()?),
            thinking_level: nulls.change("thinkingLevel", thinking_level),
            queue_mode: nulls.change("queueMode", queue_mode.map(QueueMode::try_from).transpose()?),
            archived: nulls.flag("archived", archived),
            pinned: nulls.flag("pinned", pinned),
            unread: nulls.flag("unread", unread),
        };
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

    fn flag(&self, name: &str, value: Option<bool>) -> Option<bool> {
        if self.has(name) { Some(false) } else { value }
    }
}
