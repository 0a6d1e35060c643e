//! From the words of a command to what the gateway is asked for.

use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::{Map, Value, json};

use crate::{
    args::cron::{CronAdd, CronEdit, What, When},
    exit::{Exit, Failed},
};

fn wrong(problem: String) -> Failed {
    Failed::new(Exit::Usage, problem)
}

/// A job to add.
pub(super) fn job(add: &CronAdd, now_ms: i64) -> Result<Value, Failed> {
    let CronAdd {
        name,
        when,
        what,
        disabled,
    } = add;
    let schedule = schedule(when, now_ms)?
        .ok_or_else(|| wrong("when is it due? give one of --at, --every and --cron".to_owned()))?;
    let mut job = fields(when, what)?;
    if !job.contains_key("payload") {
        return Err(wrong("what is it to do? give --message or --event".to_owned()));
    }
    let is_event = what.event.is_some();
    job.insert("name".to_owned(), json!(name));
    job.insert("schedule".to_owned(), schedule);
    job.insert("wakeMode".to_owned(), json!("now"));
    job.insert("enabled".to_owned(), json!(!disabled));
    job.entry("sessionTarget")
        .or_insert_with(|| json!(if is_event { "main" } else { "isolated" }));
    if !is_event {
        // Whoever has no chat reads the answer in the list of runs.
        job.entry("delivery")
            .or_insert_with(|| json!({"mode": "announce", "channel": "last", "bestEffort": true}));
    }
    Ok(Value::Object(job))
}

/// A change of one.
pub(super) fn change(edit: &CronEdit, now_ms: i64) -> Result<Value, Failed> {
    let CronEdit {
        job: _,
        name,
        when,
        what,
    } = edit;
    let mut patch = fields(when, what)?;
    if let Some(name) = name {
        patch.insert("name".to_owned(), json!(name));
    }
    if let Some(schedule) = schedule(when, now_ms)? {
        patch.insert("schedule".to_owned(), schedule);
    }
    if patch.is_empty() {
        return Err(wrong(
            "nothing is to be changed: `gatehouse cron edit --help` lists what can be".to_owned(),
        ));
    }
    Ok(Value::Object(patch))
}

/// What stands in a job beside its name and its schedule.
fn fields(when: &When, what: &What) -> Result<Map<String, Value>, Failed> {
    let What {
        message,
        event,
        session,
        agent,
        model,
        thinking,
        limit,
        announce,
        quiet,
        channel,
        to,
        account,
        webhook,
        description,
        keep,
    } = what;
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    if let Some(event) = event {
        set("payload", json!({"kind": "systemEvent", "text": event}));
    } else if message.is_some() || model.is_some() || thinking.is_some() || limit.is_some() {
        let given = [
            ("kind", json!("agentTurn")),
            ("message", json!(message)),
            ("model", json!(model)),
            ("thinking", json!(thinking)),
            ("timeoutSeconds", json!(limit)),
        ];
        set("payload", super::super::sessions::given(given));
    }
    for (name, text) in [
        ("sessionTarget", session),
        ("agentId", agent),
        ("description", description),
    ] {
        if let Some(text) = text {
            set(name, json!(text));
        }
    }
    if let Some(webhook) = webhook {
        set("delivery", json!({"mode": "webhook", "to": webhook}));
    } else if *quiet {
        set("delivery", json!({"mode": "none"}));
    } else if *announce || channel.is_some() {
        let given = [
            ("mode", json!("announce")),
            ("channel", json!(channel.as_deref().unwrap_or("last"))),
            ("to", json!(to)),
            ("accountId", json!(account)),
            ("bestEffort", json!(false)),
        ];
        set("delivery", super::super::sessions::given(given));
    }
    if *keep {
        set("deleteAfterRun", json!(false));
    }
    if let Some(missed) = &when.missed {
        set(
            "missed",
            match missed.as_str() {
                "skip" => json!({"policy": "skip"}),
                late => json!({"policy": "run", "withinMinutes": duration_ms(late)? / 60_000}),
            },
        );
    }
    Ok(fields)
}

fn schedule(when: &When, now_ms: i64) -> Result<Option<Value>, Failed> {
    let When {
        at,
        every,
        cron,
        tz,
        stagger,
        exact,
        missed: _,
    } = when;
    Ok(match (at, every, cron) {
        (Some(at), _, _) => Some(json!({"kind": "at", "at": instant(at, tz.as_deref(), now_ms)?})),
        (None, Some(every), _) => Some(json!({"kind": "every", "everyMs": duration_ms(every)?})),
        (None, None, Some(expr)) => {
            let mut schedule = json!({"kind": "cron", "expr": expr});
            if let Some(tz) = tz {
                schedule["tz"] = json!(tz);
            }
            if let Some(stagger) = stagger {
                schedule["staggerMs"] = json!(duration_ms(stagger)?);
            } else if *exact {
                schedule["staggerMs"] = json!(0);
            }
            Some(schedule)
        }
        (None, None, None) if tz.is_some() => {
            return Err(wrong(
                "--tz belongs to --cron or --at: give the schedule as well".to_owned(),
            ));
        }
        (None, None, None) => None,
    })
}

