//! The standard variables of OpenTelemetry, as far as they are read here. A value that cannot be followed is a mistake: the SDK would
//! go on with a default, and somebody who wanted one trace in a hundred would pay for all.

use tonic::transport::Endpoint;

use super::{Env, Mistake, SettingsError};

/// Where the collector is. Unset, nothing is recorded.
pub(super) const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// The same for traces alone.
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
/// Switches everything off.
pub(super) const DISABLED: &str = "OTEL_SDK_DISABLED";
/// `otlp` or `none`.
const TRACES_EXPORTER: &str = "OTEL_TRACES_EXPORTER";
/// How a collector is spoken to.
pub(super) const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
/// Which traces are recorded.
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
/// How many of them.
const SAMPLER_ARG: &str = "OTEL_TRACES_SAMPLER_ARG";
/// What the process is called.
pub(super) const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";

/// Where traces go, and how many.
#[derive(Clone, Debug, PartialEq)]
pub struct Traces {
    /// The collector.
    pub endpoint: String,
    /// Which traces are recorded.
    pub sampling: Sampling,
    /// What the process calls itself; unset, `gatehouse-<service>`.
    pub service_name: Option<String>,
}

/// Which traces are recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Whether what the step before decided holds.
    pub follows_parent: bool,
    /// The share of traces that begin here, from 0 to 1.
    pub ratio: f64,
}

impl Traces {
    /// Reads the variables; `None` when nothing is to be exported.
    ///
    /// # Errors
    /// Every variable that is set and cannot be followed.
    pub fn read(env: &Env) -> Result<Option<Self>, SettingsError> {
        let mut mistakes = Vec::new();
        let disabled = word(env, DISABLED, &["true", "false"], &mut mistakes) == Some("true");
        let none = word(env, TRACES_EXPORTER, &["otlp", "none"], &mut mistakes) == Some("none");
        let sampling = sampling(env, &mut mistakes);
        let found = endpoint(env, &[TRACES_ENDPOINT, ENDPOINT], &mut mistakes);
        if found.is_some() {
            word(env, PROTOCOL, &["grpc"], &mut mistakes);
        }
        if !mistakes.is_empty() {
            return Err(SettingsError(mistakes));
        }
        Ok(found.filter(|_| !disabled && !none).map(|text| Self {
            endpoint: text.to_owned(),
            sampling,
            service_name: env.get(SERVICE_NAME).map(str::to_owned),
        }))
    }
}

/// The first of these variables that is set.
pub(super) fn endpoint<'e>(env: &'e Env, names: &[&str], mistakes: &mut Vec<Mistake>) -> Option<&'e str> {
    let (name, text) = names.iter().find_map(|name| Some((name, env.get(name)?)))?;
    if let Err(problem) = check(text) {
        mistakes.push(Mistake::new(name, text, problem));
    }
    Some(text)
}

fn check(text: &str) -> Result<(), String> {
    let expected =
        "write the address of an OTLP collector that speaks gRPC, for example http://localhost:4317";
    let endpoint = Endpoint::from_shared(text.to_owned()).map_err(|_| expected.to_owned())?;
    match endpoint.uri().scheme_str() {
        Some("http" | "https") => Ok(()),
        _ => Err(expected.to_owned()),
    }
}

pub(super) fn word<'e>(
    env: &'e Env,
    name: &str,
    words: &[&str],
    mistakes: &mut Vec<Mistake>,
) -> Option<&'e str> {
    let text = env.get(name)?;
    let known = words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if !known {
        mistakes.push(Mistake::new(name, text, format!("write {}", words.join(" or "))));
    }
    known.then_some(text)
}

