//! `gatehouse cron`.

mod spec;

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::{self, Instant};

use self::spec::{change, job};
use super::{Caller, facts, sessions::given, unknown};
use crate::{
    args::{
        Common,
        cron::{Cron, CronList, CronVerb},
    },
    exit::{Exit, Failed},
    output,
    term::{Ink, Style, Table, ago, now_ms},
};

/// Jobs of one answer: the most that the method allows.
const PAGE: u32 = 200;
/// How often it is asked whether a run has ended.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    jobs: Vec<Map<String, Value>>,
    total: u32,
    next_offset: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Begun {
    run_id: Option<String>,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Runs {
    #[serde(default)]
    entries: Vec<Run>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    job_name: String,
    status: String,
    slot_state: String,
    run_at_ms: i64,
    duration_ms: Option<i64>,
    error: Option<String>,
    summary: Option<String>,
    delivery_status: Option<String>,
}

/// Runs `cron`.
pub(crate) async fn run(common: &Common, cron: &Cron, style: Style) -> Result<(), Failed> {
    let listed = CronVerb::List(CronList::default());
    let verb = cron.verb.as_ref().unwrap_or(&listed);
    let methods: &[&str] = match verb {
        CronVerb::List(_) | CronVerb::Show { .. } => &["cron.list", "cron.status"],
        CronVerb::Add(_) => &["cron.add"],
        CronVerb::Edit(_) | CronVerb::Enable { .. } | CronVerb::Disable { .. } => {
            &["cron.update", "cron.list"]
        }
        CronVerb::Remove { .. } => &["cron.remove", "cron.list"],
        CronVerb::Run { .. } => &["cron.run", "cron.runs", "cron.list"],
        CronVerb::Runs { .. } => &["cron.runs", "cron.list"],
    };
    let mut caller = Caller::connect(common, style, methods).await?;
    let done = caller.cron(verb).await;
    caller.close().await;
    done
}

impl Caller {
    async fn cron(&mut self, verb: &CronVerb) -> Result<(), Failed> {
        match verb {
            CronVerb::List(list) => self.list_jobs(list).await,
            CronVerb::Show { job } => {
                let job = self.find_job(job).await?;
                if self.json {
                    return output::line(&Value::Object(job).to_string());
                }
                output::text(&facts::lines(&job, self.style, Some(now_ms())))
            }
            CronVerb::Add(add) => {
                let answer = self.ask("cron.add", &job(add, now_ms())?).await?;
                let job: Map<String, Value> = answer.read()?;
                let sentence = format!("added: {}{}", text(&job, "id"), due(&job));
                self.done(&answer, &sentence)
            }
            CronVerb::Edit(edit) => {
                let patch = change(edit, now_ms())?;
                self.change_job(&edit.job, patch, "changed").await
            }
            CronVerb::Enable { job } => self.change_job(job, json!({"enabled": true}), "on").await,
            CronVerb::Disable { job } => self.change_job(job, json!({"enabled": false}), "off").await,
            CronVerb::Remove { job } => {
                let job = self.find_job(job).await?;
                let answer = self.ask("cron.remove", &json!({"id": field(&job, "id")})).await?;
                self.done(&answer, &format!("removed: {}", text(&job, "name")))
            }
            CronVerb::Run { job, wait, timeout } => {
                let limit = wait.then(|| Duration::from_secs((*timeout).into()));
                self.run_job(job, limit).await
            }
            CronVerb::Runs { job, limit, status } => {
                let id = match job {
                    Some(job) => Some(field(&self.find_job(job).await?, "id")),
                    None => None,
                };
                let params = given([
                    ("id", json!(id)),
                    ("limit", json!(limit)),
                    ("status", json!(status)),
                ]);
                let answer = self.ask("cron.runs", &params).await?;
                if self.json {
                    return answer.print();
                }
                self.show_runs(&answer.read()?)
            }
        }
    }

    async fn list_jobs(&mut self, list: &CronList) -> Result<(), Failed> {
        let params = given([
            ("includeDisabled", json!(list.all)),
            ("agentId", json!(list.agent)),
            ("query", json!(list.search)),
            ("limit", json!(PAGE)),
        ]);
        let answer = self.ask("cron.list", &params).await?;
        if self.json {
            return answer.print();
        }
        let page: Page = answer.read()?;
        let status = self.ask("cron.status", &json!({})).await?;
        let status: Map<String, Value> = status.read()?;
        let mut table = Table::new(&["JOB", "NAME", "WHEN", "NEXT", "LAST"]);
        for job in &page.jobs {
            let last = text(job, "lastRunStatus");
            let ink = match last.as_str() {
                "error" => Some(Ink::Red),
                "skipped" => Some(Ink::Yellow),
                _ => None,
            };
            let next = match (
                job.get("nextRunAtMs").and_then(Value::as_i64),
                field(job, "enabled").as_bool(),
            ) {
                (_, Some(false)) => "off".to_owned(),
                (Some(next), _) => format!("in {}", ago((next - now_ms()).max(0))),
                (None, _) => String::new(),
            };
            table.row(vec![
                (Some(Ink::Cyan), text(job, "id").chars().take(8).collect()),
                (None, text(job, "name")),
                (None, when(&field(job, "schedule"))),
                (None, next),
                (ink, last),
            ]);
        }
        self.table(&table, "there are no jobs: `gatehouse cron add` makes one")?;
        if page.next_offset.is_some() {
            let shown = page.jobs.len();
            output::remark(&format!(
                "{shown} of {}: --search or --agent shows fewer",
                page.total
            ));
        }
        if status.get("enabled").and_then(Value::as_bool) == Some(false) {
            output::remark("no job runs by itself: cron is off in the configuration (cron.enabled)");
        }
        Ok(())
    }

    /// The job of this id, of an id that begins so, or of this name.
    async fn find_job(&mut self, name: &str) -> Result<Map<String, Value>, Failed> {
        let (mut jobs, mut offset) = (Vec::new(), Some(0));
        while let Some(from) = offset {
            let params = json!({"includeDisabled": true, "limit": PAGE, "offset": from, "sortBy": "name"});
            let page: Page = self.ask("cron.list", &params).await?.read()?;
            jobs.extend(page.jobs);
            offset = page.next_offset;
        }
        let is = |wanted: &dyn Fn(&Map<String, Value>) -> bool| {
            let found: Vec<usize> = (0..jobs.len()).filter(|n| wanted(&jobs[*n])).collect();
            found
        };
        let by_id = is(&|job| text(job, "id") == name);
        let by_name = is(&|job| text(job, "name") == name);
        let by_beginning = is(&|job| name.len() >= 4 && text(job, "id").starts_with(name));
        let found = [by_id, by_name, by_beginning]
            .into_iter()
            .find(|found| !found.is_empty());
        match found.as_deref() {
            Some([one]) => Ok(jobs.swap_remove(*one)),
            Some(several) => {
                let ids: Vec<String> = several.iter().map(|n| text(&jobs[*n], "id")).collect();
                let problem = format!("several jobs are called {name}: {}", ids.join(", "));
                Err(Failed::new(Exit::Failed, problem).next("name one by its id"))
            }
            None => {
                let names: Vec<String> = jobs.iter().map(|job| text(job, "name")).collect();
                Err(unknown(
                    "job",
                    name,
                    names.iter().map(String::as_str),
                    "gatehouse cron list --all",
                ))
            }
        }
    }

    async fn change_job(&mut self, name: &str, patch: Value, done: &str) -> Result<(), Failed> {
        let job = self.find_job(name).await?;
        let answer = self
            .ask("cron.update", &json!({"id": field(&job, "id"), "patch": patch}))
            .await?;
        let job: Map<String, Value> = answer.read()?;
        self.done(&answer, &format!("{done}: {}{}", text(&job, "name"), due(&job)))
    }

    async fn run_job(&mut self, name: &str, limit: Option<Duration>) -> Result<(), Failed> {
        let job = self.find_job(name).await?;
        let answer = self
            .ask("cron.run", &json!({"id": field(&job, "id"), "mode": "force"}))
            .await?;
        let begun: Begun = answer.read()?;
        let Some(run) = begun.run_id else {
            let reason = begun.reason.unwrap_or_else(|| "it was not begun".to_owned());
            return Err(Failed::new(
                Exit::Failed,
                format!("{}: {reason}", text(&job, "name")),
            ));
        };
        let Some(limit) = limit else {
            return self.done(
                &answer,
                &format!("begun: {run}; `gatehouse cron runs` tells how it goes"),
            );
        };
        let deadline = Instant::now() + limit;
        loop {
            let params = json!({"id": field(&job, "id"), "runId": run, "limit": 1});
            let answer = self.ask("cron.runs", &params).await?;
            let runs: Runs = answer.read()?;
            if let Some(run) = runs.entries.first() {
                let said = run
                    .error
                    .as_ref()
                    .or(run.summary.as_ref())
                    .map_or("", String::as_str);
                if run.status == "ok" {
                    return self.done(&answer, &format!("done: {said}"));
                }
                return Err(Failed::new(
                    Exit::Failed,
                    format!("{}: {}: {said}", run.job_name, run.status),
                ));
            }
            if Instant::now() >= deadline {
                let failed = Failed::new(Exit::Failed, "the run has not ended yet".to_owned());
                return Err(failed.next("it goes on: `gatehouse cron runs` tells how it ended"));
            }
            time::sleep(LOOK).await;
        }
    }

    fn show_runs(&self, runs: &Runs) -> Result<(), Failed> {
        let now = now_ms();
        let mut table = Table::new(&["DUE", "JOB", "HOW", "TOOK", "TOLD", "WHAT"]);
        for run in &runs.entries {
            let (ink, word) = match (run.status.as_str(), run.slot_state.as_str()) {
                ("ok", _) => (Some(Ink::Green), "ok"),
                ("error", _) => (Some(Ink::Red), "error"),
                (_, "missed") => (Some(Ink::Yellow), "missed"),
                _ => (Some(Ink::Yellow), "skipped"),
            };
            let told = match run.delivery_status.as_deref() {
                Some("delivered") => "yes",
                Some("not-delivered") => "no",
                _ => "",
            };
            let what = run
                .error
                .as_ref()
                .or(run.summary.as_ref())
                .cloned()
                .unwrap_or_default();
            table.row(vec![
                (None, format!("{} ago", ago((now - run.run_at_ms).max(0)))),
                (Some(Ink::Cyan), run.job_name.clone()),
                (ink, word.to_owned()),
                (None, run.duration_ms.map(ago).unwrap_or_default()),
                (None, told.to_owned()),
                (None, crate::term::one_line(&what)),
            ]);
        }
        self.table(&table, "nothing was due yet")
    }
}

fn text(object: &Map<String, Value>, name: &str) -> String {
    object
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn field(object: &Map<String, Value>, name: &str) -> Value {
    object.get(name).cloned().unwrap_or_default()
}

/// When a job is due next, as the end of a sentence.
fn due(job: &Map<String, Value>) -> String {
    match job.get("nextRunAtMs").and_then(Value::as_i64) {
        Some(next) => format!(", due in {}", ago((next - now_ms()).max(0))),
        None => String::new(),
    }
}

/// A schedule in a few words.
fn when(schedule: &Value) -> String {
    let text = |name: &str| schedule.get(name).and_then(Value::as_str).unwrap_or_default();
    match text("kind") {
        "at" => format!("at {}", text("at")),
        "every" => {
            let every = schedule
                .get("everyMs")
                .and_then(Value::as_i64)
                .unwrap_or_default();
            format!("every {}", ago(every))
        }
        _ => format!("{} {}", text("expr"), text("tz")).trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_said_in_few_words() {
        assert_eq!(
            when(&json!({"kind": "every", "everyMs": 3_600_000})),
            "every 60 m"
        );
        assert_eq!(
            when(&json!({"kind": "cron", "expr": "0 8 * * *", "tz": "UTC"})),
            "0 8 * * * UTC"
        );
        assert_eq!(when(&json!({"kind": "cron", "expr": "0 8 * * *"})), "0 8 * * *");
        assert_eq!(
            when(&json!({"kind": "at", "at": "2027-01-01T00:00:00Z"})),
            "at 2027-01-01T00:00:00Z"
        );
    }
}
