//! `session`: how conversations are told apart.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::size::Size;

/// Words that begin a new conversation at most: each message is held against all of them.
pub const TRIGGERS_MAX: usize = 32;

/// How conversations are told apart.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Session {
    /// Whether everybody shares one session.
    pub scope: Scope,
    /// How direct messages are told apart.
    pub dm_scope: DmScope,
    /// How groups are told apart.
    pub group_scope: GroupScope,
    /// People by a name of your choice: the `<channel>:<id>` under which each is known, so that one person has one
    /// session over several channels.
    pub identity_links: IndexMap<String, Vec<String>>,
    /// What somebody says to begin a new conversation, in upper or lower case; what stands behind it is the first message of the
    /// new one. Empty: nothing does.
    #[schemars(length(max = TRIGGERS_MAX))]
    pub reset_triggers: Vec<String>,
    /// When a conversation begins anew by itself: with the first message that comes when it is over.
    pub reset: Reset,
    /// The same for kinds of chats, in the place of `reset`.
    pub reset_by_type: ResetByType,
    /// The same for single channels, by the channel's name, in the place of both.
    pub reset_by_channel: BTreeMap<String, Reset>,
    /// Which sessions are forgotten by themselves.
    pub maintenance: Maintenance,
}

/// When a conversation begins anew by itself. What was said stays in its transcript; models read what was said since.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Reset {
    /// What ends it.
    pub mode: ResetMode,
    /// With `daily`: the hour of the gateway's clock at which a day begins. Unset: 4.
    #[schemars(range(min = 0, max = 23))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_hour: Option<u8>,
    /// Minutes without a message that end it. With `daily` whichever comes first does. Unset: 60 with `idle`, none with `daily`.
    #[schemars(range(min = 1, max = IDLE_MINUTES_MAX))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_minutes: Option<u32>,
}

/// What ends a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ResetMode {
    /// Nothing but somebody who says so.
    #[default]
    None,
    /// The next day.
    Daily,
    /// Silence. Heartbeats, jobs and hooks break none.
    Idle,
}

/// The longest silence that can be waited for, in minutes: a year.
pub const IDLE_MINUTES_MAX: u32 = 525_600;

/// When conversations of a kind begin anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ResetByType {
    /// Direct messages, and what is said on screens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direct: Option<Reset>,
    /// Groups and rooms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Reset>,
    /// Threads in them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread: Option<Reset>,
}

/// Which sessions are forgotten by themselves, with their transcripts. Main sessions, pinned ones, and those in which something runs or
/// waits never are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Maintenance {
    /// Those in which nothing was said for so long: `30d`, `12h`. Unset: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prune_after: Option<String>,
    /// The oldest beyond so many. Unset: none.
    #[schemars(range(min = 10, max = ENTRIES_MAX))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_entries: Option<u32>,
    /// The oldest while the database that they are in has more than so much: `10gb`, `500mb`. Unset: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_disk_bytes: Option<Size>,
}

/// Sessions at most that a bound can be set to.
pub const ENTRIES_MAX: u32 = 1_000_000;

/// The least that a database of sessions is allowed, in bytes: an empty one, and room in which something can be said.
const DISK_BYTES_MIN: i64 = 16 << 20;

impl Maintenance {
    /// How many bytes the database of sessions may have.
    ///
    /// # Errors
    /// When it is no size.
    pub fn disk_bytes_max(&self) -> Result<Option<i64>, &'static str> {
        const WRONG: &str = "must be a size from 16mb on, for example \"10gb\" or \"500mb\"";
        let bytes = self
            .max_disk_bytes
            .as_ref()
            .map(|size| size.bytes().filter(|bytes| *bytes >= DISK_BYTES_MIN).ok_or(WRONG));
        bytes.transpose()
    }

    /// After how long a session is forgotten, in milliseconds.
    ///
    /// # Errors
    /// When it is no time.
    pub fn prune_after_ms(&self) -> Result<Option<i64>, &'static str> {
        const WRONG: &str = "must be a time from an hour to ten years, for example \"30d\" or \"12h\"";
        let Some(text) = self.prune_after.as_deref().map(str::trim) else {
            return Ok(None);
        };
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or(WRONG)?;
        let unit: i64 = match unit {
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return Err(WRONG),
        };
        let number: i64 = number.parse().map_err(|_| WRONG)?;
        let ms = number.checked_mul(unit).ok_or(WRONG)?;
        let ten_years = 3_652 * 86_400_000;
        (3_600_000..=ten_years)
            .contains(&ms)
            .then_some(Some(ms))
            .ok_or(WRONG)
    }
}

impl Default for Session {
    fn default() -> Self {
        Self {
            scope: Scope::default(),
            dm_scope: DmScope::default(),
            group_scope: GroupScope::default(),
            identity_links: IndexMap::new(),
            reset_triggers: ["/new", "/reset"].map(str::to_owned).to_vec(), // OpenClaw's
            reset: Reset::default(),
            reset_by_type: ResetByType::default(),
            reset_by_channel: BTreeMap::new(),
            maintenance: Maintenance::default(),
        }
    }
}

/// Whether everybody shares one session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// No.
    #[default]
    PerSender,
    /// Yes.
    Global,
}

/// How direct messages are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DmScope {
    /// All in the agent's main session: right for one person, wrong for several.
    #[default]
    Main,
    /// By person.
    PerPeer,
    /// By channel and person.
    PerChannelPeer,
    /// By channel, account and person.
    PerAccountChannelPeer,
}

/// How groups are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GroupScope {
    /// Each is its own session.
    #[default]
    PerGroup,
    /// All in the agent's main session.
    Main,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_after_which_sessions_are_forgotten_is_from_an_hour_to_ten_years() {
        let after = |text: &str| {
            let maintenance = Maintenance {
                prune_after: Some(text.to_owned()),
                ..Maintenance::default()
            };
            maintenance.prune_after_ms()
        };

        assert_eq!(Maintenance::default().prune_after_ms(), Ok(None));
        assert_eq!(after("30d"), Ok(Some(2_592_000_000)));
        assert_eq!(after(" 12h "), Ok(Some(43_200_000)));
        for wrong in ["", "d", "30", "0d", "-3d", "30m", "9999999w", "\u{e9}", "3\u{e9}"] {
            assert!(after(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_database_may_have_so_much_and_not_too_little() {
        let max = |size: &str| {
            let maintenance = Maintenance {
                max_disk_bytes: Some(Size(size.to_owned())),
                ..Maintenance::default()
            };
            maintenance.disk_bytes_max()
        };

        assert_eq!(Maintenance::default().disk_bytes_max(), Ok(None));
        assert_eq!(max("10gb"), Ok(Some(10 << 30)));
        assert!(max("15mb").is_err() && max("much").is_err());
    }
}
