//! Why a service of this home is silent: it cannot say so itself, and neither can those whom it does not reach. The supervisor saw it
//! end, and what it said last.

use std::{collections::BTreeMap, time::Duration};

use gatehouse_core::Clock;

use super::page::Process;
use crate::{
    args::Common,
    control::{self, Ask, Failing},
    gateway::within_deadline,
};

/// A service that fails at each start is tried again within this time: what is older is of a process that hangs by now, or is well.
const RECENT: Duration = Duration::from_secs(60);

/// The services of this home that keep ending, by name.
pub(super) fn of_the_home(common: &Common) -> BTreeMap<String, Failing> {
    let run = common.run_dir();
    let asked = within_deadline(common, move || control::ask(&run, &Ask::Hello, None));
    let Ok(Ok(asked)) = asked else {
        return BTreeMap::new(); // no supervisor of this home: containers, systemd
    };
    recent(asked.answer.failing, Clock::system().now_ms())
}

fn recent(failing: Vec<Failing>, now_ms: i64) -> BTreeMap<String, Failing> {
    let within = |one: &Failing| {
        let age = u64::try_from(now_ms.saturating_sub(one.ended_ms)).unwrap_or(0);
        Duration::from_millis(age) <= RECENT
    };
    let failing = failing.into_iter().filter(within);
    failing.map(|one| (one.service.clone(), one)).collect()
}

/// Puts the reason to those that are silent.
pub(super) fn explain(processes: &mut [Process], failing: &BTreeMap<String, Failing>) {
    for process in processes {
        let serves = matches!(process.state.as_str(), "serving" | "degraded");
        if let Some(why) = failing.get(&process.service).filter(|_| !serves) {
            process.detail = Some(why.told());
        }
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_core::Service;

    use super::*;

    fn failing(service: &str, last_line: &str, ended_ms: i64) -> Failing {
        Failing {
            service: service.to_owned(),
            why: "ended with exit status: 1".to_owned(),
            last_line: last_line.to_owned(),
            ended_ms,
        }
    }

    #[test]
    fn a_silent_service_is_shown_with_what_it_said_before_it_ended() {
        let told = "gatehouse: /h/devices.db is damaged: restore a backup";
        let failing = recent(
            vec![failing("config", told, 5), failing("session", "", 5)],
            10_000,
        );
        let mut processes = [
            Process::new(Service::Config, "silent", Some("it does not answer")),
            Process::new(Service::Session, "serving", None),
            Process::new(Service::Agent, "silent", Some("it does not answer")),
        ];

        explain(&mut processes, &failing);

        let details = processes.map(|process| process.detail);
        assert_eq!(
            details,
            [
                Some("it ended with exit status: 1: /h/devices.db is damaged: restore a backup".to_owned()),
                None,
                Some("it does not answer".to_owned()),
            ]
        );
    }

    #[test]
    fn what_ended_long_ago_explains_nothing_of_now() {
        let now = 1_000_000;
        let found = recent(
            vec![failing("a", "", now - 60_001), failing("b", "", now - 60_000)],
            now,
        );

        assert_eq!(found.into_keys().collect::<Vec<_>>(), ["b"]);
    }
}
