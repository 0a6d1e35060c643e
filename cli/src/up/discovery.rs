//! Whether the local network is told of this gateway, and by which program.

use std::{collections::BTreeMap, net::IpAddr, path::Path};

use gatehouse_document::discovery::MdnsMode;
use tokio::process::Command;

use super::child::{Kind, Program, RESTART_MAX};

/// Its number, which chooses the colour: behind the six services.
const INDEX: usize = 6;

/// The networks of tailnets (100.64.0.0/10), in which there is no multicast: their first byte and the bits of the second one.
const TAILNET: (u8, u8, u8) = (100, 0b1100_0000, 0b0100_0000);

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Announced {
    /// At this address, or at those that the machine has.
    At(Option<IpAddr>),
    /// Not, and why.
    Not(&'static str),
}

impl Announced {
    pub(super) fn of(mode: Option<MdnsMode>, bind: IpAddr, is_container: bool) -> Self {
        match (mode, bind) {
            (Some(MdnsMode::Off), _) => Self::Not("discovery.mdns.mode is \"off\""),
            (None, _) if is_container => Self::Not("this is a container, and discovery.mdns.mode is not set"),
            (_, bind) if bind.is_loopback() => Self::Not("the gateway listens on this machine alone"),
            (_, bind) if is_tailnet(bind) => Self::Not("a tailnet has no multicast"),
            (_, bind) if bind.is_unspecified() => Self::At(None),
            (_, bind) => Self::At(Some(bind)),
        }
    }

    /// In words, for the log of the start.
    pub(super) fn told(&self) -> String {
        match self {
            Self::At(_) => "the network is told of this gateway".to_owned(),
            Self::Not(why) => format!("the network is not told of this gateway: {why}"),
        }
    }
}

fn is_tailnet(address: IpAddr) -> bool {
    let (first, mask, bits) = TAILNET;
    matches!(address, IpAddr::V4(address) if address.octets()[0] == first && address.octets()[1] & mask == bits)
}

/// Whether this is a container, whose network is not the one of the household.
pub(super) fn is_container() -> bool {
    ["/.dockerenv", "/run/.containerenv"]
        .iter()
        .any(|mark| Path::new(mark).exists())
}

/// The program that tells it, when it is to be told, with all that it finds in its environment.
pub(super) fn program(
    decided: &Announced,
    environment: BTreeMap<String, String>,
    executable: &Path,
) -> Option<Program> {
    let Announced::At(address) = *decided else {
        return None;
    };
    let executable = executable.to_owned();
    let command = move || {
        let mut command = Command::new(&executable);
        command.arg("discovery").env_clear().envs(&environment);
        if let Some(address) = address {
            command.args(["--address", &address.to_string()]);
        }
        command
    };
    Some(Program {
        name: "discovery".into(),
        index: INDEX,
        command: Box::new(command),
        answers: None, // nobody waits for it
        pause_max: RESTART_MAX,
        kind: Kind::Service,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_gateway_that_others_can_reach_is_told_of() {
        let of = |mode, bind: &str, is_container| Announced::of(mode, bind.parse().unwrap(), is_container);

        assert_eq!(of(None, "0.0.0.0", false), Announced::At(None));
        assert_eq!(
            of(None, "192.168.1.5", false),
            Announced::At(Some("192.168.1.5".parse().unwrap()))
        );
        for (mode, bind, is_container) in [
            (None, "127.0.0.1", false),
            (Some(MdnsMode::Minimal), "::1", false),
            (Some(MdnsMode::Off), "0.0.0.0", false),
            (None, "0.0.0.0", true),
            (None, "100.101.102.103", false),
        ] {
            let decided = of(mode, bind, is_container);
            assert!(matches!(decided, Announced::Not(_)), "{bind}");
            assert!(decided.told().contains("not told"));
        }
        assert_eq!(
            of(Some(MdnsMode::Full), "0.0.0.0", true),
            Announced::At(None),
            "asked for by name"
        );
    }
}
