//! Who is connected: what each edge reported last, as long as it keeps reporting.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use gatehouse_core::{beat::BEAT, session_key};
use gatehouse_proto::broadcast::v1::PresenceEntry;
use tokio::time::Instant;

use crate::conversations::Asker;

/// A report holds for three beats. An edge that is gone is known from its subscription.
pub(crate) const LEASE: Duration = BEAT.saturating_mul(3);

/// Edges that may report: far more than a company runs.
const EDGES_MAX: usize = 64;

/// Entries that screens are shown. Each change of presence goes to every screen, so a list that grew with the gateway would cost
/// the square of its connections; method `system-presence` lists everybody.
pub(crate) const SHOWN_MAX: usize = 200;

/// Leaves out whose private session somebody looks at: a named user is told of sessions of everybody, and of what he looks at himself.
pub(crate) fn show_to(asker: &Asker, entries: &mut [PresenceEntry]) {
    let Asker::User(user) = asker else { return };
    for entry in entries {
        let is_own = entry.user.as_ref().is_some_and(|of| of.id == *user);
        entry
            .watched_sessions
            .retain(|key| is_own || session_key::is_shared(key));
    }
}

/// Presence, merged over all edges.
#[derive(Debug)]
pub(crate) struct Presence {
    gateway: PresenceEntry,
    edges: BTreeMap<String, (Vec<PresenceEntry>, Instant)>,
}

impl Presence {
    /// Nobody but the gateway itself.
    pub(crate) fn new(now_ms: i64) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let gateway = PresenceEntry {
            host: Some("gateway".into()),
            version: Some(version.into()),
            mode: Some("gateway".into()),
            reason: Some("self".into()),
            text: Some(format!("Gateway: Gatehouse {version}")),
            ts: now_ms,
            ..PresenceEntry::default()
        };
        Self {
            gateway,
            edges: BTreeMap::new(),
        }
    }

    /// Takes an edge's report. Answers whether anything changed, or nothing when there are too many edges.
    pub(crate) fn report(&mut self, edge: String, entries: Vec<PresenceEntry>) -> Option<bool> {
        if self.edges.len() >= EDGES_MAX && !self.edges.contains_key(&edge) {
            return None;
        }
        let known = self.edges.get(&edge).map_or(&[][..], |(entries, _)| entries);
        let changed = known != entries;
        self.edges.insert(edge, (entries, Instant::now() + LEASE));
        Some(changed)
    }

    /// Forgets edges that fell silent. Answers whether anything changed.
    pub(crate) fn expire(&mut self) -> bool {
        let (now, before) = (Instant::now(), self.connections());
        self.edges.retain(|_, (_, until)| *until > now);
        self.connections() != before
    }

    /// Forgets an edge that is gone. Answers whether anything changed.
    pub(crate) fn forget(&mut self, edge: &str) -> bool {
        self.edges
            .remove(edge)
            .is_some_and(|(entries, _)| !entries.is_empty())
    }

    /// When the next edge falls silent, if none says anything.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.edges.values().map(|(_, until)| *until).min()
    }

    /// Everybody: the gateway, then each connection.
    pub(crate) fn entries(&self) -> Vec<PresenceEntry> {
        let connected = self
            .edges
            .values()
            .flat_map(|(entries, _)| entries.iter().cloned());
        std::iter::once(self.gateway.clone()).chain(connected).collect()
    }

    /// What clients are shown: the gateway and those who came last.
    pub(crate) fn shown(&self) -> Vec<PresenceEntry> {
        let mut entries = self.entries();
        if entries.len() > SHOWN_MAX
            && let Some((_gateway, connected)) = entries.split_first_mut()
        {
            connected.sort_by_key(|entry| Reverse(entry.ts));
            entries.truncate(SHOWN_MAX);
        }
        entries
    }

    /// How many are connected.
    pub(crate) fn connections(&self) -> usize {
        self.edges.values().map(|(entries, _)| entries.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_proto::broadcast::v1::PresenceUser;

    use super::*;

    fn entry(id: &str) -> PresenceEntry {
        PresenceEntry {
            connection_id: Some(id.into()),
            ..PresenceEntry::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn edges_are_merged_and_a_silent_one_is_forgotten() {
        let mut presence = Presence::new(0);
        assert_eq!(presence.report("one".into(), vec![entry("a")]), Some(true));
        tokio::time::advance(LEASE / 2).await;
        assert_eq!(presence.report("two".into(), vec![entry("b")]), Some(true));
        assert_eq!(presence.report("two".into(), vec![entry("b")]), Some(false));
        assert_eq!(presence.entries().len(), 3);

        tokio::time::advance(LEASE / 2).await;

        assert!(presence.expire());
        assert_eq!(presence.connections(), 1);
        assert!(!presence.expire());
    }

    #[tokio::test(start_paused = true)]
    async fn screens_are_shown_the_gateway_and_those_who_came_last() {
        let mut presence = Presence::new(0);
        let many = (1..=1_000).map(|ts| PresenceEntry {
            ts,
            ..entry("someone")
        });
        presence.report("one".into(), many.collect());

        let shown = presence.shown();

        assert_eq!((shown.len(), presence.entries().len()), (SHOWN_MAX, 1_001));
        assert_eq!(shown[0].mode.as_deref(), Some("gateway"));
        assert!(shown[1..].iter().all(|entry| entry.ts > 800));
    }

    #[test]
    fn a_named_user_is_told_of_no_private_session_that_somebody_else_looks_at() {
        let looks = |user: Option<&str>| PresenceEntry {
            user: user.map(|id| PresenceUser {
                id: id.into(),
                ..PresenceUser::default()
            }),
            watched_sessions: vec!["agent:main:main".into(), "agent:main:diary".into()],
            ..PresenceEntry::default()
        };
        let told = |asker: Asker| {
            let mut entries = [looks(Some("ann")), looks(Some("bob")), looks(None)];
            show_to(&asker, &mut entries);
            entries.map(|entry| entry.watched_sessions.len())
        };

        assert_eq!(told(Asker::User("ann".into())), [2, 1, 1]);
        assert_eq!(told(Asker::User("eve".into())), [1, 1, 1]);
        assert_eq!(told(Asker::Owner), [2, 2, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_edges_are_refused() {
        let mut presence = Presence::new(0);
        for edge in 0..EDGES_MAX {
            presence.report(edge.to_string(), Vec::new()).unwrap();
        }

        assert_eq!(presence.report("one more".into(), Vec::new()), None);
    }
}
