//! The interfaces of this machine: whether anybody can be heard on the one that was named, or on any of those that are meant.

use std::collections::BTreeMap;

use gatehouse_core::telemetry::escape;
use nix::{
    ifaddrs::getifaddrs,
    sys::socket::{AddressFamily, SockaddrLike},
};

use super::is_at_home;

/// The interfaces by name, each with whether it has an address.
#[derive(Debug)]
pub(super) struct Interfaces(BTreeMap<String, bool>);

impl Interfaces {
    /// Asks the kernel.
    pub(super) fn read() -> Result<Self, String> {
        let listed = getifaddrs()
            .map_err(|error| format!("the interfaces of this machine cannot be listed: {error}"))?;
        let mut found = BTreeMap::new();
        for one in listed {
            let family = one.address.and_then(|address| address.family());
            let has_address = matches!(family, Some(AddressFamily::Inet | AddressFamily::Inet6));
            *found.entry(one.interface_name).or_default() |= has_address;
        }
        Ok(Self(found))
    }

    /// Whether somebody can be heard on the interface that was named, or on one of a household.
    ///
    /// # Errors
    /// Why nobody can.
    pub(super) fn can_hear(&self, named: Option<&str>) -> Result<(), String> {
        let all = || {
            let names: Vec<&str> = self.0.keys().map(String::as_str).collect();
            escape(&names.join(", ")).into_owned()
        };
        match named {
            Some(named) => match self.0.get(named) {
                Some(true) => Ok(()),
                Some(false) => Err(format!(
                    "the interface {} has no address, so that nobody is heard on it",
                    escape(named)
                )),
                None => Err(format!(
                    "there is no interface {}; there are: {}",
                    escape(named),
                    all()
                )),
            },
            None => {
                let is_meant = |(name, has_address): (&String, &bool)| {
                    *has_address && is_at_home(name) && !is_loopback(name)
                };
                let is_any = self.0.iter().any(is_meant);
                is_any.then_some(()).ok_or_else(|| {
                    format!(
                        "this machine is in no network in which gateways are looked for; its interfaces: {}",
                        all()
                    )
                })
            }
        }
    }
}

fn is_loopback(name: &str) -> bool {
    name.strip_prefix("lo")
        .is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interfaces(listed: &[(&str, bool)]) -> Interfaces {
        Interfaces(
            listed
                .iter()
                .map(|(name, has)| ((*name).to_owned(), *has))
                .collect(),
        )
    }

    #[test]
    fn an_interface_that_there_is_not_is_said_with_those_that_there_are() {
        let found = interfaces(&[("lo", true), ("eth0", true), ("wlan0", false)]);

        found.can_hear(Some("eth0")).unwrap();
        found.can_hear(Some("lo")).unwrap();
        found.can_hear(None).unwrap();
        assert_eq!(
            found.can_hear(Some("zz0")).unwrap_err(),
            "there is no interface zz0; there are: eth0, lo, wlan0"
        );
        let down = found.can_hear(Some("wlan0")).unwrap_err();
        assert!(down.contains("wlan0 has no address"), "{down}");
    }

    #[test]
    fn a_machine_that_is_alone_says_so() {
        for alone in [
            &[("lo", true)][..],
            &[("lo0", true), ("docker0", true), ("eth0", false)],
        ] {
            let told = interfaces(alone).can_hear(None).unwrap_err();
            assert!(told.contains("in no network") && told.contains("lo"), "{told}");
        }
    }

    #[test]
    fn this_machine_has_interfaces() {
        let found = Interfaces::read().unwrap();

        assert!(!found.0.is_empty());
        assert!(found.can_hear(Some("no-such-interface")).is_err());
    }
}
