//! Contracts for tests, compiled from source in memory. The crates that read contracts share them: the plans, the checks of
//! a server, the gateway's map.

use protox::{
    Compiler,
    file::{ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver},
};

/// A contract that uses everything there is: every kind of field, and methods of all four kinds.
pub const EVERYTHING: &str = include_str!("../everything.proto");

struct Sources(Vec<(String, String)>);

impl FileResolver for Sources {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match self.0.iter().find(|(known, _)| known == name) {
            Some((name, source)) => File::from_source(name, source),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// The encoded descriptors of one file with this text, which need not name its syntax, its package (`t.v1`) or its imports.
#[must_use]
pub fn descriptors(body: &str) -> Vec<u8> {
    let head = "syntax = \"proto3\";\npackage t.v1;\nimport \"gatehouse/options/v1/options.proto\";\n";
    descriptors_of("t/v1/t.proto", &format!("{head}{body}"))
}

/// The encoded descriptors of one whole file. It may import the gateway's own.
///
/// # Panics
/// When the source does not compile.
#[must_use]
pub fn descriptors_of(name: &str, source: &str) -> Vec<u8> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Sources(vec![(name.to_owned(), source.to_owned())]));
    resolver.add(IncludeFileResolver::new(
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto").into(),
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
