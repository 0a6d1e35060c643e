//! The machine: its disk, its clock, its ports.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    time::{Duration, SystemTime},
};

use gatehouse_config::offline;
use gatehouse_core::Home;
use nix::sys::{
    statfs::{self, FsType},
    statvfs::statvfs,
};
use serde_json::Value;

use super::{files::newest_write, finding::Finding};
use crate::{args::Common, service::environment, term::ago};

/// Under that nothing can be kept for long: a database, its log and the copy of a backup.
const FREE_BYTES_MIN: u64 = 100 * 1024 * 1024;

/// Under that it is time to look.
const FREE_BYTES_LOW: u64 = 1024 * 1024 * 1024;

/// Unless the document says otherwise: OpenClaw's port.
const PORT: u16 = 18_789;

/// When this was written: no clock is right that is before it. 2026-11-01.
const CLOCK_MIN: Duration = Duration::from_secs(1_793_491_200);

/// Two clocks, ours and that of a file server, differ a little.
const CLOCK_SLACK: Duration = Duration::from_secs(120);

/// Room, and what kind of file system it is.
pub(super) fn disk(common: &Common) -> Vec<Finding> {
    let path = &common.home;
    let mut findings = Vec::new();
    match statvfs(path) {
        Ok(facts) => {
            let free = facts.blocks_available().saturating_mul(facts.fragment_size());
            let text = format!("{} MiB are free for {}", free / 1024 / 1024, path.display());
            findings.push(match free {
                ..FREE_BYTES_MIN => {
                    Finding::error("disk", text).fix("make room: a full disk takes no message")
                }
                FREE_BYTES_MIN..FREE_BYTES_LOW => {
                    Finding::warning("disk", text).fix("make room before it is full")
                }
                _ => Finding::fine("disk", text),
            });
            let inodes = facts.files_available();
            if facts.files() > 0 && inodes == 0 {
                findings.push(
                    Finding::error(
                        "disk",
                        format!("no file can be made any more on the disk of {}", path.display()),
                    )
                    .fix("remove files: the disk has room for bytes and none for names"),
                );
            }
        }
        Err(error) => findings.push(Finding::error(
            "disk",
            format!("cannot look at the disk of {}: {error}", path.display()),
        )),
    }
    let kind = statfs::statfs(path)
        .ok()
        .and_then(|facts| told(facts.filesystem_type()));
    findings.extend(
        kind.map(|(what, fix)| Finding::warning("disk", format!("{} is on {what}", path.display())).fix(fix)),
    );
    findings
}

/// File systems on which a database is at risk.
fn told(kind: FsType) -> Option<(&'static str, &'static str)> {
    const NETWORK: &str =
        "keep the home on a disk of this machine: locks and durable writes of a database do not hold on it";
    const CIFS: FsType = FsType(0xff53_4d42);
    const SMB2: FsType = FsType(0xfe53_4d42);
    match kind {
        statfs::NFS_SUPER_MAGIC => Some(("NFS", NETWORK)),
        statfs::SMB_SUPER_MAGIC | CIFS | SMB2 => Some(("a Windows share", NETWORK)),
        statfs::TMPFS_MAGIC => Some((
            "a file system in memory",
            "keep the home on a disk: everything here is gone after a restart of the machine",
        )),
        _ => None,
    }
}

/// That it is not absurd, and not before what was written already.
pub(super) fn clock(common: &Common) -> Vec<Finding> {
    let now = SystemTime::now();
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    if since < CLOCK_MIN {
        return vec![
            Finding::error(
                "clock",
                "the clock of this machine is before this program was made",
            )
            .fix("set it: `timedatectl set-ntp true`, or `date -s`"),
        ];
    }
    let ahead = newest_write(common).and_then(|(path, at)| Some((path, at.duration_since(now).ok()?)));
    if let Some((path, ahead)) = ahead.filter(|(_, ahead)| *ahead > CLOCK_SLACK) {
        let ahead = ago(i64::try_from(ahead.as_millis()).unwrap_or(i64::MAX));
        return vec![
            Finding::warning(
                "clock",
                format!(
                    "{} was written {ahead} in the future: the clock was set back, or is wrong",
                    path.display()
                ),
            )
            .fix("set the clock: `timedatectl set-ntp true`; what waits goes by the time that passed"),
        ];
    }
    vec![Finding::fine("clock", "it is after everything that was written")]
}

/// Whether a gateway could have its port.
pub(super) fn port(common: &Common) -> Vec<Finding> {
    let env = environment(common);
    // A document that cannot be read is told elsewhere: the defaults are tried then.
    let shown = offline::shown(&Home::read(&env), &env).ok().flatten();
    let (address, port) = listens(&shown.map(|shown| shown.config).unwrap_or_default());
    match TcpListener::bind(SocketAddr::new(address, port)) {
        Ok(_) => vec![Finding::fine("port", format!("{port} on {address} is free"))],
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => vec![
            Finding::error(
                "port",
                format!("{port} on {address} is in use by another program"),
            )
            .fix(format!(
                "see who with `ss -ltnp sport = :{port}`, or set gateway.port to another one"
            )),
        ],
        Err(error) => vec![
            Finding::error("port", format!("cannot listen on {address} port {port}: {error}"))
                .fix("set gateway.bind and gateway.port to an address of this machine and a port above 1023"),
        ],
    }
}

/// Where the edge of this document listens.
fn listens(document: &Value) -> (IpAddr, u16) {
    let at = |path: &str| document.pointer(path);
    let port = at("/gateway/port")
        .and_then(Value::as_u64)
        .and_then(|port| u16::try_from(port).ok());
    let bind = at("/gateway/bind").and_then(Value::as_str).unwrap_or_default();
    let own = at("/gateway/customBindHost")
        .and_then(Value::as_str)
        .and_then(|host| host.parse().ok());
    let address = match (bind, own) {
        ("lan", _) => Ipv4Addr::UNSPECIFIED.into(),
        ("custom", Some(own)) => own,
        _ => Ipv4Addr::LOCALHOST.into(),
    };
    (address, port.unwrap_or(PORT))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_port_that_is_tried_is_the_one_of_the_document() {
        let at = |document| listens(&document);

        assert_eq!(at(json!({})), ("127.0.0.1".parse().unwrap(), 18_789));
        let lan = json!({"gateway": {"port": 8080, "bind": "lan"}});
        assert_eq!(at(lan), ("0.0.0.0".parse().unwrap(), 8080));
        let own = json!({"gateway": {"bind": "custom", "customBindHost": "10.0.0.7"}});
        assert_eq!(at(own), ("10.0.0.7".parse().unwrap(), 18_789));
    }
}
