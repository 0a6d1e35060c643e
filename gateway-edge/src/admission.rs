//! Who gets as far as the handshake: checks of a request's headers, and bounds on sockets that have not shown a token.
//!
//! A page in a browser can dial loopback and can make its own name point here (DNS rebinding). Therefore `Host` must be a name
//! that nobody else can own, and `Origin`, which browsers always send, must be ours or a configured one.

use std::net::IpAddr;

use gatehouse_core::net::{Gateways, HostName, PeerKey, host_of};
use http::{HeaderMap, StatusCode, Uri, header};

mod counter;
mod marks;
mod policy;
#[cfg(test)]
mod tests;

pub(crate) use policy::AdmissionPolicy;

pub(crate) use counter::{Bounds, Counter, Permit};

/// Headers that only browsers send, and pages cannot forge (Fetch, "forbidden request-header").
const BROWSER_MARKS: [&str; 3] = ["sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"];

/// Hops of `X-Forwarded-For` that are looked at.
const HOPS_MAX: usize = 16;

/// A request that is refused before the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) status: StatusCode,
    /// For a program.
    pub(crate) code: &'static str,
    /// For a person: what is wrong and what to do.
    pub(crate) message: &'static str,
    /// Whether a WebSocket is told it in a frame. A page sees nothing of the answer to an upgrade.
    pub(crate) in_frame: bool,
}

const UNTRUSTED_PROXY: Rejection = Rejection {
    status: StatusCode::FORBIDDEN,
    code: "PROXY_NOT_TRUSTED",
    message: "the request carries forwarding headers, but its sender is not listed in gateway.trustedProxies; add the proxy's address there",
    in_frame: false,
};
const BAD_FORWARDING: Rejection = Rejection {
    status: StatusCode::BAD_REQUEST,
    code: "FORWARDED_INVALID",
    message: "the trusted proxy sent an X-Forwarded-For that is not a list of addresses; make it set the header itself",
    in_frame: false,
};
const HOST_MISSING: Rejection = Rejection {
    status: StatusCode::BAD_REQUEST,
    code: "HOST_MISSING",
    message: "the request has no single Host header",
    in_frame: false,
};
const HOST_REFUSED: Rejection = Rejection {
    status: StatusCode::FORBIDDEN,
    code: "HOST_NOT_ALLOWED",
    message: "the gateway does not answer to this Host; set gateway.publicOrigin to the address people use, or use an IP address",
    in_frame: true,
};
const ORIGIN_REFUSED: Rejection = Rejection {
    status: StatusCode::FORBIDDEN,
    code: "CONTROL_UI_ORIGIN_NOT_ALLOWED",
    message: "pages of this origin may not connect; add the origin to gateway.controlUi.allowedOrigins",
    in_frame: true,
};

/// How many may stand behind an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// A program on this machine that reached us without a proxy.
    Local,
    /// Many: the bridge of a container network, or a trusted proxy that does not say for whom it asks. What one of them does
    /// must not be held against the others.
    Shared,
    /// One client, as far as addresses tell.
    Own,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client {
    /// The address, as far as the edge trusts it. Never IPv4 written as IPv6.
    pub(crate) ip: IpAddr,
    pub(crate) reach: Reach,
}

impl Client {
    /// The peer as bounds and lock-outs count it.
    pub(crate) fn key(&self) -> PeerKey {
        PeerKey::of(self.ip)
    }
}

/// What is known about the sender of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sender {
    pub(crate) client: Client,
    /// Whether a browser page stands behind the request.
    pub(crate) browser: bool,
}

/// By which way a request came in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way<'a> {
    /// The other end of the socket.
    pub(crate) peer: IpAddr,
    /// This end of it.
    pub(crate) local: IpAddr,
    /// The address of the listener.
    pub(crate) bound: IpAddr,
    pub(crate) gateways: &'a Gateways,
}

impl AdmissionPolicy {
    /// Checks all headers that decide whether a request may go on to a handshake.
    pub(crate) fn admit(&self, way: Way<'_>, uri: &Uri, headers: &HeaderMap) -> Result<Sender, Rejection> {
        let client = self.client_of(way, headers)?;
        let origin = single(headers, header::ORIGIN).map_err(|()| ORIGIN_REFUSED)?;
        let host = self.check_host(way.bound, uri, headers)?;
        if let Some(origin) = origin
            && !self.lets_in(&origin.to_ascii_lowercase(), &host)
        {
            return Err(ORIGIN_REFUSED);
        }
        Ok(Sender {
            client,
            browser: origin.is_some(),
        })
    }

