//! A page of metrics as a value: read from what one process writes, joined with those of others, and written in either of the two forms
//! that scrapers ask for.
//!
//! A registry writes OpenMetrics alone. The older text form differs in how a counter and an info are named and in what it may say, so
//! it is made from the same value and cannot tell something else.

use std::fmt::Write as _;

use super::format::Format;

/// Metrics of one or several processes, in the order in which they were first met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub(super) families: Vec<Family>,
}

/// All samples of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Family {
    /// Without the ending of its samples: `_total` of a counter, `_info` of an info.
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) help: String,
    /// Lines as they were written: name, labels, value.
    pub(super) samples: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Info,
    Unknown,
}

impl Kind {
    fn read(word: &str) -> Self {
        match word {
            "counter" => Self::Counter,
            "gauge" => Self::Gauge,
            "histogram" => Self::Histogram,
            "info" => Self::Info,
            _ => Self::Unknown,
        }
    }

    const fn word(self, format: Format) -> &'static str {
        match (self, format) {
            (Self::Counter, _) => "counter",
            (Self::Gauge, _) | (Self::Info, Format::Text) => "gauge",
            (Self::Histogram, _) => "histogram",
            (Self::Info, Format::OpenMetrics) => "info",
            (Self::Unknown, Format::OpenMetrics) => "unknown",
            (Self::Unknown, Format::Text) => "untyped",
        }
    }
}

/// Why a text is no page of metrics.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} belongs to no metric, or the page does not end with `# EOF`")]
pub struct PageError {
    line: usize,
}

impl Page {
    /// Reads OpenMetrics as the registry of a service writes it.
    ///
    /// # Errors
    /// When a sample stands before the type of its family, or the end is missing: a page that was cut is worse than none.
    pub fn read(text: &str) -> Result<Self, PageError> {
        let (mut page, mut whole, mut lines) = (Self::default(), false, 0);
        for (index, line) in text.lines().enumerate() {
            lines = index + 1;
            let wrong = || PageError { line: index + 1 };
            let comment = line.strip_prefix("# ").map(|rest| rest.splitn(3, ' '));
            if let Some(mut words) = comment {
                match (words.next(), words.next(), words.next()) {
                    (Some("HELP"), Some(name), help) => {
                        page.family(name).help = help.unwrap_or_default().to_owned();
                    }
                    (Some("TYPE"), Some(name), Some(kind)) => page.family(name).kind = Kind::read(kind),
                    (Some("EOF"), None, None) => whole = true,
                    _ => {} // a unit: the name ends with it
                }
            } else {
                let family = page.families.last_mut().ok_or_else(wrong)?;
                if !line.starts_with(&family.name) {
                    return Err(wrong());
                }
                family.samples.push(line.to_owned());
            }
        }
        if whole {
            Ok(page)
        } else {
            Err(PageError { line: lines })
        }
    }

    /// Adds what another process says. Samples of one name stand together, as both forms want it.
    pub fn merge(&mut self, other: Self) {
        for family in other.families {
            let known = self.family(&family.name);
            if known.help.is_empty() {
                known.help = family.help;
            }
            if known.kind == Kind::Unknown {
                known.kind = family.kind;
            }
            known.samples.extend(family.samples);
        }
    }

    /// Adds one value of a gauge. Labels are constant words of ours.
    pub fn gauge(&mut self, name: &str, help: &str, label: (&str, &str), value: u64) {
        let family = self.family(name);
        family.kind = Kind::Gauge;
        if family.help.is_empty() {
            family.help = help.to_owned();
        }
        let (label, word) = label;
        family
            .samples
            .push(format!("{name}{{{label}=\"{word}\"}} {value}"));
    }