/// A time, or one so long from now.
fn instant(text: &str, tz: Option<&str>, now_ms: i64) -> Result<String, Failed> {
    let at = if let Ok(at) = text.parse::<Timestamp>() {
        Some(at)
    } else if let Ok(civil) = text.parse::<civil::DateTime>() {
        let zone = match tz {
            Some(name) => TimeZone::get(name).map_err(|_| {
                wrong(format!(
                    "there is no time zone {name}: write for example Europe/Berlin"
                ))
            })?,
            None => TimeZone::UTC,
        };
        civil.to_zoned(zone).ok().map(|at| at.timestamp())
    } else {
        let from_now = duration_ms(text).map_err(|_| {
            wrong(format!(
                "{text} is no time: write 2027-02-01T16:00:00Z, or 20m from now"
            ))
        })?;
        Timestamp::from_millisecond(now_ms.saturating_add(from_now)).ok()
    };
    at.map(|at| at.to_string())
        .ok_or_else(|| wrong(format!("{text} is out of range")))
}

/// `30s`, `10m`, `6h` or `1d`, in milliseconds.
fn duration_ms(text: &str) -> Result<i64, Failed> {
    let problem = || wrong(format!("{text} is no duration: write 30s, 10m, 6h or 1d"));
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or_else(problem)?);
    let factor = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(problem()),
    };
    let number: i64 = number.parse().map_err(|_| problem())?;
    number
        .checked_mul(factor)
        .filter(|ms| *ms > 0)
        .ok_or_else(problem)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command, cron::CronVerb};

    const NOW: i64 = 1_800_000_000_000; // 2027-01-15T08:00:00Z

    fn asked(words: &str) -> Result<Value, Failed> {
        let words = ["gatehouse", "cron"].into_iter().chain(words.split('|'));
        let Command::Cron(cron) = Cli::try_parse_from(words).unwrap().command else {
            panic!("it is cron")
        };
        match cron.verb {
            Some(CronVerb::Add(add)) => job(&add, NOW),
            Some(CronVerb::Edit(edit)) => change(&edit, NOW),
            other => panic!("{other:?} asks for no job"),
        }
    }

    #[test]
    fn the_words_of_a_command_become_a_job() {
        assert_eq!(
            asked("add|tea|--at|20m|--event|the tea").unwrap(),
            json!({
                "name": "tea", "enabled": true, "wakeMode": "now", "sessionTarget": "main",
                "schedule": {"kind": "at", "at": "2027-01-15T08:20:00Z"},
                "payload": {"kind": "systemEvent", "text": "the tea"},
            })
        );
        assert_eq!(
            asked("add|news|--cron|0 8 * * *|--tz|Europe/Berlin|--exact|--message|new?|--channel|irc|--to|anna|--missed|90m|--disabled")
                .unwrap(),
            json!({
                "name": "news", "enabled": false, "wakeMode": "now", "sessionTarget": "isolated",
                "schedule": {"kind": "cron", "expr": "0 8 * * *", "tz": "Europe/Berlin", "staggerMs": 0},
                "payload": {"kind": "agentTurn", "message": "new?"},
                "delivery": {"mode": "announce", "channel": "irc", "to": "anna", "bestEffort": false},
                "missed": {"policy": "run", "withinMinutes": 90},
            })
        );
        let told = asked("edit|news|--webhook|https://example.org/told").unwrap();
        assert_eq!(
            told["delivery"],
            json!({"mode": "webhook", "to": "https://example.org/told"})
        );
        let zoned = asked("add|x|--at|2027-07-01T12:00|--tz|Europe/Berlin|--message|y").unwrap();
        assert_eq!(zoned["schedule"]["at"], "2027-07-01T10:00:00Z");
        assert_eq!(zoned["delivery"]["bestEffort"], true);
        assert_eq!(
            asked("edit|news|--every|6h|--quiet").unwrap(),
            json!({"schedule": {"kind": "every", "everyMs": 21_600_000}, "delivery": {"mode": "none"}})
        );
    }

    #[test]
    fn what_makes_no_sense_is_said_before_anybody_is_asked() {
        for words in [
            "add|x|--message|y",
            "add|x|--every|1h",
            "add|x|--every|90|--message|y",
            "add|x|--at|soon|--message|y",
            "edit|x",
            "edit|x|--tz|UTC",
        ] {
            assert_eq!(asked(words).unwrap_err().exit, Exit::Usage, "{words}");
        }
    }
}
