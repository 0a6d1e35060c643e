//! What the kernel knows about a process.

use std::{fs, time::Duration};

use nix::{time::clock_getcpuclockid, unistd::Pid};

/// Proportional set size in KiB: shared pages are divided among those who share them.
#[must_use]
pub fn pss_kib(pid: u32) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    pss.and_then(|rest| rest.trim().trim_end_matches(" kB").trim().parse().ok())
        .unwrap_or(0)
}

/// Time on a processor so far, of threads that have ended as well: a process ends those that have nothing to do. Zero when there
/// is no such process.
#[must_use]
pub fn cpu(pid: u32) -> Duration {
    let clock = i32::try_from(pid).map(|pid| clock_getcpuclockid(Pid::from_raw(pid)));
    let Ok(Ok(clock)) = clock else {
        return Duration::ZERO;
    };
    clock.now().map_or(Duration::ZERO, Duration::from)
}
