//! `gatehouse status --start`: the last start of the gateway of this home, step by step.

use serde_json::{Value, json};

use crate::{
    args::Common,
    exit::{Exit, Failed},
    gateway::within_deadline,
    output,
    start::{Reached, Start, State},
    term::{Ink, Style, Table, moment},
};

/// Shows it. A start that failed is a failure.
pub(super) fn run(common: &Common, style: Style) -> Result<(), Failed> {
    if common.url.is_some() {
        return Err(Failed::new(
            Exit::Usage,
            "--start reads the home of a gateway, and --url names none",
        )
        .next("ask on the machine where it runs, with --home DIR"));
    }
    let home = common.home.clone();
    let start = within_deadline(common, move || Start::read(&home))??;
    if common.json {
        output::line(&as_json(&start).to_string())?;
    } else {
        output::text(&page(&start, style))?;
    }
    match start.failed() {
        None => Ok(()),
        Some(reached) => {
            let failed = Failed::new(
                Exit::Failed,
                format!(
                    "the last start ended in step {}: {}",
                    reached.step.number(),
                    reached.step.title()
                ),
            );
            Err(match &reached.next {
                Some(next) => failed.next(next.clone()),
                None => failed,
            })
        }
    }
}

fn as_json(start: &Start) -> Value {
    let state = match start.failed() {
        Some(_) => "failed",
        None if start.is_done() => "done",
        None => "waiting",
    };
    json!({"start": start, "state": state})
}

fn page(start: &Start, style: Style) -> String {
    let mut text = format!(
        "start of Gatehouse {} at {}\n\n",
        start.version,
        moment(start.started_ms)
    );
    let mut table = Table::new(&["", "STEP", "STATE", "TOOK", "AFTER", "WHAT"]);
    for reached in &start.steps {
        table.row(row(reached));
    }
    text.push_str(&table.render(style));
    text
}

fn row(reached: &Reached) -> Vec<(Option<Ink>, String)> {
    let ink = match reached.state {
        State::Done => Ink::Green,
        State::Waiting => Ink::Yellow,
        State::Failed => Ink::Red,
    };
    let time = |time: Option<u64>| time.map_or_else(String::new, |time| format!("{time} ms"));
    let told = match (&reached.next, reached.exit) {
        (Some(next), Some(exit)) => format!("{} (exit code {exit}); {next}", reached.told),
        (None, Some(exit)) => format!("{} (exit code {exit})", reached.told),
        (Some(_) | None, None) => reached.told.clone(),
    };
    vec![
        (None, reached.step.number().to_string()),
        (None, reached.step.title().to_owned()),
        (Some(ink), reached.state.word().to_owned()),
        (None, time(reached.took_ms)),
        (None, time(reached.after_ms)),
        (None, told),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::start::Step;

    #[test]
    fn a_start_that_failed_shows_what_was_done_what_is_wrong_and_what_to_do() {
        let mut start = Start::begun(1_800_000_000_000);
        start.steps[0].state = State::Done;
        start.steps[0].took_ms = Some(12);
        start.steps[1] = Reached {
            state: State::Failed,
            told: "channels.telegram.botToken: TG is not set".to_owned(),
            next: Some("export TG".to_owned()),
            exit: Some(78),
            ..start.steps[1].clone()
        };

        let text = page(&start, Style::plain());

        for needed in [
            "2027-01-15",
            "1  configuration",
            "done",
            "12 ms",
            "failed",
            "channels.telegram.botToken",
            "exit code 78",
            "export TG",
            "7  schedules and discovery",
            "waiting",
        ] {
            assert!(text.contains(needed), "{needed:?} is missing in {text}");
        }
        let json = as_json(&start);
        assert_eq!(json["state"], "failed");
        assert_eq!(json["start"]["steps"][1]["step"], json!(Step::Secrets));
        assert_eq!(json["start"]["steps"].as_array().map(Vec::len), Some(7));
    }
}
