//! How the gateway's processes fared: each change of one, the last few hundred of them.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use gatehouse_proto::broadcast::v1::{GetStabilityResponse, ServiceHealth, StabilityEvent, StabilitySummary};

/// Changes that are remembered: a service that is started again and again makes a handful each time.
const REMEMBERED_MAX: usize = 500;

/// The one type of them.
const TYPE: &str = "service.health";

/// What is said of a process that is no more.
const GONE: &str = "gone";

/// The last changes.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// How each was when it was looked at last.
    known: BTreeMap<String, (String, Option<String>)>,
    events: VecDeque<StabilityEvent>,
    /// The number of the last.
    seq: i64,
    dropped: i64,
}

impl History {
    /// Looks at how everybody is, and remembers what is different.
    pub(crate) fn see(&self, services: &[ServiceHealth], now_ms: i64) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = BTreeMap::new();
        for health in services {
            let word = health
                .state()
                .as_str_name()
                .trim_start_matches("STATE_")
                .to_ascii_lowercase();
            now.insert(health.service.clone(), (word, health.detail.clone()));
        }
        let gone = state.known.keys().filter(|service| !now.contains_key(*service));
        let gone: Vec<String> = gone.cloned().collect();
        for service in gone {
            if state.known.get(&service).is_some_and(|(word, _)| word != GONE) {
                now.insert(service, (GONE.to_owned(), None));
            }
        }
        for (service, how) in now {
            if state.known.get(&service) != Some(&how) {
                state.add(&service, &how, now_ms);
                state.known.insert(service, how);
            }
        }
    }

    /// The newest that fit a question.
    pub(crate) fn answer(&self, of: Option<&str>, since: Option<i64>, limit: usize) -> GetStabilityResponse {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |event: &&StabilityEvent| {
            of.is_none_or(|of| of == event.r#type) && since.is_none_or(|since| event.seq > since)
        };
        let fitting: Vec<&StabilityEvent> = state.events.iter().filter(fits).collect();
        let mut by_type = std::collections::HashMap::new();
        for event in &fitting {
            *by_type.entry(event.r#type.clone()).or_default() += 1;
        }
        let newest = fitting.iter().skip(fitting.len().saturating_sub(limit));
        GetStabilityResponse {
            generated_at: String::new(),
            capacity: i64::try_from(REMEMBERED_MAX).unwrap_or(i64::MAX),
            count: i64::try_from(fitting.len()).unwrap_or(i64::MAX),
            dropped: state.dropped,
            first_seq: fitting.first().map(|event| event.seq),
            last_seq: fitting.last().map(|event| event.seq),
            events: newest.map(|event| (*event).clone()).collect(),
            summary: Some(StabilitySummary { by_type }),
        }
    }
}

impl State {
    fn add(&mut self, service: &str, (word, detail): &(String, Option<String>), now_ms: i64) {
        self.seq += 1;
        self.events.push_back(StabilityEvent {
            seq: self.seq,
            ts: now_ms,
            r#type: TYPE.to_owned(),
            source: service.to_owned(),
            outcome: word.clone(),
            reason: detail.clone(),
        });
        if self.events.len() > REMEMBERED_MAX {
            self.events.pop_front();
            self.dropped += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_proto::broadcast::v1::service_health;

    use super::*;

    fn service(name: &str, state: service_health::State, detail: Option<&str>) -> ServiceHealth {
        ServiceHealth {
            service: name.to_owned(),
            state: state.into(),
            detail: detail.map(str::to_owned),
            ..ServiceHealth::default()
        }
    }

    #[test]
    fn each_change_of_a_process_is_remembered_once_with_its_reason() {
        use service_health::State::{Degraded, Serving};
        let history = History::default();

        history.see(
            &[service("edge", Serving, None), service("agent", Serving, None)],
            1,
        );
        history.see(
            &[
                service("edge", Serving, None),
                service("agent", Degraded, Some("no key")),
            ],
            2,
        );
        history.see(
            &[
                service("edge", Serving, None),
                service("agent", Degraded, Some("no key")),
            ],
            3,
        );
        history.see(&[service("edge", Serving, None)], 4);
        history.see(&[service("edge", Serving, None)], 5);

        let all = history.answer(None, None, 10);
        let told: Vec<_> = all
            .events
            .iter()
            .map(|e| (e.ts, e.source.as_str(), e.outcome.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (1, "agent", "serving"),
                (1, "edge", "serving"),
                (2, "agent", "degraded"),
                (4, "agent", "gone")
            ]
        );
        assert_eq!(all.events[2].reason.as_deref(), Some("no key"));
        assert_eq!(all.summary.unwrap().by_type[TYPE], 4);
        let last = history.answer(Some(TYPE), Some(2), 1);
        assert_eq!((last.count, last.first_seq, last.events.len()), (2, Some(3), 1));
        assert_eq!(history.answer(Some("telemetry.exporter"), None, 10).count, 0);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_was_forgotten_is_counted() {
        use service_health::State::{Serving, Silent};
        let history = History::default();
        for round in 0..600 {
            let state = if round % 2 == 0 { Serving } else { Silent };
            history.see(&[service("edge", state, None)], round);
        }

        let answer = history.answer(None, None, 10);

        assert_eq!(
            (answer.count, answer.dropped, answer.last_seq),
            (500, 100, Some(600))
        );
    }
}