    /// The name under which we are asked, if it is one that nobody else can own. A target that names another host beside it is
    /// checked as well.
    pub(crate) fn check_host(
        &self,
        bound: IpAddr,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<String, Rejection> {
        let host = single(headers, header::HOST)
            .ok()
            .flatten()
            .ok_or(HOST_MISSING)?
            .to_ascii_lowercase();
        let target = uri.authority().map(|target| target.as_str().to_ascii_lowercase());
        let page = headers.contains_key(header::ORIGIN) || is_of_a_page(headers);
        let ours = |name: &String| self.answers_to(host_of(name), bound, page);
        if ours(&host) && target.is_none_or(|target| ours(&target)) {
            Ok(host)
        } else {
            Err(HOST_REFUSED)
        }
    }

    /// Who asks, before anything is said: the other end of the socket.
    pub(crate) fn peer_of(&self, way: Way<'_>) -> Client {
        let ip = way.peer.to_canonical();
        // A trusted proxy on this machine cannot be told from a program on it. Whoever has our own address is on this machine
        // too, but came by its network.
        let shared = self.trusts(ip) || way.gateways.contains(ip);
        let reach = match ip.is_loopback() {
            _ if shared => Reach::Shared,
            true => Reach::Local,
            false if ip == way.local.to_canonical() => Reach::Shared,
            false => Reach::Own,
        };
        Client { ip, reach }
    }

    /// The client: the right-most hop that is not one of our proxies. Where a proxy names none, it is the proxy, behind which
    /// anybody may stand.
    pub(crate) fn client_of(&self, way: Way<'_>, headers: &HeaderMap) -> Result<Client, Rejection> {
        let peer = self.peer_of(way);
        if !marks::says_for_whom(headers) {
            return Ok(match peer.reach {
                // It is not refused for that, but never taken for a program on this machine.
                Reach::Local if marks::has_any(headers) => Client {
                    reach: Reach::Shared,
                    ..peer
                },
                _ => peer,
            });
        }
        if !self.trusts(peer.ip) {
            return Err(UNTRUSTED_PROXY);
        }
        let mut hops = Vec::new();
        for value in headers.get_all("x-forwarded-for") {
            let value = value.to_str().map_err(|_| BAD_FORWARDING)?;
            hops.extend(value.split(',').map(str::trim));
        }
        for hop in hops.into_iter().rev().take(HOPS_MAX) {
            let ip = host_of(hop)
                .parse::<IpAddr>()
                .map_err(|_| BAD_FORWARDING)?
                .to_canonical();
            if self.trusts(ip) {
                continue;
            }
            // The proxy's own machine, or nobody: so it does not say who.
            if ip.is_loopback() || ip.is_unspecified() {
                break;
            }
            let reach = Reach::Own;
            return Ok(Client { ip, reach });
        }
        Ok(peer)
    }

    /// Whether this is the address of one of our proxies.
    pub(crate) fn trusts(&self, ip: IpAddr) -> bool {
        self.proxies
            .iter()
            .any(|range| range.contains(&ip.to_canonical()))
    }

    /// Whether nobody else can own this name, or the operator has listed it.
    fn answers_to(&self, name: &str, bound: IpAddr, page: bool) -> bool {
        let ours = match HostName::of(name) {
            HostName::Fixed => true,
            HostName::Plain => !page,
            HostName::Owned => name.parse::<IpAddr>().is_ok_and(|ip| ip == bound),
        };
        ours || self.hosts.contains(name)
    }

    /// A page may connect when it came from here or is listed. `null`, the origin of sandboxed pages and files, is neither.
    fn lets_in(&self, origin: &str, host: &str) -> bool {
        let same = ["http://", "https://"]
            .iter()
            .any(|scheme| origin.strip_prefix(scheme) == Some(host));
        same || self.origins.contains(origin)
    }
}

/// Whether a page asks. A person who writes the address themselves is none: `none` is what no page can make a browser say
/// (Fetch Metadata, "Sec-Fetch-Site").
fn is_of_a_page(headers: &HeaderMap) -> bool {
    let is_written = headers.get(BROWSER_MARKS[0]).is_some_and(|site| site == "none")
        && headers
            .get(BROWSER_MARKS[1])
            .is_some_and(|mode| mode == "navigate");
    !is_written && BROWSER_MARKS.iter().any(|name| headers.contains_key(*name))
}

fn single(headers: &HeaderMap, name: header::HeaderName) -> Result<Option<&str>, ()> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(());
    }
    first.map(|value| value.to_str().map_err(|_| ())).transpose()
}
