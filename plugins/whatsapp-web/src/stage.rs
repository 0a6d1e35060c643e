//! How far a session is, by what WhatsApp says. The ends of one are told apart here, each with its own words and what to do:
//!
//! - 515: the connection begins anew, as it does once behind each linking. Nobody has to do anything.
//! - 401: this login is over. Its credentials are kept aside, and another one begins with another code.
//! - 440: another program shows the same credentials. Who comes back puts the other out, so we do not.
//! - 403: WhatsApp has locked the account. Nothing that a program does helps.

use std::time::Duration;

use gatehouse_plugin_sdk::{for_good, for_now};
use gatehouse_proto::channel::v1::{Ended, LoginWanted};
use tokio::time::Instant;
use whatsapp_rust::{
    prelude::{Event, EventKind},
    wacore::types::events::ConnectFailureReason,
};

use crate::CHANNEL;

/// What is listened to.
pub(crate) const KINDS: [EventKind; 14] = [
    EventKind::Connected,
    EventKind::Disconnected,
    EventKind::PairSuccess,
    EventKind::PairError,
    EventKind::LoggedOut,
    EventKind::PairingQrCode,
    EventKind::PairingCode,
    EventKind::PairingCodeRefresh,
    EventKind::PairingCodeError,
    EventKind::PairingQrCodesExhausted,
    EventKind::QrScannedWithoutMultidevice,
    EventKind::ClientOutdated,
    EventKind::StreamReplaced,
    EventKind::TemporaryBan,
];

/// Why a session is over.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Over {
    /// The account ends. `login`: so does its login, whose credentials open nothing any more.
    Account { ended: Ended, login: bool },
    /// The codes are used up: another session brings others.
    Codes,
}

/// How far it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stage {
    /// What a person is to scan or to type.
    pub(crate) login: Option<LoginWanted>,
    /// Until when the code to type holds.
    pub(crate) typed_until: Option<Instant>,
    /// No code is left to scan, and the one to type holds.
    pub(crate) scanned_out: bool,
    /// What is not as it should be while somebody links the account.
    pub(crate) trouble: Option<String>,
    /// The account was linked in this session, when, and the connection begins anew.
    pub(crate) restarts: Option<Instant>,
    /// WhatsApp is there.
    pub(crate) connected: bool,
    /// The connection broke, why, and when.
    pub(crate) lost: Option<(String, Instant)>,
    /// It is over.
    pub(crate) over: Option<Over>,
    /// Nothing of it runs any more.
    pub(crate) stopped: bool,
}

impl Stage {
    /// Takes in what happened. `now`: milliseconds since 1970.
    pub(crate) fn hear(&mut self, event: &Event, now: i64) {
        match event {
            Event::Connected(_) => {
                self.connected = true;
                (self.login, self.trouble, self.lost, self.restarts) = (None, None, None, None);
            }
            Event::Disconnected(lost) => {
                self.connected = false;
                self.lost = Some((lost.reason.to_string(), Instant::now()));
            }
            Event::PairSuccess(_) => {
                self.restarts = Some(Instant::now());
                (self.login, self.trouble) = (None, None);
            }
            Event::PairError(error) => self.trouble = Some(format!("linking did not work: {}", error.error)),
            Event::PairingQrCode(code) => {
                let login = self.login.get_or_insert_default();
                login.qr.clone_from(&code.code);
                login.expires_at = at(now, code.timeout);
                login.how = how(login).to_owned();
            }
            Event::PairingCode(code) => {
                let login = self.login.get_or_insert_default();
                login.pair_code = grouped(&code.code);
                self.typed_until = Some(Instant::now() + code.timeout);
                login.how = how(login).to_owned();
            }
            Event::PairingCodeError(error) => {
                self.trouble = Some(format!("WhatsApp gives no code to type: {}", error.error));
            }
            Event::QrScannedWithoutMultidevice(_) => {
                self.trouble = Some("the phone's WhatsApp is too old to link devices: update it".to_owned());
            }
            Event::PairingQrCodesExhausted(codes) if !codes.disconnected => match (&mut self.login, self.typed_until) {
                (Some(login), Some(until)) => {
                    self.scanned_out = true;
                    login.qr.clear();
                    login.expires_at = at(now, until.saturating_duration_since(Instant::now()));
                    login.how = how(login).to_owned();
                }
                _ => self.end(Over::Codes),
            },
            Event::PairingCodeRefresh(_) | Event::PairingQrCodesExhausted(_) => self.end(Over::Codes),
            Event::LoggedOut(out) => self.end(logged_out(&out.reason)),
            Event::StreamReplaced(_) => self.end(ends(format!(
                "another program has connected with the same credentials (440), and two put each other out: stop the other one, then \
                 `gatehouse channels start {CHANNEL}`"
            ))),
            Event::TemporaryBan(ban) => self.end(ends(format!(
                "WhatsApp has banned the account for {} hours (402). Wait that long: each try makes it longer. Then `gatehouse channels \
                 start {CHANNEL}`",
                ban.expire.num_hours() + 1
            ))),
            Event::ClientOutdated(_) => self.end(ends(
                "WhatsApp refuses this version of the plugin as outdated (405): a newer one is needed".to_owned(),
            )),
            Event::ConnectFailure(failure) if !failure.reason.should_reconnect() => self.end(ends(format!(
                "WhatsApp refuses the connection ({:?}): a newer version of the plugin may be needed",
                failure.reason
            ))),
            _ => {}
        }
    }

    /// The first end is the one that holds.
    fn end(&mut self, over: Over) {
        self.connected = false;
        self.login = None;
        self.over.get_or_insert(over);
    }
}

fn logged_out(reason: &ConnectFailureReason) -> Over {
    if *reason == ConnectFailureReason::AccountLocked {
        return ends(format!(
            "WhatsApp has locked the account (403). WhatsApp on the phone says why, and how to object; nothing that is done here helps. \
             Once it is open again: `gatehouse channels start {CHANNEL}`"
        ));
    }
    let code = if *reason == ConnectFailureReason::UnknownLogout {
        406
    } else {
        401
    };
    Over::Account {
        ended: for_good(format!(
            "WhatsApp has ended this login ({code}): the device was unlinked on the phone, or the phone was away for too long. Its \
             credentials are kept aside; `gatehouse channels login {CHANNEL}` links it anew"
        )),
        login: true,
    }
}

fn ends(reason: String) -> Over {
    Over::Account {
        ended: for_good(reason),
        login: false,
    }
}

/// What the run loop's own end means where WhatsApp said nothing.
pub(crate) fn stopped() -> Ended {
    for_now("the connection to WhatsApp is over")
}

fn at(now: i64, within: Duration) -> i64 {
    i64::try_from(within.as_millis()).map_or(0, |within| now + within)
}

/// As the phone shows it: two groups of four.
fn grouped(code: &str) -> String {
    match code.split_at_checked(4) {
        Some((first, second)) if code.len() == 8 => format!("{first}-{second}"),
        _ => code.to_owned(),
    }
}

fn how(login: &LoginWanted) -> &'static str {
    match (login.qr.is_empty(), login.pair_code.is_empty()) {
        (_, true) => "On the phone: WhatsApp, Settings, Linked devices, Link a device; scan the code",
        (true, false) => {
            "On the phone: WhatsApp, Settings, Linked devices, Link a device, Link with phone number instead; type the code"
        }
        (false, false) => {
            "On the phone: WhatsApp, Settings, Linked devices, Link a device; scan the code, or choose \"Link with phone number \
             instead\" and type the other one"
        }
    }
}

#[cfg(test)]
mod tests;
