//! `gatehouse plugins`: what is set up, what one brings, whether one could join, and what it takes to write one.

mod check;
mod compile;

use std::{ffi::OsString, os::unix::process::CommandExt};

use gatehouse_core::telemetry::escape;
use serde::Deserialize;
use serde_json::json;

use crate::{
    args::{
        Common,
        plugins::{Plugins, PluginsVerb},
    },
    client::{self, Client},
    exit::{Exit, Failed},
    nouns::ANSWER,
    output,
    term::{Ink, Style, Table},
};

const LIST: &str = "plugins.list";
const INSPECT: &str = "plugins.inspect";

#[derive(Deserialize)]
struct Listed {
    plugins: Vec<Plugin>,
}

#[derive(Deserialize)]
struct Inspected {
    plugin: Plugin,
    methods: Vec<Method>,
    events: Vec<Event>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Plugin {
    id: String,
    name: String,
    version: Option<String>,
    state: String,
    detail: Option<String>,
    endpoint: String,
    method_count: u64,
    event_count: u64,
    #[serde(default)]
    channels: Vec<String>,
}

#[derive(Deserialize)]
struct Method {
    name: String,
    access: String,
    streaming: bool,
    overrides: bool,
}

#[derive(Deserialize)]
struct Event {
    name: String,
    access: String,
}

pub(crate) async fn run(common: &Common, plugins: &Plugins, style: Style) -> Result<(), Failed> {
    match plugins.verb.as_ref().unwrap_or(&PluginsVerb::List) {
        PluginsVerb::List => list(common, style).await,
        PluginsVerb::Show { id } => show(common, id, style).await,
        PluginsVerb::Check(check) => check::run(common, check, style).await,
        PluginsVerb::Compile { file, out, include } => compile::compile(file, out.as_deref(), include),
        PluginsVerb::Protos { folder } => compile::protos(folder),
        PluginsVerb::Exec { program } => Err(exec(program)),
    }
}

/// Becomes a program that is killed when its supervisor dies, as the services are. Returns only when that failed.
pub(crate) fn exec(program: &[OsString]) -> Failed {
    let Some((program, args)) = program.split_first() else {
        return Failed::new(Exit::Usage, "no program is named");
    };
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL) {
        output::remark(&format!("this program may outlive its supervisor: {error}"));
    }
    let error = std::process::Command::new(program).args(args).exec();
    let program = program.to_string_lossy();
    Failed::new(Exit::Failed, format!("cannot run {}: {error}", escape(&program)))
}

async fn ask<T: for<'a> Deserialize<'a>>(
    common: &Common,
    method: &str,
    params: serde_json::Value,
) -> Result<Option<T>, Failed> {
    let (_, mut client) = Client::follow(common, &[method]).await?;
    let answered = client.call(method, &client::params(&params), ANSWER).await;
    client.close().await;
    let payload = answered?;
    if common.json {
        output::line(payload.get())?;
        return Ok(None);
    }
    let read = gatehouse_core::json::read(payload.get());
    read.map(Some).map_err(|error| {
        Failed::new(
            Exit::Failed,
            format!("{method}: the answer cannot be read: {error}"),
        )
    })
}

async fn list(common: &Common, style: Style) -> Result<(), Failed> {
    let Some(Listed { plugins }) = ask(common, LIST, json!({})).await? else {
        return Ok(());
    };
    let mut table = Table::new(&[
        "PLUGIN", "STATE", "METHODS", "EVENTS", "CHANNELS", "VERSION", "ENDPOINT",
    ]);
    for plugin in &plugins {
        let ink = match plugin.state.as_str() {
            "serving" => Ink::Green,
            "connecting" => Ink::Dim,
            "degraded" => Ink::Yellow,
            _ => Ink::Red,
        };
        table.row(vec![
            (Some(Ink::Cyan), escape(&plugin.id).into_owned()),
            (Some(ink), plugin.state.clone()),
            (None, plugin.method_count.to_string()),
            (None, plugin.event_count.to_string()),
            (None, named(&plugin.channels)),
            (
                None,
                escape(plugin.version.as_deref().unwrap_or("-")).into_owned(),
            ),
            (Some(Ink::Dim), escape(&plugin.endpoint).into_owned()),
        ]);
    }
    if table.is_empty() {
        output::remark("no plugin is set up: docs/plugins.md leads to one of your own");
        return Ok(());
    }
    output::text(&table.render_within(style, crate::term::columns()))?;
    for plugin in &plugins {
        if let Some(detail) = &plugin.detail {
            let id = style.paint(Ink::Red, &escape(&plugin.id));
            output::line(&format!("{id}: {}", escape(detail)))?;
        }
    }
    Ok(())
}

/// The channels that a plugin brings, if any.
fn named(channels: &[String]) -> String {
    if channels.is_empty() {
        return "-".to_owned();
    }
    escape(&channels.join(", ")).into_owned()
}

async fn show(common: &Common, id: &str, style: Style) -> Result<(), Failed> {
    let params = json!({"pluginId": id});
    let Some(Inspected {
        plugin,
        methods,
        events,
    }) = ask(common, INSPECT, params).await?
    else {
        return Ok(());
    };
    let mut facts = vec![("name", plugin.name), ("state", plugin.state)];
    facts.extend(plugin.detail.map(|detail| ("detail", detail)));
    facts.extend(plugin.version.map(|version| ("version", version)));
    if !plugin.channels.is_empty() {
        facts.push(("channels", named(&plugin.channels)));
    }
    facts.push(("endpoint", plugin.endpoint));
    for (name, value) in facts {
        output::line(&format!("{name:9} {}", escape(&value)))?;
    }
    let methods: Vec<_> = methods
        .iter()
        .map(|method| Brought {
            name: &method.name,
            access: &method.access,
            note: match (method.overrides, method.streaming) {
                (true, _) => "takes the gateway's own method over",
                (false, true) => "answers with a stream",
                (false, false) => "",
            },
        })
        .collect();
    let events: Vec<_> = events
        .iter()
        .map(|event| Brought {
            name: &event.name,
            access: &event.access,
            note: "",
        })
        .collect();
    brought("METHOD", &methods, style)?;
    brought("EVENT", &events, style)
}

/// A method or an event, for a person.
struct Brought<'a> {
    name: &'a str,
    access: &'a str,
    note: &'a str,
}

fn brought(what: &'static str, all: &[Brought<'_>], style: Style) -> Result<(), Failed> {
    if all.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&[what, "ACCESS", ""]);
    for one in all {
        table.row(vec![
            (Some(Ink::Cyan), one.name.to_owned()),
            (None, one.access.to_owned()),
            (Some(Ink::Dim), one.note.to_owned()),
        ]);
    }
    output::line("")?;
    output::text(&table.render_within(style, crate::term::columns()))
}
