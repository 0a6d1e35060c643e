//! The edge's address, written for clients of the same home: it is known once it is bound, and whoever started the edge may have
//! asked for any port.

use std::{
    fs::{self, File},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
};

use gatehouse_core::private;

/// Writes it. The file is to be held as long as this process lives: an address without its lock is one that a dead edge left
/// behind, and whoever listens there now is not shown the token. A folder that cannot be written costs clients the
/// convenience, not us the start.
pub(crate) fn announce(path: &Path, address: SocketAddr) -> Option<File> {
    let draft = path.with_file_name(".edge.url");
    let _ = fs::remove_file(&draft); // of an edge that was killed while it wrote
    let written = private::create_new(&draft, format!("{}\n", url_of(address)).as_bytes()).and_then(|file| {
        file.try_lock()?;
        fs::rename(&draft, path)?;
        Ok(file)
    });
    written
        .inspect_err(|error| {
            tracing::warn!(%error, path = %path.display(), "the edge's address cannot be written for clients");
        })
        .ok()
}

/// An address that a client on this machine can connect to: "every address" is not one.
fn url_of(mut address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    format!("ws://{address}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_an_address_that_they_can_connect_to() {
        for (bound, url) in [
            ("127.0.0.1:5", "ws://127.0.0.1:5"),
            ("0.0.0.0:5", "ws://127.0.0.1:5"),
            ("[::]:5", "ws://[::1]:5"),
            ("192.0.2.7:5", "ws://192.0.2.7:5"),
        ] {
            assert_eq!(url_of(bound.parse().unwrap()), url);
        }
    }

    #[test]
    fn an_address_is_locked_while_its_edge_lives_and_replaced_by_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edge.url");

        let held = announce(&path, ([127, 0, 0, 1], 5).into()).unwrap();
        assert!(File::open(&path).unwrap().try_lock().is_err(), "its edge lives");
        drop(held);
        assert!(File::open(&path).unwrap().try_lock().is_ok(), "its edge is gone");

        let _next = announce(&path, ([127, 0, 0, 1], 6).into()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "ws://127.0.0.1:6\n");
    }
}
