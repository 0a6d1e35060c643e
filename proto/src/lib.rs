//! The contracts of the gateway, and the code generated from them. Nothing else lives here.
//!
//! The `.proto` files beside this crate say what every service offers, who may call it and what it means when a field is
//! unset. [`DESCRIPTORS`] holds them encoded, custom options included; whoever needs an option reads it from there,
//! because the generated types do not know options.

#![expect(
    clippy::allow_attributes,
    clippy::missing_errors_doc,
    reason = "the generated code has its own style"
)]

/// The encoded `FileDescriptorSet` of all contracts, with imports, source comments and custom options.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The same without source comments, which are two thirds of it: what a process reads at its start.
pub const DECLARATIONS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/declarations.bin"));

/// The text of the contract's options, which the contracts of plugins import as [`OPTIONS_FILE`].
pub const OPTIONS: &str = include_str!("../gatehouse/options/v1/options.proto");

/// The name under which [`OPTIONS`] is imported.
pub const OPTIONS_FILE: &str = "gatehouse/options/v1/options.proto";

/// The text of what a plugin may offer to the gateway, which imports [`OPTIONS_FILE`].
pub const PLUGIN: &str = include_str!("../gatehouse/plugin/v1/plugin.proto");

/// The name under which [`PLUGIN`] is imported.
pub const PLUGIN_FILE: &str = "gatehouse/plugin/v1/plugin.proto";

/// The text of what a plugin offers that brings channels, which imports [`CONTENT_FILE`] and [`OPTIONS_FILE`].
pub const CHANNEL_ADAPTER: &str = include_str!("../gatehouse/channel/v1/channel_adapter.proto");

/// The name under which [`CHANNEL_ADAPTER`] is imported.
pub const CHANNEL_ADAPTER_FILE: &str = "gatehouse/channel/v1/channel_adapter.proto";

/// The text of what a message consists of, which imports [`OPTIONS_FILE`].
pub const CONTENT: &str = include_str!("../gatehouse/common/v1/content.proto");

/// The name under which [`CONTENT`] is imported.
pub const CONTENT_FILE: &str = "gatehouse/common/v1/content.proto";

macro_rules! package {
    ($(#[$doc:meta])* $name:ident, $package:literal) => {
        $(#[$doc])*
        pub mod $name {
            /// Version 1 of the package.
            pub mod v1 {
                tonic::include_proto!($package);
            }
        }
    };
}

package!(/// Executes one turn.
    agent, "gatehouse.agent.v1");
package!(/// Copies of databases that are in use.
    backup, "gatehouse.backup.v1");
package!(/// Events, presence, health.
    broadcast, "gatehouse.broadcast.v1");
package!(/// Chat surfaces.
    channel, "gatehouse.channel.v1");
package!(/// What services tell each other about a call.
    common, "gatehouse.common.v1");
package!(/// The configuration document and the gateway token.
    config, "gatehouse.config.v1");
package!(/// Paired devices, and those that want to be.
    device, "gatehouse.device.v1");
package!(/// Devices that do something when they are asked.
    node, "gatehouse.node.v1");
package!(/// What methods, events and fields declare about themselves.
    options, "gatehouse.options.v1");
package!(/// Processes of anybody's that bring methods and events.
    plugin, "gatehouse.plugin.v1");
package!(/// Conversations.
    session, "gatehouse.session.v1");
package!(/// People with credentials of their own.
    user, "gatehouse.user.v1");
