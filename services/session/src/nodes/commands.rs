//! Which commands a node may be asked for: those of its platform, less what is dangerous or denied, with what the document
//! allows. The names are OpenClaw's, whose nodes these are.

use std::collections::HashSet;

use gatehouse_document::nodes::NodeCommands;

use super::{Facts, Surface};

/// A command that reaches the node's programs. Whoever approves them must be an administrator.
const PROGRAMS: [&str; 5] = [
    "system.run",
    "system.run.prepare",
    "system.which",
    "system.execApprovals.get",
    "system.execApprovals.set",
];

/// Commands that reach the node's files or a person's browser. Also whoever invokes them must be an administrator.
const ADMIN: [&str; 5] = [
    "browser.proxy",
    "browser.proxy.upload.v1",
    "file.read",
    "fs.listDir",
    "terminal.upload",
];

/// Commands with methods of their own, which nobody invokes directly.
const INDIRECT: [&str; 2] = ["system.execApprovals.get", "system.execApprovals.set"];

/// Workers are steered by the gateway alone, and Gatehouse steers none.
const WORKER: &str = "worker.";

/// What a computer with a desk in front of it is allowed.
const DESKTOP: [&str; 15] = [
    "system.run",
    "system.run.prepare",
    "system.which",
    "system.execApprovals.get",
    "system.execApprovals.set",
    "fs.listDir",
    "file.read",
    "terminal.upload",
    "system.notify",
    "browser.proxy",
    "browser.proxy.upload.v1",
    "mcp.tools.call.v1",
    "screen.snapshot",
    "desktop.stream",
    "computer.act",
];

const CAMERA: [&str; 1] = ["camera.list"];
const LOCATION: [&str; 1] = ["location.get"];
const NOTIFY: [&str; 1] = ["system.notify"];
const DEVICE: [&str; 2] = ["device.info", "device.status"];
/// What a person's own device may tell of its owner.
const PERSONAL: [&str; 6] = [
    "contacts.search",
    "calendar.events",
    "reminders.list",
    "photos.latest",
    "motion.activity",
    "motion.pedometer",
];
const ANDROID: [&str; 8] = [
    "notifications.list",
    "notifications.actions",
    "device.permissions",
    "device.health",
    "device.apps",
    "callLog.search",
    "mobile.ui.observe",
    "mobile.ui.act",
];
const MACOS: [&str; 2] = ["camera.ptz.status", "device.apps"];
/// A telephone hands these on to a watch.
const WATCH_RELAY: [&str; 2] = ["watch.status", "watch.notify"];
/// What a node that talks is asked for.
const TALK: [&str; 4] = [
    "talk.ptt.start",
    "talk.ptt.stop",
    "talk.ptt.cancel",
    "talk.ptt.once",
];

/// Commands that record somebody, speak or write in somebody's name, or tell of their health: allowed by name only.
const DANGEROUS: [&str; 10] = [
    "camera.snap",
    "camera.clip",
    "camera.ptz.control",
    "screen.record",
    "contacts.add",
    "calendar.add",
    "reminders.add",
    "sms.send",
    "sms.search",
    "health.summary",
];

/// What a node runs on, as far as the rules tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Platform {
    Ios,
    WatchOs,
    Android,
    MacOs,
    Windows,
    Linux,
    /// Anything else, and what contradicts itself: it gets the least.
    Unknown,
}

impl Platform {
    /// Reads what a node says. Platform and family must agree, so that no telephone gets the commands of a desktop by a word.
    pub(crate) fn of(facts: &Facts) -> Self {
        let lower = |text: &Option<String>| text.as_deref().unwrap_or_default().trim().to_lowercase();
        let (platform, family) = (lower(&facts.platform), lower(&facts.device_family));
        let word = platform.split(' ').next().unwrap_or_default();
        let (found, families): (_, &[&str]) = match word {
            "ios" | "ipados" => (Self::Ios, &["", "iphone", "ipad", "ios"]),
            "watchos" => (Self::WatchOs, &["apple watch", "watchos"]),
            "android" => (Self::Android, &["", "android"]),
            "macos" | "darwin" => (Self::MacOs, &["", "mac", "macos"]),
            "windows" | "win32" => (Self::Windows, &["", "windows"]),
            "linux" => (Self::Linux, &["", "linux"]),
            _ => return Self::Unknown,
        };
        if families.contains(&family.as_str()) {
            found
        } else {
            Self::Unknown
        }
    }

