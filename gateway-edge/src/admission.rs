//! Who gets as far as the handshake: checks of a request's headers, and bounds on sockets that have not shown a token.
//!
//! A page in a browser can dial loopback and can make its own name point here (DNS rebinding). Therefore `Host` must be a name
//! that nobody else can own, and `Origin`, which browsers always send, must be ours or a configured one.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderMap, StatusCode, header};

use crate::policy::{Door, name_of};

#[cfg(test)]
mod tests;

/// Headers by which a proxy says for whom it asks.
const FORWARDING: [&str; 4] = ["x-forwarded-for", "forwarded", "x-real-ip", "x-forwarded-host"];

/// Hops of `X-Forwarded-For` that are looked at.
const HOPS_MAX: usize = 16;

/// A request that is refused before the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turned {
    pub(crate) status: StatusCode,
    /// For a program.
    pub(crate) code: &'static str,
    /// For a person: what is wrong and what to do.
    pub(crate) message: &'static str,
}

const UNTRUSTED_PROXY: Turned = Turned {
    status: StatusCode::FORBIDDEN,
    code: "PROXY_NOT_TRUSTED",
    message: "the request carries forwarding headers, but its sender is not listed in gateway.trustedProxies; add the proxy's address there",
};
const BAD_FORWARDING: Turned = Turned {
    status: StatusCode::BAD_REQUEST,
    code: "FORWARDED_INVALID",
    message: "the trusted proxy sent an X-Forwarded-For that is not a list of addresses; make it set the header itself",
};
const HOST_MISSING: Turned = Turned {
    status: StatusCode::BAD_REQUEST,
    code: "HOST_MISSING",
    message: "the request has no single Host header",
};
const HOST_REFUSED: Turned = Turned {
    status: StatusCode::FORBIDDEN,
    code: "HOST_NOT_ALLOWED",
    message: "the gateway does not answer to this Host; set gateway.publicOrigin to the address people use, or use an IP address",
};
const ORIGIN_REFUSED: Turned = Turned {
    status: StatusCode::FORBIDDEN,
    code: "CONTROL_UI_ORIGIN_NOT_ALLOWED",
    message: "pages of this origin may not connect; add the origin to gateway.controlUi.allowedOrigins",
};

/// What is known about the sender of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Visitor {
    /// The client's address, as far as the edge trusts it. Never IPv4 written as IPv6.
    pub(crate) ip: IpAddr,
    /// Whether a browser page stands behind the request.
    pub(crate) browser: bool,
}

impl Door {
    /// Checks all headers that decide whether a request may go on to a handshake.
    pub(crate) fn admit(&self, peer: IpAddr, bound: IpAddr, headers: &HeaderMap) -> Result<Visitor, Turned> {
        let ip = self.client_of(peer, headers)?;
        let origin = single(headers, header::ORIGIN).map_err(|()| ORIGIN_REFUSED)?;
        let host = single(headers, header::HOST)
            .ok()
            .flatten()
            .ok_or(HOST_MISSING)?
            .to_ascii_lowercase();
        if !self.answers_to(&host, bound, origin.is_some()) {
            return Err(HOST_REFUSED);
        }
        if let Some(origin) = origin
            && !self.lets_in(&origin.to_ascii_lowercase(), &host)
        {
            return Err(ORIGIN_REFUSED);
        }
        Ok(Visitor {
            ip,
            browser: origin.is_some(),
        })
    }

