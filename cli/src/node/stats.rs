//! Figures of this machine, as operators see them beside a node.

use std::fs;

use serde_json::{Value, json};

/// What a node tells every minute. A figure that this machine does not tell is left out.
pub(crate) fn read() -> Value {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut stats = json!({ "cpuCount": processors });
    let mut set = |name: &str, value: Option<u64>| {
        if let (Some(value), Some(stats)) = (value, stats.as_object_mut()) {
            stats.insert(name.to_owned(), value.into());
        }
    };
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    set("memoryTotalBytes", kib(&memory, "MemTotal:"));
    set("memoryFreeBytes", kib(&memory, "MemAvailable:"));
    if let Ok(disk) = rustix::fs::statvfs("/") {
        set("diskTotalBytes", disk.f_blocks.checked_mul(disk.f_frsize));
        set("diskAvailableBytes", disk.f_bavail.checked_mul(disk.f_frsize));
    }
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<f64> = load
        .split(' ')
        .take(3)
        .filter_map(|word| word.parse().ok())
        .collect();
    if let (3, Some(stats)) = (load.len(), stats.as_object_mut()) {
        stats.insert("loadAverage".to_owned(), json!(load));
    }
    stats
}

/// A line of `/proc/meminfo`, in bytes.
fn kib(memory: &str, name: &str) -> Option<u64> {
    let line = memory.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.trim().split(' ').next()?.parse().ok()?;
    number.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_this_machine_are_told() {
        let stats = read();

        assert!(stats["cpuCount"].as_u64().unwrap() > 0);
        assert!(stats["memoryTotalBytes"].as_u64() > stats["memoryFreeBytes"].as_u64());
        assert_eq!(stats["loadAverage"].as_array().unwrap().len(), 3);
        assert_eq!(kib("MemTotal:   2 kB\n", "MemTotal:"), Some(2048));
        assert_eq!(kib("MemTotal: x\n", "MemTotal:"), None);
    }
}
