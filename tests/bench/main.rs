//! `make bench`: the figures that the gateway is judged by, each beside a reference run on the same machine at the same time.
//!
//! Absolute times belong to the machine; read the ratios. The table goes to the terminal, the raw data to a JSON file.

mod channels;
mod connections;
mod fanout;
mod flood;
mod hooks;
mod hostile;
mod jobs;
mod listener;
mod model;
mod programs;
mod raw;
mod reference;
mod report;
mod rpc;
mod screens;
mod soak;
mod start;
mod store;
mod tokens;
mod tracing;
mod turns;

use std::path::PathBuf;

use report::Report;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let wanted = arguments.next();
    if wanted.as_deref() == Some(reference::BARE_WRITER) {
        return reference::bare_writer(arguments).await;
    }
    let runs = |name: &str| wanted.as_deref().is_none_or(|only| only == name);

    let mut report = Report::default();
    if runs("start") {
        start::run(&mut report).await;
    }
    if runs("rpc") {
        rpc::run(&mut report).await;
    }
    if runs("tokens") {
        tokens::run(&mut report).await;
    }
    if runs("programs") {
        programs::run(&mut report).await;
    }
    if runs("turns") {
        turns::run(&mut report).await;
    }
    if runs("hooks") {
        hooks::run(&mut report).await;
    }
    if runs("jobs") {
        jobs::run(&mut report).await;
    }
    if runs("tracing") {
        tracing::run(&mut report).await;
    }
    if runs("fanout") {
        fanout::run(&mut report).await;
    }
    if runs("connections") {
        connections::run(&mut report).await;
    }
    if runs("hostile") {
        hostile::run(&mut report).await;
    }
    if runs("flood") {
        flood::run(&mut report).await;
    }
    if runs("channels") {
        channels::run(&mut report).await;
    }
    if runs("store") {
        store::run(&mut report).await;
    }
    // Only by name: it takes twenty minutes.
    if wanted.as_deref() == Some("soak") {
        soak::run(&mut report).await;
    }
    report.print();
    let path = report.write(&PathBuf::from("tests/bench/results"));
    println!("\nraw data: {}", path.display());
}