    /// The address of the client: the right-most hop that is not one of our proxies.
    pub(crate) fn client_of(&self, peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, Turned> {
        let peer = peer.to_canonical();
        if !FORWARDING.iter().any(|name| headers.contains_key(*name)) {
            return Ok(peer);
        }
        if !self.trusts(peer) {
            return Err(UNTRUSTED_PROXY);
        }
        let mut hops = Vec::new();
        for value in headers.get_all("x-forwarded-for") {
            hops.extend(
                value
                    .to_str()
                    .map_err(|_| BAD_FORWARDING)?
                    .split(',')
                    .map(str::trim),
            );
        }
        let mut client = peer;
        for hop in hops.into_iter().rev().take(HOPS_MAX) {
            client = name_of(hop)
                .parse::<IpAddr>()
                .map_err(|_| BAD_FORWARDING)?
                .to_canonical();
            if !self.trusts(client) {
                break;
            }
        }
        Ok(client)
    }

    /// Whether this is the address of one of our proxies.
    pub(crate) fn trusts(&self, ip: IpAddr) -> bool {
        self.proxies.iter().any(|range| range.contains(ip))
    }

    /// Whether nobody else can own this name. Addresses cannot be rebound. A name without a dot is no name on the
    /// Internet; container networks use such names, browsers have no business with them.
    fn answers_to(&self, host: &str, bound: IpAddr, browser: bool) -> bool {
        let name = name_of(host);
        let loopback = name == "localhost" || name.ends_with(".localhost");
        let address = name.parse::<IpAddr>();
        let plain = !browser && !name.is_empty() && !name.contains('.');
        loopback
            || plain
            || address.is_ok_and(|ip| ip == bound || !ip.is_unspecified())
            || self.hosts.contains(name)
    }

    /// A page may connect when it came from here or is listed. `null`, the origin of sandboxed pages and files, is neither.
    fn lets_in(&self, origin: &str, host: &str) -> bool {
        let same = ["http://", "https://"]
            .iter()
            .any(|scheme| origin.strip_prefix(scheme) == Some(host));
        same || self.origins.contains(origin)
    }
}

fn single(headers: &HeaderMap, name: header::HeaderName) -> Result<Option<&str>, ()> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(());
    }
    first.map(|value| value.to_str().map_err(|_| ())).transpose()
}

/// Bounds on sockets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Sockets that have not shown a token, all together.
    pub(crate) strangers_max: usize,
    /// The same, of one address. Loopback is bounded by the total only: local proxies and scripts share it.
    pub(crate) strangers_of_one_max: usize,
    /// Sockets of all kinds. Broadcast takes the presence of 20,000 connections from one edge.
    pub(crate) sockets_max: usize,
}

impl Default for Bounds {
    /// 1,000 clients that come back at once after a restart must pass; 10,000 that never say who they are must not.
    fn default() -> Self {
        Self {
            strangers_max: 4096,
            strangers_of_one_max: 128,
            sockets_max: 20_000,
        }
    }
}

/// Counts sockets.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    bounds: Bounds,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    sockets: usize,
    strangers: usize,
    by_ip: HashMap<IpAddr, usize>,
}

/// A place for one socket; dropping it frees the place.
#[derive(Debug)]
pub(crate) struct Place {
    counter: Arc<Counter>,
    stranger: Option<IpAddr>,
}

impl Counter {
    pub(crate) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            counts: Mutex::default(),
        })
    }

    /// A place for a socket from this address, whose owner is not known yet.
    /// An address that many share, like a trusted proxy's, is bounded by the totals only.
    pub(crate) fn enter(self: &Arc<Self>, ip: IpAddr, shared: bool) -> Option<Place> {
        let ip = ip.to_canonical();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let of_one = counts.by_ip.get(&ip).copied().unwrap_or(0);
        let crowd = !shared && !ip.is_loopback() && of_one >= self.bounds.strangers_of_one_max;
        if crowd || counts.strangers >= self.bounds.strangers_max || counts.sockets >= self.bounds.sockets_max
        {
            return None;
        }
        counts.sockets += 1;
        counts.strangers += 1;
        *counts.by_ip.entry(ip).or_insert(0) += 1;
        Some(Place {
            counter: Arc::clone(self),
            stranger: Some(ip),
        })
    }

    /// All sockets.
    #[cfg(test)]
    pub(crate) fn sockets(&self) -> usize {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).sockets
    }
}

impl Place {
    /// The owner has shown a token: only the bound on all sockets counts from here on.
    pub(crate) fn known(&mut self) {
        let Some(ip) = self.stranger.take() else { return };
        let mut counts = self.counter.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.strangers -= 1;
        if let Some(count) = counts.by_ip.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                counts.by_ip.remove(&ip);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.known();
        self.counter
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .sockets -= 1;
    }
}
