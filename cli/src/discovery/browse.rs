//! `gatehouse discover`: the gateways that say on the local network that they are there. Anybody can say so: what is shown is a hint where
//! to look, and connecting asks for the token or the fingerprint that one has from elsewhere.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use gatehouse_core::telemetry::escape;
use mdns_sd::{ResolvedService, ServiceEvent};
use serde::Serialize;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{SERVICE, daemon, interfaces::Interfaces};
use crate::{
    args::{Common, discovery::Discover},
    exit::{Exit, Failed},
    output,
    term::{Style, Table},
};

/// How often it is looked what came.
const LOOK: Duration = Duration::from_millis(50);

/// Gateways that are shown: a network that says more of them is not one of a household.
const FOUND_MAX: usize = 256;

/// The longest text of a record that is shown.
const TEXT_CHARS_MAX: usize = 128;

/// A gateway, as it says itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    name: String,
    host: String,
    port: u16,
    addresses: Vec<IpAddr>,
    /// For each address, where a client would connect.
    urls: Vec<String>,
    tls: bool,
    /// What it says of its certificate. Not to be trusted: everybody can say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed_fingerprint: Option<String>,
}

/// Looks for a while, and lists what was found.
pub(crate) async fn run(common: &Common, asked: &Discover, style: Style) -> Result<(), Failed> {
    match Interfaces::read().and_then(|found| found.can_hear(asked.interface.as_deref())) {
        Ok(()) => {}
        Err(why) if asked.interface.is_some() => {
            return Err(
                Failed::new(Exit::Failed, why).next("leave --interface out to look on all that are meant")
            );
        }
        Err(why) => output::remark(&why),
    }
    let daemon = daemon(asked.interface.as_deref())?;
    let events = daemon
        .browse(SERVICE)
        .map_err(|error| Failed::new(Exit::Failed, format!("cannot look for gateways: {error}")))?;
    let until = Instant::now() + Duration::from_secs(asked.seconds.into());
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    while Instant::now() < until {
        for event in events.try_iter().take(FOUND_MAX) {
            match event {
                ServiceEvent::ServiceResolved(service) if found.len() < FOUND_MAX => {
                    found.insert(service.fullname.clone(), read(&service));
                }
                ServiceEvent::ServiceRemoved(_, name) => {
                    found.remove(&name);
                }
                _ => {}
            }
        }
        sleep(LOOK).await;
    }
    let _ = daemon.shutdown(); // the process ends as well
    let found: Vec<Found> = found.into_values().collect();
    if common.json {
        return output::line(&json!({"gateways": found}).to_string());
    }
    if found.is_empty() {
        output::remark(
            "no gateway says on this network that it is there; one that listens on its own machine alone says nothing",
        );
        return Ok(());
    }
    output::text(&page(&found, style))?;
    output::remark(
        "anybody on the network can say this: connect with the token of your gateway and, with TLS, the fingerprint that its own machine prints (--tls-fingerprint)",
    );
    Ok(())
}

fn read(service: &ResolvedService) -> Found {
    let text = |text: &str| -> String { escape(text).chars().take(TEXT_CHARS_MAX).collect() };
    let key = |key: &str| service.get_property_val_str(key).map(text);
    let mut addresses: Vec<IpAddr> = service
        .get_addresses()
        .iter()
        .map(mdns_sd::ScopedIp::to_ip_addr)
        .collect();
    addresses.sort();
    addresses.dedup();
    // Without the interface it leads nowhere.
    addresses.retain(|address| !matches!(address, IpAddr::V6(address) if address.is_unicast_link_local()));
    let tls = key("gatewayTls").as_deref() == Some("1");
    let scheme = if tls { "wss" } else { "ws" };
    // The name of the record, without the kind of the service.
    let name = service
        .fullname
        .strip_suffix(SERVICE)
        .unwrap_or(&service.fullname);
    let urls = addresses.iter().map(|address| match address {
        IpAddr::V4(address) => format!("{scheme}://{address}:{}", service.port),
        IpAddr::V6(address) => format!("{scheme}://[{address}]:{}", service.port),
    });
    Found {
        name: key("displayName").unwrap_or_else(|| text(name.trim_end_matches('.'))),
        host: text(service.host.trim_end_matches('.')),
        port: service.port,
        urls: urls.collect(),
        addresses,
        tls,
        claimed_fingerprint: key("gatewayTlsSha256"),
    }
}

fn page(found: &[Found], style: Style) -> String {
    let mut table = Table::new(&["NAME", "HOST", "URL"]);
    for one in found {
        let urls = if one.urls.is_empty() {
            "no address".to_owned()
        } else {
            one.urls.join(" ")
        };
        table.row(vec![
            (None, one.name.clone()),
            (None, one.host.clone()),
            (None, urls),
        ]);
    }
    table.render(style)
}

#[cfg(test)]
mod tests {
    use mdns_sd::ServiceInfo;

    use super::*;

    #[test]
    fn what_a_record_says_is_shown_bounded_and_without_a_trick() {
        let keys = [
            ("displayName", "a\u{1b}[2Jb".repeat(20)),
            ("gatewayTls", "1".to_owned()),
            ("gatewayTlsSha256", "ab".to_owned()),
        ];
        let info = ServiceInfo::new(SERVICE, "x", "h.local.", "192.0.2.7", 4321, &keys[..]).unwrap();

        let found = read(&info.as_resolved_service());

        assert!(
            !found.name.contains('\u{1b}') && found.name.chars().count() <= TEXT_CHARS_MAX,
            "{found:?}"
        );
        assert_eq!(found.urls, ["wss://192.0.2.7:4321"]);
        assert_eq!(found.claimed_fingerprint.as_deref(), Some("ab"));
        assert!(page(&[found], Style::plain()).contains("h.local"));
    }
}
