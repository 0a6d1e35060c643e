//! What is seen of sessions beside their rows: previews, branches, and how many there are.

use std::sync::atomic::Ordering;

use gatehouse_proto::session::v1 as proto;

use super::super::{SessionFilter, SessionRef};
use super::defaults;
use crate::error::Error;
use crate::key::{AgentId, SessionKey};
use crate::policy::Policy;
use crate::rows::{self, Wanted, text_of};
use crate::transcripts::{HistoryQuery, Role};
use crate::turns::Engine;
use crate::viewer::Viewer;

/// Rows of a preview when the caller does not say: the contract's figure.
const PREVIEW_ROWS: i64 = 12;
/// Characters of a preview's row when the caller does not say: the contract's figure.
const PREVIEW_CHARS: i64 = 240;
/// Bytes of the rows that a preview is made of.
const PREVIEW_BYTES: usize = 1024 * 1024;
/// Characters of a branch's headline.
const HEADLINE_CHARS: usize = 120;

pub(crate) async fn preview(
    engine: &Engine,
    viewer: &Viewer,
    request: proto::PreviewSessionsRequest,
) -> Result<proto::PreviewSessionsResponse, Error> {
    let proto::PreviewSessionsRequest {
        keys,
        limit,
        max_chars,
    } = request;
    let query = HistoryQuery {
        limit: u32::try_from(limit.unwrap_or(PREVIEW_ROWS)).unwrap_or(1),
        offset: 0,
        after: None,
        bytes_max: PREVIEW_BYTES,
    };
    let chars = usize::try_from(max_chars.unwrap_or(PREVIEW_CHARS)).unwrap_or(1);
    let mut previews = Vec::with_capacity(keys.len());
    for name in keys {
        let key = SessionRef::new(name.clone(), None)
            .resolve(engine, viewer)
            .await?;
        let page = engine.stores().transcripts.history(&key, query.clone()).await?;
        let rows = page.entries.iter().map(|entry| &entry.row);
        let items: Vec<_> = rows
            .map(|row| proto::PreviewItem {
                role: match row.role {
                    Role::Tool => "tool".to_owned(),
                    Role::User | Role::Assistant | Role::System => row.role.word().to_owned(),
                },
                text: begin_of(&text_of(&row.content), chars),
            })
            .filter(|item| !item.text.is_empty())
            .collect();
        let status = match (&page.session, items.is_empty()) {
            (None, _) => "missing",
            (Some(_), true) => "empty",
            (Some(_), false) => "ok",
        };
        previews.push(proto::SessionPreview {
            key: name,
            status: status.to_owned(),
            items,
        });
    }
    Ok(proto::PreviewSessionsResponse {
        ts: engine.now().as_ms(),
        previews,
    })
}

/// The beginning of a text on one line.
fn begin_of(text: &str, chars: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

pub(crate) async fn branches(
    engine: &Engine,
    viewer: &Viewer,
    request: proto::ListBranchesRequest,
) -> Result<proto::ListBranchesResponse, Error> {
    let proto::ListBranchesRequest {
        session_key,
        agent_id,
    } = request;
    let key = SessionRef::new(session_key, agent_id)
        .resolve(engine, viewer)
        .await?;
    let newest = HistoryQuery {
        limit: 1,
        offset: 0,
        after: None,
        bytes_max: PREVIEW_BYTES,
    };
    let page = engine.stores().transcripts.history(&key, newest).await?;
    let branch = page.session.zip(page.entries.last()).map(|(session, newest)| {
        let written = jiff::Timestamp::from_millisecond(newest.row.timestamp.as_ms()).ok();
        proto::Branch {
            leaf_entry_id: newest.row.id.to_string(),
            headline: begin_of(session.preview.as_deref().unwrap_or_default(), HEADLINE_CHARS),
            message_count: session.last_seq - session.first_seq + 1,
            updated_at: written.map(|written| written.to_string()),
            active: true,
        }
    });
    Ok(proto::ListBranchesResponse {
        branches: branch.into_iter().collect(),
    })
}

pub(crate) async fn summarise(
    engine: &Engine,
    request: proto::SummariseSessionsRequest,
) -> Result<proto::SummariseSessionsResponse, Error> {
    let proto::SummariseSessionsRequest {
        recent_max,
        user_id,
        everybodys,
    } = request;
    let policy = engine.policy()?;
    let stores = engine.stores();
    let limit = u32::try_from(recent_max).unwrap_or(0);
    // Broadcast tells who asked it; nobody said leaves out what is somebody's own.
    let viewer = match (everybodys, user_id) {
        (true, _) => Viewer::Owner,
        (false, Some(user)) => Viewer::User(user),
        (false, None) => Viewer::Somebody,
    };
    let counts = stores.sessions.counts().await?;
    let depths = stores.upkeep.depths().await?;
    let first = policy.agents.first_id();
    let mut agents: Vec<_> = policy.agents.all().iter().collect();
    agents.sort_by_key(|agent| agent.id != first); // the others stay in the order of the configuration
    let mut summary = proto::SummariseSessionsResponse {
        defaults: Some(defaults(&policy)),
        agents: Vec::with_capacity(agents.len()),
        other_count: counts.iter().map(|(_, count)| count).sum(),
        turns_waiting: depths.turns_waiting,
        turns_running: depths.turns_running,
    };
    for agent in agents {
        let count = counts
            .iter()
            .find(|(id, _)| *id == agent.id)
            .map_or(0, |(_, count)| *count);
        summary.other_count -= count;
        let filter = SessionFilter {
            viewer: viewer.clone(),
            agent: Some(agent.id.clone()),
            limit,
            ..SessionFilter::default()
        };
        let recent = stores.sessions.list(filter).await?.sessions;
        summary.agents.push(proto::AgentSessions {
            agent_id: agent.id.to_string(),
            count,
            recent: recent
                .iter()
                .map(|session| rows::session(session, Some(&policy.agents), Wanted::default()))
                .collect(),
            model: agent.models.first().cloned().map(String::from),
            heartbeat: heartbeat(engine, &policy, &agent.id).await?,
        });
    }
    Ok(summary)
}

/// How an agent looks by itself whether there is something to do; `None`: it does not.
async fn heartbeat(
    engine: &Engine,
    policy: &Policy,
    agent: &AgentId,
) -> Result<Option<proto::HeartbeatSummary>, Error> {
    let is_on = policy.cron.enabled && engine.heartbeats().load(Ordering::Relaxed);
    let beat = policy.beats.iter().find(|beat| is_on && beat.agent == *agent);
    let Some((beat, every_ms)) = beat.and_then(|beat| Some((beat, beat.every_ms?))) else {
        return Ok(None);
    };
    let main = engine.stores().sessions.find(&SessionKey::main(agent)).await?;
    let last = main.and_then(|session| session.target);
    Ok(Some(proto::HeartbeatSummary {
        every_ms,
        target: beat.route.word().to_owned(),
        waiting_for_route: beat.target(last, &policy.accounts).is_err(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_text_is_one_line_of_bounded_length() {
        assert_eq!(begin_of(" a\n b ", 20), "a b");
        assert_eq!(begin_of("äöüäöü", 3), "äöü…");
    }
}
