//! Which two machines a socket connects, and how.

use std::net::IpAddr;

/// The two ends of a socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) peer: IpAddr,
    pub(crate) local: IpAddr,
    /// Whether what is said between them is encrypted.
    pub(crate) secure: bool,
}

impl Ends {
    /// Whether both are on this machine.
    pub(crate) fn is_of_this_machine(self) -> bool {
        let peer = self.peer.to_canonical();
        peer.is_loopback() || peer == self.local.to_canonical()
    }
}
