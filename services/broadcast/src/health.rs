//! How every process is: what each said last, and that it fell silent.

use std::{collections::BTreeMap, time::Duration};

use gatehouse_proto::broadcast::v1::{ChannelHealth, HealthEvent, ServiceHealth, service_health::State};
use tokio::time::Instant;

use crate::living::{Answer, Answers};

/// A report holds for three intervals of reporting.
pub(crate) const LEASE: Duration = Duration::from_secs(15);

/// A silent process whose service is served by another one is a restart, not a failure, and is soon forgotten.
const FORGET_REPLACED_AFTER: Duration = Duration::from_secs(20);

/// A silent process that nobody replaces is shown for so long.
const FORGET_AFTER: Duration = Duration::from_secs(3600);

/// Processes that are remembered.
const PROCESSES_MAX: usize = 256;

/// The service whose components are channel accounts.
const CHANNELS: &str = "channel-bridge";

/// All processes, by instance.
#[derive(Debug, Default)]
pub(crate) struct RollUp(BTreeMap<String, Process>);

#[derive(Debug)]
struct Process {
    health: ServiceHealth,
    said_at: Instant,
}

impl Process {
    /// What it said, and older by the time since; a silent one does not grow older.
    fn now(&self) -> ServiceHealth {
        let mut health = self.health.clone();
        if health.state() != State::Silent {
            let since = i64::try_from(self.said_at.elapsed().as_millis()).unwrap_or(i64::MAX);
            health.uptime_ms = health.uptime_ms.saturating_add(since);
        }
        health
    }
}

impl RollUp {
    /// Takes a report. Answers whether anything changed, or nothing when there are too many processes.
    pub(crate) fn report(&mut self, health: ServiceHealth, leaving: bool) -> Option<bool> {
        let id = health.instance_id.clone();
        if leaving {
            return Some(self.0.remove(&id).is_some());
        }
        if self.0.len() >= PROCESSES_MAX && !self.0.contains_key(&id) {
            return None;
        }
        let old = self.0.insert(
            id,
            Process {
                said_at: Instant::now(),
                health: health.clone(),
            },
        );
        Some(old.is_none_or(|old| !same(&old.health, &health)))
    }

    /// Marks and forgets who fell silent. Answers whether anything changed.
    pub(crate) fn expire(&mut self) -> bool {
        let mut changed = false;
        for process in self
            .0
            .values_mut()
            .filter(|process| process.said_at.elapsed() >= LEASE)
        {
            changed |= process.health.state() != State::Silent;
            process.health.set_state(State::Silent);
        }
        let speaking: Vec<String> = self
            .0
            .values()
            .filter(|process| process.health.state() != State::Silent)
            .map(|process| process.health.service.clone())
            .collect();
        let before = self.0.len();
        self.0.retain(|_, process| {
            let silence = process.said_at.elapsed();
            silence < FORGET_REPLACED_AFTER
                || (silence < FORGET_AFTER && !speaking.contains(&process.health.service))
        });
        changed || self.0.len() != before
    }

    /// Each process, by service.
    pub(crate) fn services(&self) -> Vec<ServiceHealth> {
        let mut services: Vec<_> = self.0.values().map(Process::now).collect();
        services.sort_by(|a, b| (&a.service, &a.instance_id).cmp(&(&b.service, &b.instance_id)));
        services
    }

    /// The process that is behind each service now: what it said last, as far as its answer agrees.
    pub(crate) fn living(&self, answers: &Answers) -> Vec<ServiceHealth> {
        // An edge has no answer of its own: it is here while it subscribes, and forgotten when it does not.
        let mut services: Vec<ServiceHealth> = self
            .0
            .values()
            .filter(|process| !answers.contains_key(process.health.service.as_str()))
            .map(Process::now)
            .collect();
        for (service, answer) in answers {
            let newest = self
                .0
                .values()
                .filter(|process| process.health.service == *service)
                .max_by_key(|process| process.said_at);
            let health = newest.map_or_else(
                || ServiceHealth {
                    service: (*service).to_owned(),
                    state: State::Starting.into(),
                    ..ServiceHealth::default()
                },
                Process::now,
            );
            services.push(agree(health, *answer));
        }
        services.sort_by(|a, b| (&a.service, &a.instance_id).cmp(&(&b.service, &b.instance_id)));
        services
    }

    /// Forgets an edge whose subscription ended. Should it live, it reports again. Answers whether anything changed.
    pub(crate) fn forget(&mut self, instance: &str) -> bool {
        self.0.remove(instance).is_some()
    }

    /// The roll-up as clients see it.
    pub(crate) fn event(&self, now_ms: i64) -> HealthEvent {
        Self::event_of(self.services(), now_ms)
    }

    /// The same for these services.
    pub(crate) fn event_of(services: Vec<ServiceHealth>, now_ms: i64) -> HealthEvent {
        let bridges = services.iter().filter(|service| service.service == CHANNELS);
        let channels = bridges.flat_map(|bridge| &bridge.components).map(|component| {
            (
                component.name.clone(),
                ChannelHealth {
                    ok: component.ok,
                    detail: component.detail.clone(),
                },
            )
        });
        let channels = channels.collect();
        HealthEvent {
            ok: is_ok(&services),
            ts: now_ms,
            duration_ms: 0,
            services,
            channels,
        }
    }
}

