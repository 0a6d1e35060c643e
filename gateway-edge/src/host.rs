//! Whether a connection truly comes from this machine, which is what approves a device without asking anybody.
//!
//! Outside of a container, a loopback address that no proxy stands behind says so. Inside of one it does not: port forwarders of
//! rootless containers and sidecars connect from loopback, too, for whoever asks them. There, the process at the other end of the
//! socket has to be one that this one can see: forwarders live in the same network and in another set of processes.

use std::{
    fs,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::Path,
    sync::OnceLock,
};

use tokio::task::spawn_blocking;

/// What container engines leave in a container.
const MARKS: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];

/// What they name the first process's group.
const GROUPS: [&str; 5] = ["docker", "kubepods", "containerd", "libpod", "lxc"];

/// Processes that are looked at: more than a machine of a household runs.
const PROCESSES_MAX: usize = 32_768;

/// Whether both ends of a loopback socket are here.
pub(crate) async fn holds_both(peer: SocketAddr, local: SocketAddr) -> bool {
    if !is_contained() {
        return true;
    }
    spawn_blocking(move || is_held_here(Path::new("/proc"), peer, local))
        .await
        .unwrap_or(false)
}

/// Whether this process runs in a container.
pub(crate) fn is_contained() -> bool {
    static CONTAINED: OnceLock<bool> = OnceLock::new();
    *CONTAINED.get_or_init(|| {
        let marked = MARKS.iter().any(|mark| Path::new(mark).exists());
        let group = fs::read_to_string("/proc/1/cgroup").unwrap_or_default();
        marked || GROUPS.iter().any(|name| group.contains(name))
    })
}

/// Whether a process that we can see holds the peer's end of a socket.
fn is_held_here(proc: &Path, peer: SocketAddr, local: SocketAddr) -> bool {
    let tables = ["net/tcp", "net/tcp6"];
    let inode = tables
        .iter()
        .filter_map(|table| fs::read_to_string(proc.join(table)).ok())
        .find_map(|table| inode_of(&table, peer, local));
    inode.is_some_and(|inode| is_held(proc, &format!("socket:[{inode}]")))
}

/// The inode of the socket that goes from `from` to `to`, in the kernel's table.
fn inode_of(table: &str, from: SocketAddr, to: SocketAddr) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        let (own, other) = (fields.nth(1)?, fields.next()?);
        let is_it = address(own)? == normal(from) && address(other)? == normal(to);
        // Between the addresses and the inode: state, queues, timer, retransmits, user, timeout.
        let inode = fields.nth(6)?.parse().ok()?;
        (is_it && inode != 0).then_some(inode)
    })
}

/// An address as the kernel writes it: 32-bit words in the order of the machine, and the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for word in ip.as_bytes().chunks(8) {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let ip = match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(v4) => IpAddr::from(v4),
        Err(_) => Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into(),
    };
    Some(normal(SocketAddr::new(ip, port)))
}

fn normal(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn is_held(proc: &Path, socket: &str) -> bool {
    let Ok(processes) = fs::read_dir(proc) else {
        return false;
    };
    processes
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .bytes()
                .all(|byte| byte.is_ascii_digit())
        })
        .take(PROCESSES_MAX)
        .filter_map(|process| fs::read_dir(process.path().join("fd")).ok())
        .flat_map(|files| files.flatten())
        .any(|file| fs::read_link(file.path()).is_ok_and(|link| link.as_os_str() == socket))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const TABLE: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:4965 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 11 1
   1: 0100007F:C350 0100007F:4965 01 00000000:00000000 00:00000000 00000000  1000        0 77 1
   2: 0100007F:4965 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 78 1
";

    fn ends() -> (SocketAddr, SocketAddr) {
        (
            "127.0.0.1:50000".parse().unwrap(),
            "[::ffff:127.0.0.1]:18789".parse().unwrap(),
        )
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn the_peers_end_is_found_in_the_kernels_table_and_not_our_own() {
        let (peer, local) = ends();

        assert_eq!(inode_of(TABLE, peer, local), Some(77));
        assert_eq!(inode_of(TABLE, local, peer), Some(78));
        assert_eq!(inode_of(TABLE, "127.0.0.1:50001".parse().unwrap(), local), None);
        assert_eq!(
            address("00000000000000000000000001000000:1F90"),
            Some("[::1]:8080".parse().unwrap())
        );
        assert_eq!(address("nonsense"), None);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_socket_that_no_process_here_holds_comes_from_elsewhere() {
        let proc = tempfile::tempdir().unwrap();
        fs::create_dir_all(proc.path().join("net")).unwrap();
        fs::create_dir_all(proc.path().join("42/fd")).unwrap();
        fs::create_dir_all(proc.path().join("self/fd")).unwrap();
        fs::write(proc.path().join("net/tcp"), TABLE).unwrap();
        symlink("socket:[77]", proc.path().join("self/fd/9")).unwrap();
        symlink("socket:[78]", proc.path().join("42/fd/3")).unwrap();
        let (peer, local) = ends();

        assert!(
            !is_held_here(proc.path(), peer, local),
            "a forwarder of another container"
        );
        symlink("socket:[77]", proc.path().join("42/fd/4")).unwrap();
        assert!(is_held_here(proc.path(), peer, local));
    }
}
