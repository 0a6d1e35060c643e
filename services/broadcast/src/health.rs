//! How every process is: what each said last, and that it fell silent.

use std::{collections::BTreeMap, time::Duration};

use gatehouse_core::beat::SIGN_OF_LIFE;
use gatehouse_proto::broadcast::v1::{ChannelHealth, HealthEvent, ServiceHealth, service_health::State};
use tokio::time::Instant;

use crate::living::{Answer, Answers};

/// A report holds for three signs of life: who gives none for so long hangs. One that is gone is known from its connection.
pub(crate) const LEASE: Duration = SIGN_OF_LIFE.saturating_mul(3);

/// A silent process whose service is served by another one is a restart, not a failure, and is soon forgotten.
const FORGET_REPLACED_AFTER: Duration = LEASE.saturating_add(SIGN_OF_LIFE);

/// What is said of a process whose connection ended.
const GONE: &str = "it is gone";

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
    /// The connection that its last report came by.
    connection: Option<u64>,
    /// That connection has ended.
    is_gone: bool,
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
    pub(crate) fn report(
        &mut self,
        health: ServiceHealth,
        leaving: bool,
        connection: Option<u64>,
    ) -> Option<bool> {
        let id = health.instance_id.clone();
        if leaving {
            return Some(self.0.remove(&id).is_some());
        }
        // Its successor is never listed beside one that is gone.
        let before = self.0.len();
        self.0
            .retain(|_, process| !process.is_gone || process.health.service != health.service);
        let replaced = self.0.len() != before;
        if self.0.len() >= PROCESSES_MAX && !self.0.contains_key(&id) {
            return None;
        }
        let old = self.0.insert(
            id,
            Process {
                said_at: Instant::now(),
                health: health.clone(),
                connection,
                is_gone: false,
            },
        );
        Some(replaced || old.is_none_or(|old| !same(&old.health, &health)))
    }

    /// A connection ended: whose last report came by it is gone, or says otherwise by another one. One that said why it cannot
    /// start keeps its reason. Answers whether anything changed.
    pub(crate) fn connection_ended(&mut self, connection: u64) -> bool {
        let mut changed = false;
        let gone = |process: &&mut Process| process.connection == Some(connection) && !process.is_gone;
        for process in self.0.values_mut().filter(gone) {
            process.is_gone = true;
            if process.health.state() != State::NotServing || process.health.detail.is_none() {
                process.health.set_state(State::Silent);
                process.health.detail = Some(GONE.to_owned());
                changed = true;
            }
        }
        changed
    }

    /// When the next process falls silent or is forgotten, if nobody says anything.
    pub(crate) fn due(&self) -> Option<Instant> {
        let due = |process: &Process| {
            let silence = if process.health.state() == State::Silent {
                [FORGET_REPLACED_AFTER, FORGET_AFTER]
            } else {
                [LEASE, FORGET_REPLACED_AFTER]
            };
            let passed = process.said_at.elapsed();
            let next = silence.into_iter().find(|silence| *silence > passed);
            process.said_at + next.unwrap_or(passed + SIGN_OF_LIFE)
        };
        self.0.values().map(due).min()
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
    async fn a_process_that_says_nothing_falls_silent_and_the_gateway_is_not_well() {
        let mut all = RollUp::default();
        assert_eq!(all.report(serving("session", "1"), false, None), Some(true));
        assert_eq!(
            all.report(
                ServiceHealth {
                    uptime_ms: 9,
                    ..serving("session", "1")
                },
                false,
                None
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
            None,
        );

        tokio::time::advance(Duration::from_secs(3)).await;

        assert_eq!(all.services()[0].uptime_ms, 3_007);
    }

    #[tokio::test(start_paused = true)]
    async fn a_restarted_service_replaces_its_silent_self() {
        let mut all = RollUp::default();
        all.report(serving("session", "old"), false, None);
        tokio::time::advance(FORGET_REPLACED_AFTER).await;
        all.report(serving("session", "new"), false, None);

        all.expire();

        assert_eq!(all.services().len(), 1);
        assert!(all.event(0).ok);
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_by_request_is_not_missed() {
        let mut all = RollUp::default();
        all.report(serving("agent", "1"), false, None);

        assert_eq!(all.report(serving("agent", "1"), true, None), Some(true));

        assert!(all.event(0).ok && all.services().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn status_shows_who_answers_now_and_why_somebody_cannot() {
        let mut all = RollUp::default();
        all.report(serving("session", "killed"), false, None);
        tokio::time::advance(Duration::from_secs(1)).await;
        all.report(serving("session", "new"), false, None);
        all.report(serving("agent", "1"), false, None);
        all.report(serving("edge", "e"), false, None);
        let damaged = ServiceHealth {
            state: State::NotServing.into(),
            detail: Some("bridge.db is damaged".into()),
            ..serving("channel-bridge", "1")
        };
        all.report(damaged, false, None);
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

    #[tokio::test(start_paused = true)]
    async fn a_process_that_is_gone_is_shown_at_once_and_never_beside_its_successor() {
        let mut all = RollUp::default();
        all.report(serving("agent", "killed"), false, Some(1));
        all.report(serving("session", "lives"), false, Some(2));
        all.report(serving("session", "lives"), false, Some(3)); // it connected anew before the old connection ended

        assert!(all.connection_ended(1));
        assert!(!all.connection_ended(2), "it speaks by another one");

        let shown = |all: &RollUp| {
            let row = |health: ServiceHealth| (health.instance_id.clone(), health.state(), health.detail);
            all.services().into_iter().map(row).collect::<Vec<_>>()
        };
        let lives = ("lives".to_owned(), State::Serving, None);
        assert_eq!(
            shown(&all),
            [
                ("killed".to_owned(), State::Silent, Some(GONE.to_owned())),
                lives.clone()
            ]
        );
        assert_eq!(all.report(serving("agent", "new"), false, Some(4)), Some(true));
        assert_eq!(shown(&all), [("new".to_owned(), State::Serving, None), lives]);
    }

    #[tokio::test(start_paused = true)]
    async fn why_a_process_could_not_start_is_shown_until_one_starts() {
        let mut all = RollUp::default();
        for attempt in ["1", "2", "3"] {
            let failed = ServiceHealth {
                state: State::NotServing.into(),
                detail: Some("the disk is on fire".into()),
                ..serving("agent", attempt)
            };
            all.report(failed, false, Some(7));
            all.connection_ended(7);
        }

        let shown = all.services();
        assert_eq!(shown.len(), 1, "each attempt replaces the one before: {shown:?}");
        assert_eq!(shown[0].detail.as_deref(), Some("the disk is on fire"));
        all.report(serving("agent", "4"), false, Some(8));
        assert_eq!(all.services().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_due_when_it_would_be_seen() {
        let mut all = RollUp::default();
        assert_eq!(all.due(), None);
        all.report(serving("session", "1"), false, None);

        for changes in [true, true] {
            let due = all.due().unwrap();
            tokio::time::advance(due - Instant::now() - Duration::from_millis(1)).await;
            assert!(!all.expire(), "not yet");
            tokio::time::advance(Duration::from_millis(1)).await;
            assert_eq!(all.expire(), changes);
            if !all.services().is_empty() {
                // Nobody replaces it: it is shown for long.
                tokio::time::advance(FORGET_AFTER - 2 * LEASE).await;
                assert!(!all.expire());
            }
        }
        assert_eq!(all.due(), None);
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
            None,
        );

        assert!(!all.event(0).channels["irc/home"].ok);
    }
}
