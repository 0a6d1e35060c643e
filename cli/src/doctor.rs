//! `gatehouse doctor`: goes through everything that a gateway needs, whether it runs or not. Each finding comes with what to do about it;
//! `--fix` does what cannot harm. Nothing else is changed.

mod files;
mod finding;
mod host;
mod running;

use serde_json::json;

use self::finding::{Finding, Severity};
use crate::{
    args::{Common, Doctor},
    control::{self, Answer, Ask},
    exit::{Exit, Failed},
    gateway::within_deadline,
    output, own,
    term::{Ink, Style},
};

/// Looks at everything.
pub(crate) async fn run(common: &Common, doctor: &Doctor, style: Style) -> Result<(), Failed> {
    let running = control::ask(&common.run_dir(), &Ask::Hello, None).ok();
    let running = running.map(|asked| asked.answer);
    let (options, is_running) = (common.clone(), running.is_some());
    // A disk that hangs must not hang the doctor.
    let mut findings = within_deadline(common, move || of_the_machine(&options, is_running))?;
    match &running {
        Some(answer) => findings.extend(of_the_gateway(common, doctor, answer).await),
        // Its processes are elsewhere, each in a container of its own as a rule: what can be asked is asked.
        None if common.url.is_some() => findings.extend(running::asked(common, !doctor.quick).await),
        None => findings.push(
            Finding::note(
                "services",
                format!("no gateway runs in {} ({})", common.home.display(), common.found),
            )
            .fix(own::start_step(common)),
        ),
    }
    // The file and the gateway that runs by it say the same of it.
    let mut told = Vec::new();
    for finding in findings {
        if !told.contains(&finding) {
            told.push(finding);
        }
    }
    let mut findings = told;
    if doctor.fix {
        findings.iter_mut().for_each(Finding::repair);
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity()));
    let worst = findings
        .iter()
        .map(Finding::severity)
        .max()
        .unwrap_or(Severity::Fine);
    if common.json {
        let list: Vec<_> = findings.iter().map(Finding::json).collect();
        let ok = worst < Severity::Warning;
        output::line(
            &json!({"ok": ok, "worst": worst.word(), "home": common.home, "findings": list}).to_string(),
        )?;
    } else {
        let text: String = findings.iter().map(|finding| finding.text(style)).collect();
        output::text(&text)?;
    }
    verdict(&findings, worst, common.json, style)
}

fn of_the_machine(common: &Common, is_running: bool) -> Vec<Finding> {
    let mut findings = files::home(common);
    if !common.home.is_dir() {
        return findings;
    }
    findings.extend(files::modes(common));
    findings.extend(files::leftovers(common, is_running));
    findings.extend(files::databases(common));
    findings.extend(host::disk(common));
    findings.extend(host::clock(common));
    findings.extend(files::configuration(common, is_running));
    if !is_running && common.url.is_none() {
        findings.extend(host::port(common));
    }
    findings
}

async fn of_the_gateway(common: &Common, doctor: &Doctor, answer: &Answer) -> Vec<Finding> {
    let mut findings = vec![running::version(answer)];
    findings.extend(running::services(common, &answer.failing).await);
    findings.extend(running::asked(common, !doctor.quick).await);
    findings
}

/// The end: by severity, for scripts.
fn verdict(findings: &[Finding], worst: Severity, json: bool, style: Style) -> Result<(), Failed> {
    let count = |severity| {
        findings
            .iter()
            .filter(|finding| finding.severity() == severity)
            .count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let said = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    match worst {
        Severity::Error => Err(Failed::new(
            Exit::Failed,
            format!("{} and {}", said(errors, "error"), said(warnings, "warning")),
        )),
        Severity::Warning => Err(Failed::new(
            Exit::Warnings,
            format!("{}, no errors", said(warnings, "warning")),
        )),
        Severity::Note | Severity::Fine if json => Ok(()),
        Severity::Note | Severity::Fine => {
            output::line(&style.paint(Ink::Green, "no errors and no warnings"))
        }
    }
}
