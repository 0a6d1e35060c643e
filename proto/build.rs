//! Compiles the contracts without protoc, and keeps the encoded descriptors: prost forgets custom options, the bytes do not.

use std::{env, fs, path::PathBuf};

use prost::Message;

/// Every file that holds a service or an event; their imports follow by themselves.
const ROOTS: &[&str] = &[
    "gatehouse/agent/v1/agent_service.proto",
    "gatehouse/agent/v1/auth_service.proto",
    "gatehouse/backup/v1/backup_service.proto",
    "gatehouse/broadcast/v1/broadcast_service.proto",
    "gatehouse/broadcast/v1/system_service.proto",
    "gatehouse/channel/v1/channel_adapter.proto",
    "gatehouse/channel/v1/channel_service.proto",
    "gatehouse/common/v1/caller.proto",
    "gatehouse/config/v1/agents_service.proto",
    "gatehouse/config/v1/config_service.proto",
    "gatehouse/device/v1/device_service.proto",
    "gatehouse/node/v1/node_service.proto",
    "gatehouse/plugin/v1/plugin.proto",
    "gatehouse/plugin/v1/plugin_service.proto",
    "gatehouse/session/v1/catalog_service.proto",
    "gatehouse/session/v1/command_service.proto",
    "gatehouse/session/v1/conversation_service.proto",
    "gatehouse/session/v1/hook_service.proto",
    "gatehouse/session/v1/media_service.proto",
    "gatehouse/session/v1/pending_service.proto",
    "gatehouse/session/v1/program_service.proto",
    "gatehouse/session/v1/schedule_service.proto",
    "gatehouse/session/v1/session_service.proto",
    "gatehouse/session/v1/task_service.proto",
    "gatehouse/session/v1/usage_service.proto",
    "gatehouse/session/v1/workspace_service.proto",
    "gatehouse/user/v1/user_service.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=gatehouse");

    let mut compiler = protox::Compiler::new(["."])?;
    compiler
        .include_imports(true)
        .include_source_info(true)
        .open_files(ROOTS)?;

    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;
    compiler.include_source_info(false);
    fs::write(
        out.join("declarations.bin"),
        compiler.encode_file_descriptor_set(),
    )?;
    compiler.include_source_info(true);

    let descriptors =
        prost_types::FileDescriptorSet::decode(&*compiler.file_descriptor_set().encode_to_vec())?;
    let mut names = tonic_prost_build::Config::new();
    names.enable_type_names(); // an event says its type by its full name
    names.boxed(".gatehouse.channel.v1.RunAccountResponse.message.inbound"); // ten times as large as the others
    tonic_prost_build::configure()
        .bytes(".gatehouse.broadcast.v1.Event.payload")
        .bytes(".gatehouse.channel.v1")
        .bytes(".gatehouse.agent.v1.TurnMedia.data")
        .bytes(".gatehouse.plugin.v1.ServeHttpRequest.body")
        .bytes(".gatehouse.plugin.v1.ServeHttpResponse.data")
        .bytes(".gatehouse.session.v1.OpenMediaResponse.data")
        .bytes(".gatehouse.session.v1.KeepMediaRequest.data")
        .bytes(".gatehouse.session.v1.ReadMediaResponse.data")
        .bytes(".gatehouse.node.v1.AttachNodeResponse.payload")
        .compile_fds_with_config(descriptors, names)?;
    Ok(())
}