    /// Writes it.
    #[must_use]
    pub fn render(&self, format: Format) -> String {
        let mut out = String::new();
        for family in &self.families {
            let named = match (format, family.kind) {
                (Format::Text, Kind::Counter) => format!("{}_total", family.name),
                (Format::Text, Kind::Info) => format!("{}_info", family.name),
                _ => family.name.clone(),
            };
            // A String takes everything.
            let _ = writeln!(out, "# HELP {named} {}", family.help);
            let _ = writeln!(out, "# TYPE {named} {}", family.kind.word(format));
            for sample in &family.samples {
                out.push_str(sample);
                out.push('\n');
            }
        }
        if format == Format::OpenMetrics {
            out.push_str("# EOF\n");
        }
        out
    }

    /// The family of this name; a new one is the last.
    fn family(&mut self, name: &str) -> &mut Family {
        let index = self.families.iter().position(|family| family.name == name);
        let index = index.unwrap_or_else(|| {
            self.families.push(Family {
                name: name.to_owned(),
                kind: Kind::Unknown,
                help: String::new(),
                samples: Vec::new(),
            });
            self.families.len() - 1
        });
        self.families.get_mut(index).expect("it was found or added")
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::{
        encoding::text::encode,
        metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
        registry::Registry,
    };

    use super::*;

    /// One of each kind, as a service has them.
    fn written(service: &'static str) -> String {
        let mut registry = Registry::with_labels(std::iter::once(("service".into(), service.into())));
        let counted = Family::<[(String, String); 1], Counter>::default();
        let label = [(
            "reason".to_owned(),
            "a \"quoted\" {brace} \\ and\nline".to_owned(),
        )];
        counted.get_or_create(&label).inc();
        registry.register("frames", "Frames so far", counted);
        registry.register("waiting", "Waiting now", Gauge::<i64>::default());
        let seconds = Histogram::new([0.1, 1.0]);
        seconds.observe(0.5);
        registry.register("request_seconds", "From frame to answer", seconds);
        registry.register("build", "What runs", Info::new(vec![("version", "1")]));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn pages_of_two_processes_become_one_with_a_family_once() {
        let mut page = Page::read(&written("session")).unwrap();
        page.merge(Page::read(&written("agent")).unwrap());

        let text = page.render(Format::OpenMetrics);

        for once in [
            "# TYPE frames counter",
            "# TYPE request_seconds histogram",
            "# TYPE build info",
            "# EOF",
        ] {
            assert_eq!(text.matches(once).count(), 1, "{once}: {text}");
        }
        for service in ["session", "agent"] {
            assert!(
                text.contains(&format!("waiting{{service=\"{service}\"}} 0")),
                "{text}"
            );
        }
        assert_eq!(Page::read(&text).unwrap(), page, "what is written can be read");
    }

    #[test]
    fn the_older_form_names_counters_and_infos_as_prometheus_stores_them() {
        let text = Page::read(&written("session")).unwrap().render(Format::Text);

        for line in [
            "# TYPE frames_total counter",
            "# HELP frames_total Frames so far.",
            "# TYPE waiting gauge",
            "# TYPE request_seconds histogram",
            "request_seconds_bucket{service=\"session\",le=\"+Inf\"} 1",
            "# TYPE build_info gauge",
            "build_info{service=\"session\",version=\"1\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
        assert!(
            !text.contains("# EOF") && !text.contains("info\n# TYPE build info"),
            "{text}"
        );
    }

    #[test]
    fn a_page_that_was_cut_is_refused() {
        let text = written("session");
        let half = text.split_at(text.len() / 2).0;

        assert!(Page::read(half).is_err());
        assert!(Page::read("stray 1\n# EOF\n").is_err());
        assert!(Page::read("").is_err());
    }

    #[test]
    fn a_gauge_can_be_added_to_what_the_processes_say() {
        let mut page =
            Page::read("# HELP up Whether.\n# TYPE up gauge\nup{service=\"a\"} 1\n# EOF\n").unwrap();

        page.gauge("up", "Whether it answers.", ("service", "b"), 0);

        assert_eq!(
            page.render(Format::Text),
            "# HELP up Whether.\n# TYPE up gauge\nup{service=\"a\"} 1\nup{service=\"b\"} 0\n"
        );
    }
}
