//! Says when the crate has to be built again: a release holds the files of `web/`, those that are new as well.

fn main() {
    let is_release = std::env::var_os("PROFILE").is_some_and(|profile| profile == "release");
    // A debug build reads them from there when somebody asks: nothing has to be built again for them.
    let watched = if is_release { "web" } else { "build.rs" };
    println!("cargo::rerun-if-changed={watched}");
}