    fn defaults(self) -> Vec<&'static str> {
        let parts: &[&[&'static str]] = match self {
            Self::Ios => &[&CAMERA, &LOCATION, &DEVICE, &PERSONAL, &NOTIFY, &WATCH_RELAY],
            Self::WatchOs => &[&DEVICE, &NOTIFY],
            Self::Android => &[&CAMERA, &LOCATION, &NOTIFY, &DEVICE, &ANDROID, &PERSONAL],
            Self::MacOs => &[&CAMERA, &MACOS, &LOCATION, &DEVICE, &PERSONAL, &DESKTOP],
            Self::Windows => &[&CAMERA, &LOCATION, &DEVICE, &DESKTOP],
            Self::Linux => &[&DESKTOP],
            Self::Unknown => &[&CAMERA, &LOCATION, &NOTIFY],
        };
        parts.concat()
    }
}

/// The rules of the document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    allow: HashSet<String>,
    deny: HashSet<String>,
}

/// Why a command is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotAllowed {
    /// The node does not know it.
    NotDeclared,
    /// Nobody agreed to it yet.
    NotApproved,
    /// The document forbids it.
    Denied,
    /// It has to be allowed by name.
    Dangerous,
    /// Nodes of this platform are not asked for it.
    NotAllowlisted,
}

impl NotAllowed {
    /// The word for programs.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::NotDeclared => "command not declared by node",
            Self::NotApproved => "node did not declare commands", // the word that clients know for a surface that waits
            Self::Denied | Self::Dangerous | Self::NotAllowlisted => "command not allowlisted",
        }
    }
}

impl Rules {
    pub(crate) fn read(section: &NodeCommands) -> Self {
        let set = |list: &[String]| {
            list.iter()
                .map(|command| command.trim().to_owned())
                .filter(|command| !command.is_empty())
                .collect()
        };
        Self {
            allow: set(&section.allow),
            deny: set(&section.deny),
        }
    }

    /// Whether nodes like this one may be asked for a command at all.
    fn judge_platform(&self, facts: &Facts, declared: &Surface, command: &str) -> Result<(), NotAllowed> {
        if is_worker(command) {
            return Err(NotAllowed::NotAllowlisted);
        }
        if self.deny.contains(command) {
            return Err(NotAllowed::Denied);
        }
        if self.allow.contains(command) {
            return Ok(());
        }
        if DANGEROUS.contains(&command) {
            return Err(NotAllowed::Dangerous);
        }
        let talks = || declared.caps.contains("talk") && TALK.contains(&command);
        if Platform::of(facts).defaults().contains(&command) || talks() {
            return Ok(());
        }
        Err(NotAllowed::NotAllowlisted)
    }

    /// Whether a node may be asked for a command now.
    pub(crate) fn judge(
        &self,
        facts: &Facts,
        declared: &Surface,
        granted: Option<&Surface>,
        command: &str,
    ) -> Result<(), NotAllowed> {
        if !declared.commands.contains(command) {
            return Err(NotAllowed::NotDeclared);
        }
        self.judge_platform(facts, declared, command)?;
        match granted {
            Some(granted) if granted.commands.contains(command) => Ok(()),
            Some(_) | None => Err(NotAllowed::NotApproved),
        }
    }

    /// The part of a surface that these rules let pass.
    pub(crate) fn cut(&self, facts: &Facts, surface: Surface) -> Surface {
        let commands = surface
            .commands
            .iter()
            .filter(|command| self.judge_platform(facts, &surface, command).is_ok())
            .cloned()
            .collect();
        Surface { commands, ..surface }
    }
}

/// Whether a command steers a worker: it is in nobody's surface.
pub(crate) fn is_worker(command: &str) -> bool {
    command.starts_with(WORKER)
}

/// Whether a command is never invoked by a caller.
pub(crate) fn is_indirect(command: &str) -> bool {
    INDIRECT.contains(&command) || is_worker(command)
}

/// Whether a caller must be an administrator to invoke it.
pub(crate) fn needs_admin(command: &str) -> bool {
    ADMIN.contains(&command)
}

/// The scopes that whoever grants this must hold, all of them.
pub(crate) fn approval_scopes(surface: &Surface) -> Vec<&'static str> {
    let strong = |command: &String| PROGRAMS.contains(&command.as_str()) || needs_admin(command);
    if surface.commands.iter().any(strong) {
        vec!["operator.pairing", "operator.admin"]
    } else if surface.commands.is_empty() {
        vec!["operator.pairing"]
    } else {
        vec!["operator.pairing", "operator.write"]
    }
}

#[cfg(test)]
mod tests;
