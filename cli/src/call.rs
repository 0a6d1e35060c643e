//! `gatehouse call`: one method, its answer on the standard output.

use std::{io::Read, time::Duration};

use gatehouse_contract::Map;
use gatehouse_core::{Service, ServiceSettings};
use serde_json::{json, value::RawValue};

use crate::{
    args::{Call, Common},
    client::{self, Client, grpc},
    exit::{Exit, Failed},
    methods::first_sentence,
    output,
    service::{by_backend, environment},
    term::{Ink, Style, Table},
};

/// The largest parameters that are read from a file: the largest frame the edge accepts.
const PARAMS_BYTES_MAX: u64 = 25 * 1024 * 1024;

/// Waiting for a method that we do not know, a plugin's for example.
const DEADLINE_UNKNOWN: Duration = Duration::from_secs(60);

/// What the network may add to the deadline that a method declares.
const DEADLINE_EXTRA: Duration = Duration::from_secs(5);

/// Calls a method.
pub(crate) async fn run(common: &Common, call: &Call, style: Style) -> Result<(), Failed> {
    if let (true, Some(backend)) = (call.list, call.service) {
        return list(common, by_backend(backend), style);
    }
    let params = read_params(&call.params)?;
    match call.service {
        Some(backend) => direct(common, call, by_backend(backend), &params).await,
        None => through_the_edge(common, call, &params).await,
    }
}

/// Every method of a service, with who may call it.
fn list(common: &Common, service: Service, style: Style) -> Result<(), Failed> {
    let mut table = Table::new(&["METHOD", "CLIENTS CALL IT", "CALLERS", "WHAT IT DOES"]);
    let mut rows = Vec::new();
    for method in grpc::methods(service) {
        let callers: Vec<_> = method.callers.iter().map(|caller| caller.name()).collect();
        rows.push(json!({
            "rpc": grpc::rpc_name(method), "grpc": method.path, "name": method.name, "callers": callers,
            "description": method.comment,
        }));
        table.row(vec![
            (Some(Ink::Cyan), grpc::rpc_name(method).to_owned()),
            (None, method.name.clone()),
            (Some(Ink::Dim), callers.join(", ")),
            (None, first_sentence(&method.comment)),
        ]);
    }
    if common.json {
        return output::line(&json!({ "methods": rows }).to_string());
    }
    output::line(table.render(style).trim_end())
}

async fn direct(
    common: &Common,
    call: &Call,
    service: gatehouse_core::Service,
    params: &RawValue,
) -> Result<(), Failed> {
    let settings = ServiceSettings::read(&environment(common), service)
        .map_err(|error| Failed::new(Exit::Configuration, error.to_string()))?;
    let method = grpc::method(service, &call.method)?;
    let deadline = call
        .timeout
        .map_or(method.deadline + DEADLINE_EXTRA, Duration::from_secs);
    let backend = grpc::Backend::find(&settings, service, call.address.as_deref())?;
    backend
        .call(method, params.get(), deadline, |answer| {
            output::json(answer, common.json || method.streaming)
        })
        .await
}

async fn through_the_edge(common: &Common, call: &Call, params: &RawValue) -> Result<(), Failed> {
    let method = Map::core().method(&call.method);
    let deadline = call
        .timeout
        .map(Duration::from_secs)
        .or_else(|| method.map(|method| method.deadline + DEADLINE_EXTRA))
        .unwrap_or(DEADLINE_UNKNOWN);
    let (_, mut client) = Client::follow(common, &[&call.method]).await?;
    let id = client.send(&call.method, params).await?;
    let streaming = method.is_some_and(|method| method.streaming);
    let mut wait = deadline;
    loop {
        let payload = client
            .answer(&id, wait)
            .await?
            .map_err(|refusal| client::refused(&call.method, &refusal))?;
        output::json(payload.get(), common.json || streaming)?;
        if !(streaming && is_only_accepted(&payload)) {
            break;
        }
        wait = call
            .timeout
            .map_or(Duration::from_secs(3_600), Duration::from_secs);
    }
    client.close().await;
    Ok(())
}

/// A method that answers twice says `accepted` first.
fn is_only_accepted(payload: &RawValue) -> bool {
    #[derive(serde::Deserialize)]
    struct Status {
        status: String,
    }
    serde_json::from_str::<Status>(payload.get()).is_ok_and(|payload| payload.status == "accepted")
}

/// The parameters: JSON as it is, or JSON5 made JSON.
pub(crate) fn read_params(text: &str) -> Result<Box<RawValue>, Failed> {
    let read;
    let (text, from) = match text.strip_prefix('@') {
        Some("-") => {
            read = read_bounded(std::io::stdin().lock())
                .map_err(|error| Failed::new(Exit::Usage, format!("cannot read the input: {error}")))?;
            (read.as_str(), "the input")
        }
        Some(path) => {
            read = std::fs::File::open(path)
                .and_then(read_bounded)
                .map_err(|error| Failed::new(Exit::Usage, format!("cannot read {path}: {error}")))?;
            (read.as_str(), path)
        }
        None => (text, "the parameters"),
    };
    // JSON goes through untouched: numbers, order, white space inside strings.
    if let Ok(raw) = RawValue::from_string(text.trim().to_owned()) {
        return Ok(raw);
    }
    let unread = |error: String| {
        Failed::new(Exit::Usage, format!("{from}: no JSON and no JSON5: {error}"))
            .next("for example '{limit: 5}'")
    };
    json5::from_str::<serde::de::IgnoredAny>(text).map_err(|error| unread(error.to_string()))?;
    // A number that JSON5 can say and JSON cannot would be null, as if it had not been said.
    let value = gatehouse_config::offline::value(text).map_err(unread)?;
    Ok(client::params(&value))
}

fn read_bounded(input: impl Read) -> std::io::Result<String> {
    let mut text = String::new();
    input.take(PARAMS_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_goes_through_untouched_and_json5_becomes_json() {
        assert_eq!(
            read_params(r#"{"b":9007199254740993,"a":1.0}"#).unwrap().get(),
            r#"{"b":9007199254740993,"a":1.0}"#
        );
        assert_eq!(
            read_params("{limit: 5, // five\n}").unwrap().get(),
            r#"{"limit":5}"#
        );
    }

    #[test]
    fn a_number_that_json_cannot_say_is_refused_and_not_left_out() {
        for text in ["{limit: 1e400}", "{limit: Infinity}", "[NaN]"] {
            let failed = read_params(text).expect_err(text);

            assert!(failed.to_string().contains("larger than any can be"), "{failed}");
        }
    }

    #[test]
    fn what_is_neither_is_refused_with_an_example() {
        let failed = read_params("{limit").expect_err("half an object");

        assert_eq!(failed.exit, Exit::Usage);
        assert!(failed.to_string().contains("limit: 5"), "{failed}");
    }

    #[test]
    fn only_the_first_of_two_answers_is_waited_beyond() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();

        assert!(is_only_accepted(&raw(r#"{"runId":"r","status":"accepted"}"#)));
        assert!(!is_only_accepted(&raw(r#"{"runId":"r","status":"ok"}"#)));
        assert!(!is_only_accepted(&raw("[1]")));
    }
}
