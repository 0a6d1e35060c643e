//! Slows down whoever guesses the token: failed logins are counted by address, and too many lock the address out.
//!
//! Loopback is exempt, because a person's own scripts would lock them out of their own house. A browser is not: any page
//! that the person opens can dial loopback, so a request with an `Origin` counts wherever it comes from.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Addresses remembered at once. At 100 bytes each this is less than a megabyte; the longest silent one goes first.
const ADDRESSES_MAX: usize = 4096;

/// How many failures are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) attempts_max: u32,
    pub(crate) window: Duration,
    pub(crate) lockout: Duration,
    pub(crate) exempt_loopback: bool,
}

impl Default for Limits {
    /// OpenClaw's defaults, so that a copied configuration means the same here.
    fn default() -> Self {
        Self {
            attempts_max: 10,
            window: Duration::from_secs(60),
            lockout: Duration::from_secs(300),
            exempt_loopback: true,
        }
    }
}

/// Who tries to log in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Suspect {
    /// The client's address, as far as the edge trusts it.
    pub(crate) ip: IpAddr,
    /// Whether a browser page stands behind it.
    pub(crate) browser: bool,
}

/// Counts failed logins.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    records: Mutex<HashMap<IpAddr, Record>>,
}

#[derive(Debug, Clone, Copy)]
struct Record {
    failures: u32,
    since: Instant,
    locked_until: Option<Instant>,
}

impl Record {
    fn is_over(&self, now: Instant, limits: &Limits) -> bool {
        match self.locked_until {
            Some(until) => now >= until,
            None => now.duration_since(self.since) >= limits.window,
        }
    }
}

impl Throttle {
    /// How long this suspect must wait before it may try, if it must.
    pub(crate) fn wait(&self, suspect: Suspect, limits: &Limits) -> Option<Duration> {
        let key = counted(suspect, limits)?;
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let until = records.get(&key)?.locked_until?;
        until
            .checked_duration_since(Instant::now())
            .filter(|wait| !wait.is_zero())
    }

    /// Remembers that a token was wrong.
    pub(crate) fn failed(&self, suspect: Suspect, limits: &Limits) {
        let Some(key) = counted(suspect, limits) else {
            return;
        };
        let now = Instant::now();
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() >= ADDRESSES_MAX && !records.contains_key(&key) {
            make_room(&mut records, now, limits);
        }
        let fresh = Record {
            failures: 0,
            since: now,
            locked_until: None,
        };
        let record = records.entry(key).or_insert(fresh);
        if record.is_over(now, limits) {
            *record = fresh;
        }
        record.failures = record.failures.saturating_add(1);
        if record.failures >= limits.attempts_max {
            record.locked_until = Some(now + limits.lockout);
        }
    }

    /// Forgets the failures of an address that has shown the right token.
    pub(crate) fn succeeded(&self, suspect: Suspect, limits: &Limits) {
        if let Some(key) = counted(suspect, limits) {
            self.records
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&key);
        }
    }
}

fn make_room(records: &mut HashMap<IpAddr, Record>, now: Instant, limits: &Limits) {
    records.retain(|_, record| !record.is_over(now, limits));
    if records.len() >= ADDRESSES_MAX {
        let oldest = records
            .iter()
            .min_by_key(|(_, record)| record.since)
            .map(|(ip, _)| *ip);
        oldest.map(|ip| records.remove(&ip));
    }
}

/// The key under which a suspect is counted. A network of IPv6 addresses that one customer owns counts as one.
fn counted(suspect: Suspect, limits: &Limits) -> Option<IpAddr> {
    let ip = suspect.ip.to_canonical();
    if ip.is_loopback() && limits.exempt_loopback && !suspect.browser {
        return None;
    }
    Some(match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    })
}

#[cfg(test)]
mod tests {
    use tokio::time;

    use super::*;

    const LIMITS: Limits = Limits {
        attempts_max: 10,
        window: Duration::from_secs(60),
        lockout: Duration::from_secs(300),
        exempt_loopback: true,
    };

    fn suspect(ip: &str, browser: bool) -> Suspect {
        Suspect {
            ip: ip.parse().unwrap(),
            browser,
        }
    }

    fn fail(throttle: &Throttle, who: Suspect, times: u32) {
        (0..times).for_each(|_| throttle.failed(who, &LIMITS));
    }

    #[tokio::test(start_paused = true)]
    async fn ten_failures_in_a_minute_lock_an_address_for_five() {
        let throttle = Throttle::default();
        let who = suspect("192.0.2.1", false);

        fail(&throttle, who, 9);
        assert_eq!(throttle.wait(who, &LIMITS), None);
        fail(&throttle, who, 1);
        assert_eq!(throttle.wait(who, &LIMITS), Some(LIMITS.lockout));
        assert_eq!(throttle.wait(suspect("192.0.2.2", false), &LIMITS), None);

        time::advance(LIMITS.lockout).await;
        assert_eq!(throttle.wait(who, &LIMITS), None);
        fail(&throttle, who, 1);
        assert_eq!(
            throttle.wait(who, &LIMITS),
            None,
            "a lockout that is over counts from the start"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_forgotten_after_a_minute_and_by_a_success() {
        let throttle = Throttle::default();
        let who = suspect("192.0.2.1", false);

        fail(&throttle, who, 9);
        time::advance(LIMITS.window).await;
        fail(&throttle, who, 9);
        throttle.succeeded(who, &LIMITS);
        fail(&throttle, who, 9);

        assert_eq!(throttle.wait(who, &LIMITS), None);
    }

    #[tokio::test(start_paused = true)]
    async fn loopback_is_exempt_unless_a_browser_page_stands_behind_it() {
        let throttle = Throttle::default();

        fail(&throttle, suspect("127.0.0.1", false), 50);
        assert_eq!(throttle.wait(suspect("127.0.0.1", false), &LIMITS), None);
        fail(&throttle, suspect("::1", true), 10);
        assert!(throttle.wait(suspect("::1", true), &LIMITS).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn one_budget_for_an_address_however_it_is_written() {
        let throttle = Throttle::default();

        fail(&throttle, suspect("192.0.2.1", false), 5);
        fail(&throttle, suspect("::ffff:192.0.2.1", false), 5);
        assert!(throttle.wait(suspect("192.0.2.1", false), &LIMITS).is_some());

        fail(&throttle, suspect("2001:db8::1", false), 5);
        fail(&throttle, suspect("2001:db8::2:0:0:1", false), 5);
        assert!(throttle.wait(suspect("2001:db8::3", false), &LIMITS).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn the_map_stays_bounded_and_the_oldest_goes_first() {
        let throttle = Throttle::default();
        fail(&throttle, suspect("203.0.113.1", false), 10);

        for n in 0..5000_u32 {
            time::advance(Duration::from_millis(1)).await;
            throttle.failed(
                Suspect {
                    ip: IpAddr::from((0x0a00_0000 + n).to_be_bytes()),
                    browser: false,
                },
                &LIMITS,
            );
        }

        assert!(throttle.records.lock().unwrap().len() <= ADDRESSES_MAX);
        assert_eq!(throttle.wait(suspect("203.0.113.1", false), &LIMITS), None);
    }
}
