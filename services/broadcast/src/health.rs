//! How every process is: what each said last, and that it fell silent.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use gatehouse_core::beat::BEAT;
use gatehouse_proto::broadcast::v1::{ChannelHealth, HealthEvent, ServiceHealth, service_health::State};
use tokio::time::Instant;

use crate::living::{Answer, Answers};

/// A report holds for three beats: who gives none for so long hangs. One that is gone is known from its connection.
pub(crate) const LEASE: Duration = BEAT.saturating_mul(3);

/// A silent process whose service is served by another one is a restart, not a failure, and is soon forgotten.
const FORGET_REPLACED_AFTER: Duration = LEASE.saturating_add(BEAT);

/// What is said of a process whose connection ended.
const GONE: &str = "it is gone";

/// What is said of a process that does not answer.
const DOES_NOT_ANSWER: &str = "it does not answer";

/// Looks without an answer after which a process hangs: the first may have met a busy moment.
const HANGS_AFTER: u32 = 2;

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
    /// How often in a row it did not answer when it was asked.
    unanswered: u32,
}

impl Process {
    fn hangs(&self) -> bool {
        self.unanswered >= HANGS_AFTER
    }

    /// What it said, and older by the time since; a silent one does not grow older.
    fn now(&self) -> ServiceHealth {
        let mut health = self.health.clone();
        if self.hangs() && health.state() != State::Silent {
            health.set_state(State::Silent);
            health.detail = Some(DOES_NOT_ANSWER.to_owned());
        }
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
                unanswered: 0,
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

    /// Takes in which services answer now: a process that hangs says nothing, and its connection stays. Answers whether anything
    /// changed.
    pub(crate) fn answered(&mut self, answers: &Answers) -> bool {
        let mut changed = false;
        for (service, answer) in answers {
            let of_service = self
                .0
                .values_mut()
                .filter(|process| process.health.service == *service);
            let Some(newest) = of_service.max_by_key(|process| process.said_at) else {
                continue;
            };
            let before = newest.hangs();
            newest.unanswered = if *answer == Answer::Nothing {
                newest.unanswered.saturating_add(1)
            } else {
                0
            };
            changed |= before != newest.hangs();
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
            process.said_at + next.unwrap_or(passed + BEAT)
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
        let channels: HashMap<String, ChannelHealth> = channels.collect();
        let accounts = channels.keys().filter_map(|account| account.split_once('/'));
        let order: BTreeSet<String> = accounts.map(|(channel, _)| channel.to_owned()).collect();
        HealthEvent {
            channel_labels: order
                .iter()
                .map(|channel| (channel.clone(), channel.clone()))
                .collect(),
            channel_order: order.into_iter().collect(),
            ok: is_ok(&services),
            ts: now_ms,
            duration_ms: 0,
            services,
            channels,
            ..HealthEvent::default()
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
            health.detail = Some(DOES_NOT_ANSWER.into());
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
mod tests;