/// What a service said last, corrected by what it answers now. Why it cannot serve is known from what it said alone.
fn agree(mut health: ServiceHealth, answer: Answer) -> ServiceHealth {
    let said_why = health.state() == State::NotServing && health.detail.is_some();
    match answer {
        Answer::Serves if !matches!(health.state(), State::Serving | State::Degraded) => {
            health.set_state(State::Serving);
            health.detail = None;
        }
        Answer::DoesNotServe
            if matches!(health.state(), State::Serving | State::Degraded | State::Silent) =>
        {
            health.set_state(State::NotServing);
            health.detail = Some("it says that it does not serve".into());
        }
        Answer::Nothing if !said_why => {
            health.set_state(State::Silent);
            health.detail = Some("it does not answer".into());
        }
        Answer::Serves | Answer::DoesNotServe | Answer::Nothing => {}
    }
    health
}

/// Whether every service serves.
pub(crate) fn is_ok(services: &[ServiceHealth]) -> bool {
    services
        .iter()
        .all(|service| matches!(service.state(), State::Serving | State::Degraded))
}

/// Whether two reports say the same; the passing of time is no news.
fn same(old: &ServiceHealth, new: &ServiceHealth) -> bool {
    let timeless = |health: &ServiceHealth| ServiceHealth {
        uptime_ms: 0,
        ..health.clone()
    };
    timeless(old) == timeless(new)
}

#[cfg(test)]
mod tests {
    use gatehouse_proto::broadcast::v1::Component;

    use super::*;

    fn serving(service: &str, instance: &str) -> ServiceHealth {
        ServiceHealth {
            service: service.into(),
            instance_id: instance.into(),
            state: State::Serving.into(),
            ..ServiceHealth::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_says_nothing_falls_silent_and_the_house_is_not_well() {
        let mut all = RollUp::default();
        assert_eq!(all.report(serving("session", "1"), false), Some(true));
        assert_eq!(
            all.report(
                ServiceHealth {
                    uptime_ms: 9,
                    ..serving("session", "1")
                },
                false
            ),
            Some(false)
        );

        tokio::time::advance(LEASE).await;

        assert!(all.expire());
        assert_eq!(all.services()[0].state(), State::Silent);
        assert!(!all.event(0).ok);
        assert!(!all.expire(), "said once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_grows_older_between_its_reports() {
        let mut all = RollUp::default();
        all.report(
            ServiceHealth {
                uptime_ms: 7,
                ..serving("session", "1")
            },
            false,
        );

        tokio::time::advance(Duration::from_secs(3)).await;

        assert_eq!(all.services()[0].uptime_ms, 3_007);
    }

    #[tokio::test(start_paused = true)]
    async fn a_restarted_service_replaces_its_silent_self() {
        let mut all = RollUp::default();
        all.report(serving("session", "old"), false);
        tokio::time::advance(FORGET_REPLACED_AFTER).await;
        all.report(serving("session", "new"), false);

        all.expire();

        assert_eq!(all.services().len(), 1);
        assert!(all.event(0).ok);
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_by_request_is_not_missed() {
        let mut all = RollUp::default();
        all.report(serving("agent", "1"), false);

        assert_eq!(all.report(serving("agent", "1"), true), Some(true));

        assert!(all.event(0).ok && all.services().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn status_shows_who_answers_now_and_why_somebody_cannot() {
        let mut all = RollUp::default();
        all.report(serving("session", "killed"), false);
        tokio::time::advance(Duration::from_secs(1)).await;
        all.report(serving("session", "new"), false);
        all.report(serving("agent", "1"), false);
        all.report(serving("edge", "e"), false);
        let damaged = ServiceHealth {
            state: State::NotServing.into(),
            detail: Some("bridge.db is damaged".into()),
            ..serving("channel-bridge", "1")
        };
        all.report(damaged, false);
        let answers: Answers = [
            ("session", Answer::Serves),
            ("agent", Answer::Nothing),
            ("channel-bridge", Answer::Nothing),
            ("config", Answer::Nothing),
        ]
        .into();

        let shown: Vec<_> = all
            .living(&answers)
            .into_iter()
            .map(|health| (health.service.clone(), health.state(), health.detail))
            .collect();

        let row = |service: &str, state, detail: Option<&str>| {
            (service.to_owned(), state, detail.map(str::to_owned))
        };
        assert_eq!(
            shown,
            [
                row("agent", State::Silent, Some("it does not answer")),
                row("channel-bridge", State::NotServing, Some("bridge.db is damaged")),
                row("config", State::Silent, Some("it does not answer")),
                row("edge", State::Serving, None),
                row("session", State::Serving, None),
            ]
        );
        assert!(all.forget("e") && !all.forget("e"));
    }

    #[test]
    fn channel_accounts_are_shown_by_name() {
        let mut all = RollUp::default();
        let account = Component {
            name: "irc/home".into(),
            ok: false,
            detail: Some("connection refused".into()),
        };
        all.report(
            ServiceHealth {
                components: vec![account],
                ..serving(CHANNELS, "1")
            },
            false,
        );

        assert!(!all.event(0).channels["irc/home"].ok);
    }
}
