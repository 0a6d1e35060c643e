//! `gatehouse discovery`: says on the local network where the gateway of this home is, for as long as it is there, and follows its
//! addresses. Whatever goes wrong is told in the log and tried again; it never ends by itself.

use std::{collections::VecDeque, net::IpAddr, time::Duration};

use gatehouse_core::{Home, backoff::Backoff, drain};
use mdns_sd::{DaemonEvent, Receiver, ServiceDaemon, ServiceInfo};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{SERVICE, daemon, interfaces::Interfaces, name::Name, place::Place};
use crate::{
    args::{Common, discovery::Discovery},
    exit::{Exit, Failed},
    output,
    service::{end_with_supervisor, environment},
};

/// How often it is looked whether the gateway is somewhere else, or gone. The addresses of the machine are followed by the daemon itself.
const LOOK: Duration = Duration::from_secs(2);

/// The pauses after a failure: no network, no multicast.
const RETRY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// Conflicts about the name that are settled by another name within [`STORM`]. More of them are nobody's mistake, but somebody's work.
const CONFLICTS_MAX: usize = 10;

/// The time in which they are counted.
const STORM: Duration = Duration::from_secs(60);

/// How long nothing is said after a storm.
const SILENCE: Duration = Duration::from_secs(600);

/// Events of the daemon that are looked at at once: as many as it keeps.
const EVENTS_MAX: usize = 100;

/// How long the goodbye may take, by which listeners forget the gateway at once.
const GOODBYE: Duration = Duration::from_millis(500);

/// Announces until the end is asked for.
pub(crate) async fn run(common: &Common, asked: &Discovery) -> Result<(), Failed> {
    let env = environment(common);
    let home = Home::read(&env);
    let supervised = env.get("GATEHOUSE_SUPERVISED").is_some();
    let is_json = env.get("GATEHOUSE_LOG_FORMAT") == Some("json");
    if supervised {
        end_with_supervisor();
    }
    let drain = drain::on_signal(supervised)
        .map_err(|error| Failed::new(Exit::Failed, format!("cannot watch signals: {error}")))?;
    let mut announcer = Announcer {
        home,
        interface: asked.interface.clone(),
        address: asked.address,
        log: Voice {
            is_json,
            last: String::new(),
        },
        conflicts: VecDeque::new(),
    };
    let mut backoff = Backoff::new(RETRY.0, RETRY.1);
    loop {
        // It hears of the end itself, and says goodbye.
        let pause = match announcer.announce(&drain).await {
            Ended::Asked => return Ok(()),
            Ended::Storm => SILENCE,
            // Listeners forget what it was; said at once, the new would be in conflict with it.
            Ended::Moved => LOOK,
            Ended::Failed(why) => {
                announcer.log.say(&format!(
                    "the network is not told where the gateway is: {why}; trying again, at most every {} s",
                    RETRY.1.as_secs()
                ));
                backoff.next()
            }
        };
        tokio::select! {
            () = drain.requested() => return Ok(()),
            () = sleep(pause) => {}
        }
    }
}

enum Ended {
    Asked,
    /// The gateway is somewhere else, or gone.
    Moved,
    Storm,
    Failed(String),
}

struct Announcer {
    home: Home,
    interface: Option<String>,
    address: Option<IpAddr>,
    log: Voice,
    /// When the last conflicts were.
    conflicts: VecDeque<Instant>,
}

impl Announcer {
    async fn announce(&mut self, drain: &gatehouse_core::Drain) -> Ended {
        let name = match Name::of(&self.home.path) {
            Ok(name) => name,
            Err(error) => return Ended::Failed(format!("discovery.id in the home: {error}")),
        };
        let (daemon, events) = match self.open() {
            Ok(opened) => opened,
            Err(why) => return Ended::Failed(why),
        };
        // It may come later: the daemon looks for it.
        if let Err(why) = Interfaces::read().and_then(|found| found.can_hear(self.interface.as_deref())) {
            self.log
                .say(&format!("nobody can be told where the gateway is by now: {why}"));
        }
        let url_file = self.home.url_file();
        let mut said: Option<(Place, String)> = None;
        let ended = loop {
            match &said {
                Some((known, _)) if Place::read(&url_file).as_ref() != Some(known) => break Ended::Moved,
                Some(_) => {}
                None => {
                    let found = tokio::select! {
                        () = drain.requested() => None,
                        found = Place::ready(&url_file) => found,
                    };
                    if let Some(place) = found {
                        match self.register(&daemon, &name, &place) {
                            Ok(full) => said = Some((place, full)),
                            Err(why) => break Ended::Failed(why),
                        }
                    }
                }
            }
            if let Some(ended) = self.hear(&events) {
                break ended;
            }
            tokio::select! {
                () = drain.requested() => break Ended::Asked,
                () = sleep(LOOK) => {}
            }
        };
        goodbye(&daemon, said.as_ref().map(|(_, full)| full.as_str())).await;
        ended
    }

    fn open(&self) -> Result<(ServiceDaemon, Receiver<DaemonEvent>), String> {
        let daemon = daemon(self.interface.as_deref()).map_err(|failed| failed.message)?;
        let events = daemon.monitor().map_err(|error| error.to_string())?;
        Ok((daemon, events))
    }

    fn register(&mut self, daemon: &ServiceDaemon, name: &Name, place: &Place) -> Result<String, String> {
        let info = record(name, place, self.address).map_err(|error| error.to_string())?;
        let full = info.get_fullname().to_owned();
        daemon.register(info).map_err(|error| error.to_string())?;
        self.log.say(&format!(
            "the network is told of {} at port {}",
            name.shown(),
            place.port
        ));
        Ok(full)
    }

