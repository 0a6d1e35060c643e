//! What is said once the gateway is ready: where it is, and how a person goes on.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
    path::Path,
    time::Duration,
};

use crate::{
    args::Common,
    gateway::TOKEN_FILE,
    home::Found,
    term::{Ink, Style},
};

/// How a person goes on from here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    /// Whether commands need the home to find this gateway.
    pub(super) with_home: bool,
    /// Whether it runs without a terminal.
    pub(super) detached: bool,
}

impl Shown {
    pub(super) fn of(common: &Common, detached: bool) -> Self {
        Self {
            with_home: common.found == Found::Named,
            detached,
        }
    }
}

/// Where everything is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses<'a> {
    pub(super) url: &'a str,
    /// Where other machines come in, when they can.
    pub(super) others: Option<&'a str>,
    pub(super) page: Option<&'a str>,
    pub(super) metrics: Option<&'a str>,
    /// Whether the gateway made a token of its own. Otherwise the configuration says what opens it.
    pub(super) has_token_file: bool,
}

/// The address by which other machines reach one that listens everywhere: that of the interface through which this one would leave its
/// network. Nothing is sent for it.
pub(super) fn for_others(door: IpAddr, url: &str, is_tls: bool) -> Option<String> {
    if !door.is_unspecified() {
        return None;
    }
    let (_, rest) = url.split_once("://")?;
    let scheme = if is_tls { "wss" } else { "ws" };
    let (_, port) = rest.trim_end_matches('/').rsplit_once(':')?;
    // Addresses for documentation (RFC 5737, RFC 3849): nobody has them, and the way there is that to everybody.
    let route = |from: IpAddr, to: IpAddr| {
        let socket = UdpSocket::bind((from, 0)).ok()?;
        socket.connect((to, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
    };
    let ip = route(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into());
    let ip = ip.or_else(|| {
        let to = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        door.is_ipv6()
            .then(|| route(Ipv6Addr::UNSPECIFIED.into(), to.into()))
            .flatten()
    })?;
    Some(match ip {
        IpAddr::V4(ip) => format!("{scheme}://{ip}:{port}"),
        IpAddr::V6(ip) => format!("{scheme}://[{ip}]:{port}"),
    })
}

/// What a browser opens for a path on the gateway's address.
pub(super) fn page_at(url: &str, path: &str) -> String {
    let http = url.replacen("ws", "http", 1);
    format!("{}{path}", http.trim_end_matches('/'))
}

pub(super) fn banner(
    addresses: &Addresses<'_>,
    home: &Path,
    shown: Shown,
    took: Duration,
    style: Style,
) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "gatehouse".to_owned());
    let elsewhere = if !shown.with_home || home == Path::new("./data") || home == Path::new("data") {
        String::new()
    } else {
        format!(" --home {}", home.display())
    };
    let row = |name: &str, text: &str| format!("  {} {text}", style.paint(Ink::Dim, &format!("{name:7}")));
    let token = format!(
        "{program} token show{elsewhere}   (kept in {})",
        home.join(TOKEN_FILE).display()
    );
    let next = style.paint(Ink::Bold, &format!("{program} chat{elsewhere}"));
    let mut lines = vec![
        String::new(),
        format!(
            "{} in {:.1} s",
            style.paint(Ink::Green, "Gatehouse is ready"),
            took.as_secs_f64()
        ),
        String::new(),
        row("url", addresses.url),
    ];
    lines.extend(addresses.others.map(|url| {
        row(
            "others",
            &format!("{url}   (from other machines, with the token)"),
        )
    }));
    lines.extend(addresses.page.map(|url| row("page", url)));
    lines.push(if addresses.has_token_file {
        row("token", &token)
    } else {
        row("auth", "as gateway.auth of the configuration says")
    });
    lines.extend(addresses.metrics.map(|url| row("metrics", url)));
    lines.push(row("next", &next));
    if shown.detached {
        lines.push(row("log", &format!("{program} logs -f{elsewhere}")));
        lines.push(row("stop", &format!("{program} stop{elsewhere}")));
    } else {
        lines.push(row("stop", "Ctrl-C"));
    }
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: Shown = Shown {
        with_home: true,
        detached: false,
    };

    #[test]
    fn a_newcomer_is_told_the_address_the_token_and_the_next_step() {
        let text = banner(
            &Addresses {
                url: "ws://127.0.0.1:18789",
                others: None,
                page: Some(&page_at("ws://127.0.0.1:18789", "/claw/")),
                metrics: Some("http://127.0.0.1:18790/metrics"),
                has_token_file: true,
            },
            Path::new("./data"),
            SHOWN,
            Duration::from_millis(420),
            Style::plain(),
        );

        for needed in [
            "ready in 0.4 s",
            "ws://127.0.0.1:18789",
            "page    http://127.0.0.1:18789/claw/",
            "http://127.0.0.1:18790/metrics",
            "token show",
            "./data/config/token",
            " chat\n",
        ] {
            assert!(text.contains(needed), "{needed:?} is missing in {text}");
        }
    }

    #[test]
    fn who_listens_everywhere_is_told_where_other_machines_come_in() {
        let local = "127.0.0.1".parse().unwrap();
        assert_eq!(for_others(local, "ws://127.0.0.1:18789", false), None);
        // A machine without a network has no such address.
        if let Some(url) = for_others(Ipv4Addr::UNSPECIFIED.into(), "ws://127.0.0.1:18789/", true) {
            assert!(
                url.starts_with("wss://") && url.ends_with(":18789") && !url.contains("127.0.0.1"),
                "{url}"
            );
        }
        let text = banner(
            &Addresses {
                url: "ws://127.0.0.1:1",
                others: Some("ws://192.168.1.5:1"),
                page: None,
                metrics: None,
                has_token_file: true,
            },
            Path::new("./data"),
            SHOWN,
            Duration::ZERO,
            Style::plain(),
        );
        assert!(
            text.contains("others  ws://192.168.1.5:1   (from other machines"),
            "{text}"
        );
    }

    #[test]
    fn a_home_elsewhere_is_part_of_the_next_step() {
        let text = banner(
            &Addresses {
                url: "ws://127.0.0.1:1",
                others: None,
                page: None,
                metrics: None,
                has_token_file: false,
            },
            Path::new("/srv/gateway"),
            SHOWN,
            Duration::ZERO,
            Style::plain(),
        );

        assert!(
            text.contains("chat --home /srv/gateway") && !text.contains("page "),
            "{text}"
        );
        assert!(
            text.contains("gateway.auth") && !text.contains("token"),
            "a token that there is not is not offered: {text}"
        );
    }
}
