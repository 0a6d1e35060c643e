//! WhatsApp Web as a plugin of Gatehouse, on the public contract alone: the gateway is spoken to by the plugin SDK, WhatsApp by the crate
//! `whatsapp-rust`, as a device that is linked with somebody's phone.
//!
//! In reading order: `channel` is what the channel is and how an account comes to be connected, `place` where its credentials are and `durable`
//! when they are there, `session` one session with WhatsApp and `stage` how far it is; `account` is one that is connected. `hear` and
//! `content` are what comes in, `say` and `render` what goes out, `report` what WhatsApp says of that later, `media` files both ways, `ids` who
//! and what is meant, and `network` where all that is.
//!
//! W1: WhatsApp is told that a message or a receipt was received once the bridge has it on its disk, and not before.
//! W2: credentials are on the disk before WhatsApp hears of them, and are never overwritten: a login that is over stays beside the next.

mod account;
mod channel;
mod content;
mod durable;
mod hear;
mod ids;
mod media;
mod network;
mod place;
mod render;
mod report;
mod say;
mod session;
mod settings;
mod stage;

pub use account::Login;
pub use channel::WhatsappWeb;
pub use network::Network;
#[cfg(feature = "untrusted-server")]
pub use network::Plain;

// What a release is compiled with. deploy/released-features.sh tries this line.
#[cfg(all(feature = "untrusted-server", not(debug_assertions)))]
compile_error!("`untrusted-server` believes whoever says to be WhatsApp: no release can have it");

/// The key of the channel under `channels`. `whatsapp` is the Cloud API, which the gateway speaks itself.
pub const CHANNEL: &str = "whatsapp-web";
