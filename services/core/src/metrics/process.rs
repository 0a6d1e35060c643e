//! What every process says of itself: that it runs and what, whether it serves, and what it takes of the machine. The names are those
//! of every Prometheus client library, so that dashboards for processes work without a change. All of it is read when somebody asks.
//! A collector writes its help as it stands: the full stop, which the registry adds to the others, is ours.

use std::{
    fmt, fs,
    time::{SystemTime, UNIX_EPOCH},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge, info::Info},
    registry::{Registry, Unit},
};
use rustix::{
    process::{Resource, getrlimit},
    time::{ClockId, clock_gettime},
};

use crate::health::Health;

/// Puts it into a registry. The process counts as started now.
pub fn register(registry: &mut Registry, health: Option<Health>) {
    registry.register(
        "gatehouse_build",
        "What runs, by its version",
        Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]),
    );
    registry.register_collector(Box::new(Process {
        started: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |since| since.as_secs_f64()),
        health,
    }));
}

/// Read at each scrape.
#[derive(Debug)]
struct Process {
    started: f64,
    health: Option<Health>,
}

impl Collector for Process {
    fn encode(&self, mut out: DescriptorEncoder<'_>) -> fmt::Result {
        gauge(
            &mut out,
            "gatehouse_up",
            "Whether the process answers.",
            1.0,
            None,
        )?;
        if let Some(health) = &self.health {
            let serves = f64::from(u8::from(health.current().serves()));
            gauge(
                &mut out,
                "gatehouse_serving",
                "Whether the service serves, in full or in part, by its own word.",
                serves,
                None,
            )?;
        }
        let (name, help) = ("process_start_time", "When the process started, since 1970.");
        gauge(&mut out, name, help, self.started, Some(&Unit::Seconds))?;

        let spent = clock_gettime(ClockId::ProcessCPUTime);
        #[expect(clippy::cast_precision_loss, reason = "a process lives for less than 2^52 s")]
        let seconds = spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9;
        let spent = ConstCounter::new(seconds);
        spent.encode(out.encode_descriptor(
            "process_cpu",
            "Time of processors that the process has spent.",
            Some(&Unit::Seconds),
            spent.metric_type(),
        )?)?;

        let memory = Memory::read();
        let bytes = Some(&Unit::Bytes);
        for (name, help, value, unit) in [
            (
                "process_resident_memory",
                "Memory that is in use.",
                memory.resident,
                bytes,
            ),
            (
                "process_virtual_memory",
                "Addresses that are in use.",
                memory.virtual_,
                bytes,
            ),
            ("process_threads", "Threads.", memory.threads, None),
            (
                "process_open_fds",
                "Files and sockets that are open.",
                open_files(),
                None,
            ),
            (
                "process_max_fds",
                "How many may be open.",
                getrlimit(Resource::Nofile).current,
                None,
            ),
        ] {
            // What this system does not tell is left out.
            if let Some(value) = value {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "gauges are floats: 2^53 bytes are exact"
                )]
                gauge(&mut out, name, help, value as f64, unit)?;
            }
        }
        Ok(())
    }
}

fn gauge(
    out: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: f64,
    unit: Option<&Unit>,
) -> fmt::Result {
    let gauge = ConstGauge::new(value);
    gauge.encode(out.encode_descriptor(name, help, unit, gauge.metric_type())?)
}

/// Of `/proc/self/status`, where there is one.
#[derive(Default)]
struct Memory {
    resident: Option<u64>,
    virtual_: Option<u64>,
    threads: Option<u64>,
}

impl Memory {
    fn read() -> Self {
        Self::of(&fs::read_to_string("/proc/self/status").unwrap_or_default())
    }

    fn of(status: &str) -> Self {
        let field = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Self {
            resident: field("VmRSS:").map(|kib| kib * 1024),
            virtual_: field("VmSize:").map(|kib| kib * 1024),
            threads: field("Threads:"),
        }
    }
}

/// The folder itself is open while it is read.
fn open_files() -> Option<u64> {
    let count = fs::read_dir("/proc/self/fd").ok()?.count();
    Some(u64::try_from(count).unwrap_or(u64::MAX).saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn scraped(registry: &Registry) -> String {
        let mut text = String::new();
        encode(&mut text, registry).unwrap();
        text
    }

    fn value(text: &str, name: &str) -> f64 {
        let line = text
            .lines()
            .find(|line| line.split([' ', '{']).next() == Some(name));
        let line = line.unwrap_or_else(|| panic!("{name} is missing: {text}"));
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    }

    #[test]
    fn a_process_says_what_runs_and_what_it_takes() {
        let health = Health::new();
        let mut registry = Registry::default();
        register(&mut registry, Some(health.clone()));

        let starting = scraped(&registry);
        health.serving();
        let serving = scraped(&registry);

        assert_eq!(value(&starting, "gatehouse_serving"), 0.0);
        assert_eq!(value(&serving, "gatehouse_serving"), 1.0);
        assert_eq!(value(&serving, "gatehouse_up"), 1.0);
        assert!(
            serving.contains(&format!(
                "gatehouse_build_info{{version=\"{}\"}} 1",
                env!("CARGO_PKG_VERSION")
            )),
            "{serving}"
        );
        assert!(value(&serving, "process_cpu_seconds_total") > 0.0);
        assert!(value(&serving, "process_start_time_seconds") > 1.7e9);
        assert!(value(&serving, "process_resident_memory_bytes") > 1e6);
        assert!(
            value(&serving, "process_virtual_memory_bytes")
                > value(&serving, "process_resident_memory_bytes")
        );
        assert!(value(&serving, "process_threads") >= 1.0);
        assert!(value(&serving, "process_open_fds") >= 3.0);
        assert!(value(&serving, "process_max_fds") >= value(&serving, "process_open_fds"));
    }

    #[test]
    fn a_system_that_tells_nothing_is_asked_for_nothing() {
        let memory = Memory::of("");
        assert!(memory.resident.is_none() && memory.threads.is_none());
        assert_eq!(
            Memory::of("Name:\tx\nVmRSS:\t    12 kB\n").resident,
            Some(12 * 1024)
        );
    }
}
