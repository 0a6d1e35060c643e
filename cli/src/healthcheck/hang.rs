//! Ending a service that hangs, from its own container: plain Docker starts again what ends, and not what is unhealthy.
//!
//! Each check is a process of its own, so what the last one saw is kept in a file of the container's temporary folder, which
//! is gone when the container starts again.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Checks come every few seconds. After a longer gap the machine was paused, and counting begins anew.
const GAP_MAX: Duration = Duration::from_secs(20);

/// What the checks before have seen, in seconds since the machine started.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seen {
    /// When it answered last.
    answered: f64,
    /// When it was asked last.
    asked: f64,
}

/// Takes in one check, and answers whether the service has been silent for too long. One that never answered is starting.
fn take(seen: Option<Seen>, now: f64, answers: bool, limit: Duration) -> (Option<Seen>, bool) {
    let fresh = Seen {
        answered: now,
        asked: now,
    };
    match seen {
        _ if answers => (Some(fresh), false),
        None => (None, false),
        Some(seen) if now - seen.asked > GAP_MAX.as_secs_f64() => (Some(fresh), false),
        Some(seen) => {
            let hangs = now - seen.answered >= limit.as_secs_f64();
            (Some(Seen { asked: now, ..seen }), hangs)
        }
    }
}

/// Notes whether a service answers, and kills it once it has not for `limit`. Answers whether it was killed.
pub(super) fn note(service: &str, answers: bool, limit: Duration) -> bool {
    let path = file(service);
    let Some(now) = uptime() else { return false };
    let (seen, hangs) = take(read(&path), now, answers, limit);
    if let Some(Seen { answered, asked }) = seen {
        // Without a place for notes nobody is killed: a check must not fail for it.
        let _ = fs::write(&path, format!("{answered} {asked}"));
    }
    hangs && end(service)
}

fn file(service: &str) -> PathBuf {
    std::env::temp_dir().join(format!("gatehouse-healthcheck-{service}"))
}

fn read(path: &Path) -> Option<Seen> {
    let text = fs::read_to_string(path).ok()?;
    let (answered, asked) = text.trim().split_once(' ')?;
    Some(Seen {
        answered: answered.parse().ok()?,
        asked: asked.parse().ok()?,
    })
}

/// A clock that no correction of the time of day moves, and that all processes share.
fn uptime() -> Option<f64> {
    let text = fs::read_to_string("/proc/uptime").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// Kills the processes of this user that run the service. In a container there is one.
fn end(service: &str) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else {
        return false;
    };
    let pids = processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| runs(*pid, service))
        .filter(|pid| kill(Pid::from_raw(*pid), Signal::SIGKILL).is_ok())
        .count()
        > 0
}

/// Whether a process is `gatehouse <service>` and nothing more.
fn runs(pid: i32, service: &str) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<&[u8]> = line
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .collect();
    match words.as_slice() {
        [program, word] => program.ends_with(b"gatehouse") && *word == service.as_bytes(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    /// The checks of a story, each with its time and whether it was answered; when the service is killed.
    fn killed_at(checks: impl IntoIterator<Item = (f64, bool)>) -> Option<f64> {
        let mut seen = None;
        for (now, answers) in checks {
            let (next, hangs) = take(seen, now, answers, LIMIT);
            if hangs {
                return Some(now);
            }
            seen = next;
        }
        None
    }

    fn every_three_seconds(from: u32, checks: u32, answers: bool) -> impl Iterator<Item = (f64, bool)> {
        (0..checks).map(move |check| (f64::from(from + 3 * check), answers))
    }

    #[test]
    fn a_service_that_answered_once_is_killed_after_half_a_minute_of_silence() {
        let story = every_three_seconds(0, 5, true).chain(every_three_seconds(15, 100, false));

        assert_eq!(killed_at(story), Some(42.0));
    }

    #[test]
    fn a_service_that_starts_slowly_or_answers_now_and_then_is_left_alone() {
        assert_eq!(killed_at(every_three_seconds(0, 100, false)), None);
        assert_eq!(
            killed_at((0..200).map(|check| (f64::from(3 * check), check % 9 == 0))),
            None
        );
    }

    #[test]
    fn a_pause_of_the_machine_is_nobodys_silence() {
        let story = every_three_seconds(0, 5, true)
            .chain(every_three_seconds(10_000, 5, false))
            .chain(every_three_seconds(20_000, 5, false));

        assert_eq!(killed_at(story), None);
    }
}