    /// What happened since. A storm of conflicts ends it for a while; of what cannot be sent, the last is told.
    fn hear(&mut self, events: &Receiver<DaemonEvent>) -> Option<Ended> {
        for event in events.try_iter().take(EVENTS_MAX) {
            match event {
                DaemonEvent::NameChange(change) => {
                    if self.is_storm(Instant::now()) {
                        self.log.say(&format!(
                            "others on the network take every name of this gateway: nothing is said for {} s",
                            SILENCE.as_secs()
                        ));
                        return Some(Ended::Storm);
                    }
                    self.log.say(&format!(
                        "another gateway has the name: this one is {} now",
                        change.new_name
                    ));
                }
                DaemonEvent::Error(error) => self
                    .log
                    .say(&format!("the network cannot be told everything: {error}")),
                DaemonEvent::IpAdd(address) => self
                    .log
                    .say(&format!("the machine has the address {address} now")),
                DaemonEvent::IpDel(address) => self
                    .log
                    .say(&format!("the machine has the address {address} no more")),
                _ => {}
            }
        }
        None
    }

    fn is_storm(&mut self, now: Instant) -> bool {
        self.conflicts.push_back(now);
        while self
            .conflicts
            .front()
            .is_some_and(|then| now.duration_since(*then) > STORM)
        {
            self.conflicts.pop_front();
        }
        let is_storm = self.conflicts.len() > CONFLICTS_MAX;
        if is_storm {
            self.conflicts.clear();
        }
        is_storm
    }
}

/// What is said: the keys that OpenClaw's clients read, without those that tell more than where the gateway is.
fn record(name: &Name, place: &Place, address: Option<IpAddr>) -> mdns_sd::Result<ServiceInfo> {
    let (shown, host) = (name.shown(), name.host());
    let mut keys = vec![
        ("role", "gateway".to_owned()),
        ("transport", "gateway".to_owned()),
        ("gatewayPort", place.port.to_string()),
        ("displayName", shown.clone()),
        ("lanHost", host.trim_end_matches('.').to_owned()),
    ];
    if let Some(fingerprint) = &place.fingerprint {
        keys.push(("gatewayTls", "1".to_owned()));
        keys.push(("gatewayTlsSha256", fingerprint.clone()));
    }
    let addresses: Vec<IpAddr> = address.into_iter().collect();
    let info = ServiceInfo::new(SERVICE, &shown, &host, &addresses[..], place.port, &keys[..])?;
    Ok(if address.is_none() {
        info.enable_addr_auto()
    } else {
        info
    })
}

/// Listeners are told that it goes, where they can be told at all.
async fn goodbye(daemon: &ServiceDaemon, said: Option<&str>) {
    if let Some(receiver) = said.and_then(|full| daemon.unregister(full).ok()) {
        let _ = tokio::task::spawn_blocking(move || receiver.recv_timeout(GOODBYE)).await;
    }
    let _ = daemon.shutdown(); // the process ends as well
}

/// Tells the log. The same sentence twice in a row is told once: a network may fail in the same way for days.
struct Voice {
    is_json: bool,
    last: String,
}

impl Voice {
    fn say(&mut self, sentence: &str) {
        if self.last == sentence {
            return;
        }
        sentence.clone_into(&mut self.last);
        if self.is_json {
            output::remark(
                &json!({"level": "INFO", "service.name": "discovery", "message": sentence}).to_string(),
            );
        } else {
            output::remark(sentence);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(fingerprint: Option<&str>) -> Place {
        Place {
            port: 18_789,
            fingerprint: fingerprint.map(str::to_owned),
        }
    }

    #[test]
    fn what_is_said_has_the_keys_that_clients_read_and_nothing_of_the_machine_or_its_people() {
        let home = tempfile::tempdir().unwrap();
        let name = Name::of(home.path()).unwrap();

        let info = record(&name, &place(Some("ab12")), None).unwrap();

        let keys: Vec<String> = info
            .get_properties()
            .iter()
            .map(|key| key.key().to_owned())
            .collect();
        let mut keys = keys;
        keys.sort();
        assert_eq!(
            keys,
            [
                "displayName",
                "gatewayPort",
                "gatewayTls",
                "gatewayTlsSha256",
                "lanHost",
                "role",
                "transport"
            ]
        );
        assert_eq!(info.get_property_val_str("gatewayPort"), Some("18789"));
        assert!(
            record(&name, &place(None), None)
                .unwrap()
                .get_property("gatewayTls")
                .is_none()
        );
        let all = format!(
            "{:?} {} {}",
            info.get_properties(),
            info.get_fullname(),
            info.get_hostname()
        );
        for private in [home.path().to_str().unwrap(), "token"] {
            assert!(!all.contains(private), "{private}: {all}");
        }
        let digits = info.get_hostname().strip_prefix("gatehouse-").unwrap();
        let digits = digits.strip_suffix(".local.").unwrap();
        assert!(
            digits.len() == 6 && u32::from_str_radix(digits, 16).is_ok(),
            "{digits}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_storm_of_conflicts_is_noticed_and_a_few_of_them_are_not() {
        let mut announcer = Announcer {
            home: Home::read(&gatehouse_core::Env::of([("GATEHOUSE_HOME", "/h")])),
            interface: None,
            address: None,
            log: Voice {
                is_json: false,
                last: String::new(),
            },
            conflicts: VecDeque::new(),
        };
        for _ in 0..CONFLICTS_MAX {
            assert!(!announcer.is_storm(Instant::now()));
        }
        tokio::time::advance(STORM + Duration::from_secs(1)).await;
        assert!(!announcer.is_storm(Instant::now()), "they were long ago");

        let storms = (0..CONFLICTS_MAX).filter(|_| announcer.is_storm(Instant::now()));

        assert_eq!(storms.count(), 1);
    }
}
