//! Contracts for tests, compiled from source in memory.

use protox::{
    Compiler,
    file::{ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver},
};

use crate::{Contract, ContractError};

struct Sources(Vec<(String, String)>);

impl FileResolver for Sources {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.0.iter().find(|(known, _)| known == name) {
            Some((name, source)) => File::from_source(name, source),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// The encoded descriptors of one file with this text, which need not name its syntax, its package or its imports.
pub(crate) fn descriptors(body: &str) -> Vec<u8> {
    let head = "syntax = \"proto3\";\npackage t.v1;\nimport \"gatehouse/options/v1/options.proto\";\n";
    descriptors_of("t/v1/t.proto", &format!("{head}{body}"))
}

pub(crate) fn descriptors_of(name: &str, source: &str) -> Vec<u8> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Sources(vec![(name.to_owned(), source.to_owned())]));
    resolver.add(IncludeFileResolver::new(
        concat!(env!("CARGO_MANIFEST_DIR"), "/../proto").into(),
    ));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler
        .include_imports(true)
        .include_source_info(true)
        .open_file(name)
        .expect("the test's contract compiles");
    compiler.encode_file_descriptor_set()
}

pub(crate) fn contract(body: &str) -> Contract {
    try_contract(body).expect("the test's contract is sound")
}

pub(crate) fn try_contract(body: &str) -> Result<Contract, ContractError> {
    Contract::from_descriptors(&descriptors(body))
}

/// A contract that uses everything there is.
pub(crate) fn everything() -> Contract {
    contract(include_str!("testing/everything.proto"))
}
