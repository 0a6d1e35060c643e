//! What the kernel says of the machine.

use std::{fs, path::Path, time::Duration};

use gatehouse_proto::broadcast::v1::GetSystemInfoResponse;

/// Reads it. What a machine does not say is left out, or 0 where it has to be said.
pub(super) fn info(home: &Path, uptime: Duration) -> GetSystemInfoResponse {
    let line = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let name = line("/proc/sys/kernel/hostname").unwrap_or_default();
    let release = line("/proc/sys/kernel/osrelease").unwrap_or_default();
    let memory = line("/proc/meminfo").unwrap_or_default();
    let processors = line("/proc/cpuinfo").unwrap_or_default();
    let system = line("/etc/os-release").unwrap_or_default();
    let disk = rustix::fs::statvfs(home).ok();
    let bytes = |blocks: u64, size: u64| i64::try_from(blocks.saturating_mul(size)).unwrap_or(i64::MAX);
    GetSystemInfoResponse {
        machine_name: name.clone(),
        hostname: name,
        platform: std::env::consts::OS.to_owned(),
        os_label: pretty(&system).unwrap_or_else(|| format!("Linux {release}")),
        release,
        arch: match std::env::consts::ARCH {
            "x86_64" => "x64",
            "aarch64" => "arm64",
            other => other,
        }
        .to_owned(),
        node_version: format!("gatehouse {}", env!("CARGO_PKG_VERSION")),
        pid: i64::from(std::process::id()),
        uptime_ms: i64::try_from(uptime.as_millis()).unwrap_or(i64::MAX),
        cpu_count: std::thread::available_parallelism()
            .map_or(1, |count| i64::try_from(count.get()).unwrap_or(1)),
        cpu_model: value(&processors, "model name", ':'),
        load_average: line("/proc/loadavg").map(|text| load(&text)).unwrap_or_default(),
        memory_total_bytes: kib(&memory, "MemTotal"),
        memory_free_bytes: kib(&memory, "MemAvailable"),
        disk_total_bytes: disk.as_ref().map(|disk| bytes(disk.f_blocks, disk.f_frsize)),
        disk_available_bytes: disk.as_ref().map(|disk| bytes(disk.f_bavail, disk.f_frsize)),
        disk_path: disk.map(|_| home.display().to_string()),
    }
}

/// The value of the first line of this name.
fn value(text: &str, name: &str, separator: char) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(separator)?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

fn kib(text: &str, name: &str) -> i64 {
    let number = value(text, name, ':').and_then(|value| value.split(' ').next()?.parse::<i64>().ok());
    number.unwrap_or_default().saturating_mul(1024)
}

fn pretty(text: &str) -> Option<String> {
    value(text, "PRETTY_NAME", '=').map(|name| name.trim_matches('"').to_owned())
}

fn load(text: &str) -> Vec<f64> {
    let numbers: Vec<f64> = text
        .split(' ')
        .take(3)
        .filter_map(|number| number.parse().ok())
        .collect();
    if numbers.len() == 3 { numbers } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_files_are_read_as_they_are_written() {
        let memory =
            "MemTotal:       24684092 kB\nMemFree:        22445280 kB\nMemAvailable:   23000000 kB\n";
        assert_eq!(kib(memory, "MemTotal"), 24_684_092 * 1024);
        assert_eq!(kib(memory, "MemAvailable"), 23_000_000 * 1024);
        assert_eq!(kib("", "MemTotal"), 0);
        assert_eq!(load("3.10 4.27 4.00 2/512 1234"), [3.1, 4.27, 4.0]);
        assert!(load("odd").is_empty());
        let processors = "processor\t: 0\nmodel name\t: AMD EPYC\nprocessor\t: 1\nmodel name\t: AMD EPYC\n";
        assert_eq!(value(processors, "model name", ':').as_deref(), Some("AMD EPYC"));
        assert_eq!(
            pretty("ID=debian\nPRETTY_NAME=\"Debian 13\"\n").as_deref(),
            Some("Debian 13")
        );
    }

    #[test]
    fn this_machine_says_what_clients_need() {
        let folder = tempfile::tempdir().unwrap();

        let info = info(folder.path(), Duration::from_secs(3));

        assert_eq!(info.uptime_ms, 3_000);
        assert!(
            info.cpu_count >= 1 && info.memory_total_bytes > info.memory_free_bytes,
            "{info:?}"
        );
        assert!(
            info.disk_total_bytes >= info.disk_available_bytes && info.disk_path.is_some(),
            "{info:?}"
        );
    }
}
