//! Whether metrics are sent to a collector, by the standard variables of OpenTelemetry.

use std::time::Duration;

use super::{
    Env, Mistake, SettingsError,
    traces::{DISABLED, ENDPOINT, PROTOCOL, SERVICE_NAME, endpoint, word},
};

/// The collector of metrics alone.
const METRICS_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";
/// `otlp` or `none`.
const METRICS_EXPORTER: &str = "OTEL_METRICS_EXPORTER";
/// How often, in milliseconds.
const INTERVAL: &str = "OTEL_METRIC_EXPORT_INTERVAL";
/// What the collector asks of those who send.
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";

/// The standard's own default.
const EVERY: Duration = Duration::from_secs(60);

/// A page is read whole each time: more often than this is work for nothing.
const EVERY_MIN: Duration = Duration::from_secs(1);

/// Where metrics go, and how often.
#[derive(Clone, PartialEq, Eq)]
pub struct PushedMetrics {
    /// The collector.
    pub endpoint: String,
    /// What is sent with each page; a key of the collector may be among it.
    pub headers: Vec<(String, String)>,
    /// How often.
    pub every: Duration,
    /// What the process calls itself; unset, `gatehouse-<service>`.
    pub service_name: Option<String>,
}

impl std::fmt::Debug for PushedMetrics {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("PushedMetrics")
            .field("endpoint", &self.endpoint)
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}

impl PushedMetrics {
    /// Reads the variables; `None` when nothing is to be sent.
    ///
    /// # Errors
    /// Every variable that is set and cannot be followed.
    pub fn read(env: &Env) -> Result<Option<Self>, SettingsError> {
        let mut mistakes = Vec::new();
        let disabled = word(env, DISABLED, &["true", "false"], &mut mistakes) == Some("true");
        let none = word(env, METRICS_EXPORTER, &["otlp", "none"], &mut mistakes) == Some("none");
        let found = endpoint(env, &[METRICS_ENDPOINT, ENDPOINT], &mut mistakes);
        if found.is_some() {
            word(env, PROTOCOL, &["grpc"], &mut mistakes);
        }
        let every = every(env, &mut mistakes);
        let headers = headers(env, &mut mistakes);
        if !mistakes.is_empty() {
            return Err(SettingsError(mistakes));
        }
        Ok(found.filter(|_| !disabled && !none).map(|endpoint| Self {
            endpoint: endpoint.to_owned(),
            headers,
            every,
            service_name: env.get(SERVICE_NAME).map(str::to_owned),
        }))
    }
}

fn every(env: &Env, mistakes: &mut Vec<Mistake>) -> Duration {
    let Some(text) = env.get(INTERVAL) else {
        return EVERY;
    };
    let every = text.parse().ok().map(Duration::from_millis);
    every.filter(|every| *every >= EVERY_MIN).unwrap_or_else(|| {
        mistakes.push(Mistake::new(INTERVAL, text, "write milliseconds, at least 1000"));
        EVERY
    })
}

fn headers(env: &Env, mistakes: &mut Vec<Mistake>) -> Vec<(String, String)> {
    let text = env.get(HEADERS).unwrap_or_default();
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
    let read: Option<Vec<_>> = pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=')?;
            Some((name.trim().to_owned(), value.trim().to_owned()))
        })
        .collect();
    read.unwrap_or_else(|| {
        // A key may be in it, so it is not repeated.
        mistakes.push(Mistake::new(HEADERS, "...", "write name=value,name=value"));
        Vec::new()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLLECTOR: (&str, &str) = (ENDPOINT, "http://localhost:4317");

    fn read(variables: &[(&str, &str)]) -> Result<Option<PushedMetrics>, String> {
        PushedMetrics::read(&Env::of(variables.iter().copied())).map_err(|error| error.to_string())
    }

    #[test]
    fn metrics_are_sent_where_a_collector_is_named_and_nothing_switches_it_off() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[COLLECTOR, (DISABLED, "true")]), Ok(None));
        assert_eq!(read(&[COLLECTOR, (METRICS_EXPORTER, "none")]), Ok(None));
        let found = read(&[COLLECTOR, (HEADERS, "api-key=k, tenant=home"), (INTERVAL, "2000")]);
        let found = found.unwrap().expect("a collector is named");
        assert_eq!(found.every, Duration::from_secs(2));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(found.headers, [pair("api-key", "k"), pair("tenant", "home")]);
        assert!(!format!("{found:?}").contains("api-key"), "a key is not shown");
    }

    #[test]
    fn what_cannot_be_followed_is_refused_and_no_key_is_repeated() {
        let refused = read(&[COLLECTOR, (INTERVAL, "10")]).expect_err("too often");
        assert!(refused.contains("at least 1000"), "{refused}");
        let refused = read(&[COLLECTOR, (HEADERS, "s3cret")]).expect_err("no name");
        assert!(
            refused.contains("name=value") && !refused.contains("s3cret"),
            "{refused}"
        );
    }
}
