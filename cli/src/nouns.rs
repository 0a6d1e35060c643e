//! `gatehouse sessions | models | agents | channels | cron | pairing | nodes | devices | pair | users | message`: words for what people do most, on top of the methods. Each
//! verb calls one or two of them; with `--json` it prints what the last one answered.

mod agents;
mod channels;
mod cron;
mod devices;
mod facts;
mod message;
mod models;
mod nodes;
mod outbox;
mod pairing;
mod picture;
mod sessions;
mod users;

use std::time::Duration;

use gatehouse_core::json;
use serde::de::DeserializeOwned;
use serde_json::{Value, value::RawValue};

use crate::{
    args::Common,
    client::{self, Client},
    exit::{Exit, Failed},
    output,
    term::{Style, Table},
};

pub(crate) use self::{
    agents::run as agents, channels::run as channels, cron::run as cron, devices::pair,
    devices::run as devices, message::run as message, models::Tested, models::run as models,
    nodes::run as nodes, pairing::run as pairing, sessions::run as sessions, users::run as users,
};

/// Longer than any of these methods may take; those that wait for others say so themselves.
pub(crate) const ANSWER: Duration = Duration::from_secs(35);

/// A connection, and how its answers are shown.
struct Caller {
    client: Client,
    json: bool,
    style: Style,
}

impl Caller {
    /// Connects, to call these methods.
    async fn connect(common: &Common, style: Style, methods: &[&str]) -> Result<Self, Failed> {
        let (_, client) = Client::follow(common, methods).await?;
        let json = common.json;
        Ok(Self { client, json, style })
    }

    async fn ask(&mut self, method: &str, params: &Value) -> Result<Answer, Failed> {
        self.ask_within(method, params, ANSWER).await
    }

    async fn ask_within(&mut self, method: &str, params: &Value, limit: Duration) -> Result<Answer, Failed> {
        let method_name = method.to_owned();
        let payload = self.client.call(method, &client::params(params), limit).await?;
        Ok(Answer {
            method: method_name,
            payload,
        })
    }

    /// Prints a table with a remark where nothing is in it.
    fn table(&self, table: &Table, nothing: &str) -> Result<(), Failed> {
        if table.is_empty() {
            output::remark(nothing);
            return Ok(());
        }
        output::text(&table.render_within(self.style, crate::term::columns()))
    }

    /// Prints what was done: the answer for a program, a sentence for a person.
    fn done(&self, answer: &Answer, sentence: &str) -> Result<(), Failed> {
        if self.json {
            return output::line(answer.payload.get());
        }
        output::line(&gatehouse_core::telemetry::escape(sentence))
    }

    async fn close(self) {
        self.client.close().await;
    }
}

/// What a method answered.
struct Answer {
    method: String,
    payload: Box<RawValue>,
}

impl Answer {
    fn read<T: DeserializeOwned>(&self) -> Result<T, Failed> {
        json::read(self.payload.get()).map_err(|error| {
            let method = &self.method;
            Failed::new(
                Exit::Failed,
                format!("{method}: the answer cannot be read: {error}"),
            )
            .next("the gateway may be of another version than this command: `gatehouse status` shows it")
        })
    }

    /// Prints it as it came.
    fn print(&self) -> Result<(), Failed> {
        output::line(self.payload.get())
    }
}

/// Something of this name is not there, and the nearest that is.
fn unknown<'n>(what: &str, name: &str, known: impl IntoIterator<Item = &'n str>, list: &str) -> Failed {
    let near = known
        .into_iter()
        .map(|other| (strsim::jaro_winkler(name, other), other))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let failed = Failed::new(Exit::Failed, format!("there is no {what} {name}"));
    match near {
        Some((_, near)) => failed.next(format!("did you mean {near}? `{list}` shows them")),
        None => failed.next(format!("`{list}` shows them")),
    }
}