fn sampling(env: &Env, mistakes: &mut Vec<Mistake>) -> Sampling {
    let name = env.get(SAMPLER).unwrap_or("parentbased_always_on");
    let (follows_parent, root) = match name.strip_prefix("parentbased_") {
        Some(root) => (true, root),
        None => (false, name),
    };
    let ratio = match root {
        "always_on" => 1.0,
        "always_off" => 0.0,
        "traceidratio" => share(env, mistakes),
        _ => {
            let words = "write always_on, always_off or traceidratio, each also with parentbased_ before it";
            mistakes.push(Mistake::new(SAMPLER, name, words));
            0.0
        }
    };
    Sampling {
        follows_parent,
        ratio,
    }
}

fn share(env: &Env, mistakes: &mut Vec<Mistake>) -> f64 {
    let text = env.get(SAMPLER_ARG).unwrap_or("1.0");
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => share,
        Ok(_) | Err(_) => {
            let words = "write a share from 0 to 1, for example 0.01 for one trace in a hundred";
            mistakes.push(Mistake::new(SAMPLER_ARG, text, words));
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLLECTOR: (&str, &str) = (ENDPOINT, "http://localhost:4317");

    fn read(variables: &[(&str, &str)]) -> Result<Option<Traces>, String> {
        Traces::read(&Env::of(variables.iter().copied())).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_is_exported_until_a_collector_is_named_and_nothing_switches_it_off() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[(SAMPLER, "always_on")]), Ok(None));
        assert_eq!(read(&[COLLECTOR, (DISABLED, "true")]), Ok(None));
        assert_eq!(read(&[COLLECTOR, (TRACES_EXPORTER, "none")]), Ok(None));
        let found = read(&[COLLECTOR, (DISABLED, "false"), (SERVICE_NAME, "home")]);
        let found = found.unwrap().expect("a collector is named");
        assert_eq!(found.endpoint, COLLECTOR.1);
        assert_eq!(found.service_name.as_deref(), Some("home"));
        let of_traces = read(&[COLLECTOR, (TRACES_ENDPOINT, "https://traces:4317")]).unwrap();
        assert_eq!(
            of_traces.map(|found| found.endpoint),
            Some("https://traces:4317".into())
        );
    }

    #[test]
    fn the_sampler_is_the_one_that_was_named() {
        let sampling = |variables: &[(&str, &str)]| {
            let found = read(&[&[COLLECTOR], variables].concat()).unwrap();
            let Sampling {
                follows_parent,
                ratio,
            } = found.expect("a collector is named").sampling;
            (follows_parent, ratio.to_string())
        };
        assert_eq!(sampling(&[]), (true, "1".into()));
        assert_eq!(sampling(&[(SAMPLER, "always_off")]), (false, "0".into()));
        let share = [(SAMPLER, "parentbased_traceidratio"), (SAMPLER_ARG, "0.01")];
        assert_eq!(sampling(&share), (true, "0.01".into()));
    }

    #[test]
    fn a_value_that_cannot_be_followed_is_refused_with_what_to_write() {
        for (name, value, needed) in [
            (ENDPOINT, "localhost", "http://localhost:4317"),
            (ENDPOINT, "ftp://localhost:21", "http://localhost:4317"),
            (SAMPLER, "xray", "traceidratio"),
            (SAMPLER, "parentbased_jaeger_remote", "traceidratio"),
            (PROTOCOL, "http/protobuf", "grpc"),
            (DISABLED, "yes", "true or false"),
            (TRACES_EXPORTER, "zipkin", "otlp or none"),
        ] {
            let refused = read(&[(TRACES_ENDPOINT, "http://localhost:4317"), (name, value)])
                .and_then(|_| read(&[COLLECTOR, (name, value)]))
                .expect_err(value);
            assert!(
                refused.contains(name) && refused.contains(needed),
                "{value}: {refused}"
            );
        }
        for share in ["2", "-1", "NaN", "some"] {
            let refused =
                read(&[COLLECTOR, (SAMPLER, "traceidratio"), (SAMPLER_ARG, share)]).expect_err(share);
            assert!(refused.contains("0.01"), "{refused}");
        }
    }
}
