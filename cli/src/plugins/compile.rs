//! `gatehouse plugins compile` and `protos`: the contract of a plugin, without another compiler.

use std::{
    fs,
    path::{Path, PathBuf},
};

use gatehouse_proto::{
    CHANNEL_ADAPTER, CHANNEL_ADAPTER_FILE, CONTENT, CONTENT_FILE, OPTIONS, OPTIONS_FILE, PLUGIN, PLUGIN_FILE,
};
use protox::{
    Compiler,
    file::{ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver},
};

use crate::{
    exit::{Exit, Failed},
    output,
};

/// The files of the gateway that a plugin's contract may import.
const OWN: [(&str, &str); 4] = [
    (OPTIONS_FILE, OPTIONS),
    (PLUGIN_FILE, PLUGIN),
    (CONTENT_FILE, CONTENT),
    (CHANNEL_ADAPTER_FILE, CHANNEL_ADAPTER),
];

/// Finds them in the binary.
struct Own;

impl FileResolver for Own {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match OWN.iter().find(|(known, _)| *known == name) {
            Some((name, source)) => File::from_source(name, source),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// Compiles a contract, with everything that it imports, and writes its descriptors.
pub(super) fn compile(file: &Path, out: Option<&Path>, include: &[PathBuf]) -> Result<(), Failed> {
    let descriptors = descriptors(file, include)
        .map_err(|error| Failed::of_lines(Exit::Failed, &format!("{}: {error}", file.display())))?;
    let out = out.map_or_else(|| file.with_extension("pb"), Path::to_owned);
    write(&out, &descriptors)?;
    output::line(&format!("{} ({} bytes)", out.display(), descriptors.len()))
}

fn descriptors(file: &Path, include: &[PathBuf]) -> Result<Vec<u8>, protox::Error> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Own);
    resolver.add(GoogleFileResolver::new());
    let beside = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    resolver.add(IncludeFileResolver::new(
        beside.unwrap_or(Path::new(".")).to_owned(),
    ));
    for folder in include {
        resolver.add(IncludeFileResolver::new(folder.clone()));
    }
    let name = file.file_name().unwrap_or_default();
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file(name)?;
    Ok(compiler.encode_file_descriptor_set())
}

/// Writes the files that a contract may import.
pub(super) fn protos(folder: &Path) -> Result<(), Failed> {
    for (name, text) in OWN {
        let file = folder.join(name);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent).map_err(|error| unwritten(parent, &error))?;
        }
        write(&file, text.as_bytes())?;
        output::line(&file.display().to_string())?;
    }
    Ok(())
}

fn write(file: &Path, content: &[u8]) -> Result<(), Failed> {
    fs::write(file, content).map_err(|error| unwritten(file, &error))
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failed {
    Failed::new(Exit::Failed, format!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use gatehouse_contract::{Map, PluginId};

    use super::*;

    #[test]
    fn a_contract_that_imports_the_options_is_compiled_to_what_the_gateway_takes() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("kitchen.proto");
        let source = "syntax = \"proto3\"; package kitchen.v1;
            import \"gatehouse/options/v1/options.proto\"; import \"google/protobuf/timestamp.proto\";
            service Kitchen { rpc Boil(Tea) returns (Tea) {
              option (gatehouse.options.v1.method) = { name: \"kitchen.boil\" access: ACCESS_OPERATOR_READ }; } }
            message Tea { string leaf = 1; }";
        fs::write(&file, source).expect("written");

        compile(&file, None, &[]).expect("it compiles");

        let descriptors = fs::read(folder.path().join("kitchen.pb")).expect("made");
        let id = PluginId::parse("kitchen").expect("an id");
        let map = Map::core().with(&id, &descriptors, &[]).expect("it may join");
        assert!(map.method("kitchen.boil").is_some());
    }

    #[test]
    fn a_mistake_in_a_contract_is_told_with_its_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("kitchen.proto");
        fs::write(&file, "syntax = \"proto3\"; message Tea { strin leaf = 1; }").expect("written");

        let failed = compile(&file, None, &[])
            .expect_err("there is no such type")
            .to_string();

        assert!(
            failed.contains("kitchen.proto") && failed.contains("strin"),
            "{failed}"
        );
    }

    #[test]
    fn the_files_that_are_written_out_compile_with_any_compiler() {
        let folder = tempfile::tempdir().expect("a folder");

        protos(folder.path()).expect("written");

        for (name, text) in OWN {
            assert_eq!(fs::read_to_string(folder.path().join(name)).expect("there"), text);
        }
    }
}
