//! The edge alone, over real sockets: clients in front of it, fake services behind it.

#[cfg(test)]
mod client;
#[cfg(test)]
mod device;
#[cfg(test)]
mod devices;
#[cfg(test)]
mod gateway;

#[cfg(test)]
mod audience;
#[cfg(test)]
mod behind;
#[cfg(test)]
mod control_ui;
#[cfg(test)]
mod doors;
#[cfg(test)]
mod events;
#[cfg(test)]
mod handshake;
#[cfg(test)]
mod hooks;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod live_plugins;
#[cfg(test)]
mod media;
#[cfg(test)]
mod modes;
#[cfg(test)]
mod own_page;
#[cfg(test)]
mod pairing;
#[cfg(test)]
mod plain_door;
#[cfg(test)]
mod plain_http;
#[cfg(test)]
mod plugin_http;
#[cfg(test)]
mod plugins;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod retry;
#[cfg(test)]
mod revoke;
#[cfg(test)]
mod rpc;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tools;
#[cfg(test)]
mod unrun;
#[cfg(test)]
mod variants;
#[cfg(test)]
mod webhooks;
