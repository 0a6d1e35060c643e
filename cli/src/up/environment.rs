//! What each service inherits of our environment. Secrets are in it, and are for the config service alone: whoever reads the
//! environment of another process, or makes it run something, finds none there. So the others get what is listed here.

use std::collections::{BTreeMap, BTreeSet};

use gatehouse_core::{Env, Service, settings::SECRET_ENDS};

/// What programs on this system expect: where things are, which language and time, how a terminal is, what is trusted.
const COMMON: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TZDIR",
    "TMPDIR",
    "TERM",
    "NO_COLOR",
    "HOSTNAME",
    "XDG_RUNTIME_DIR",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "RUST_LOG",
    "RUST_BACKTRACE",
    "RUST_LIB_BACKTRACE",
];

/// The same, by how they begin: locales, memory allocators.
const COMMON_PREFIXES: &[&str] = &["LC_", "MALLOC_", "_RJEM_", "MIMALLOC_"];

/// The way out, which may have a password in it: for those who call models and platforms.
const PROXIES: &[&str] = &["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];

/// The settings of OpenTelemetry, with what the collector asks of those who send: all processes send their traces.
const TRACES: &str = "OTEL_";

/// What a process calls itself to the collector.
const TRACED_AS: &str = "OTEL_SERVICE_NAME";

/// Where the edge says its address.
const RUN: &str = "GATEHOUSE_RUN_DIR";

/// Settings of our processes.
const OWN: &str = "GATEHOUSE_";

/// Our names that are for client commands, or for one process that we do not start.
const NOT_FOR_SERVICES: &[&str] = &[
    "GATEHOUSE_TLS_FINGERPRINT",
    "GATEHOUSE_TOKEN",
    "GATEHOUSE_TOKEN_FILE",
    "GATEHOUSE_URL",
    "GATEHOUSE_LISTEN",
    "GATEHOUSE_METRICS_LISTEN",
    "GATEHOUSE_CREDENTIAL",
];

/// Our environment, and what of it is a secret.
#[derive(Debug)]
pub(super) struct Inherited {
    env: Env,
    /// The variables that the configuration names as secrets.
    secrets: BTreeSet<String>,
}

impl Inherited {
    pub(super) fn new(env: &Env, secrets: BTreeSet<String>) -> Self {
        Self {
            env: env.clone(),
            secrets,
        }
    }

    /// What a service inherits.
    pub(super) fn by(&self, service: Service) -> BTreeMap<String, String> {
        let passed = self.env.iter().filter(|(name, _)| self.passes(name, service));
        passed
            .map(|(name, value)| match name {
                // One name for all would make one service of six.
                TRACED_AS => (name.to_owned(), format!("{value}-{service}")),
                _ => (name.to_owned(), value.to_owned()),
            })
            .collect()
    }

    /// What the commands of plugins inherit: what any program expects, and nothing of the gateway's.
    pub(super) fn by_plugins(&self) -> BTreeMap<String, String> {
        let passed = self.env.iter().filter(|(name, _)| {
            let expected =
                COMMON.contains(name) || COMMON_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
            expected && (!self.secrets.contains(*name) || matches!(*name, "PATH" | "HOME"))
        });
        passed
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// The same for the process that tells the network where we are, and where our sockets are.
    pub(super) fn by_discovery(&self) -> BTreeMap<String, String> {
        let mut passed = self.by_plugins();
        let run = self.env.get(RUN).map(|run| (RUN.to_owned(), run.to_owned()));
        passed.extend(run);
        passed
    }

    fn passes(&self, name: &str, service: Service) -> bool {
        // An address meant for one process would be taken by all six.
        let is_address = Service::ALL.iter().any(|service| {
            name == format!(
                "GATEHOUSE_{}_ADDRESS",
                service.name().replace('-', "_").to_uppercase()
            )
        });
        if is_address || NOT_FOR_SERVICES.contains(&name) {
            return false;
        }
        if service == Service::Config {
            return true;
        }
        if self.secrets.contains(name) && name != "PATH" && name != "HOME" {
            return false;
        }
        if let Some(own) = name.strip_prefix(OWN) {
            return !own.starts_with("SECRET_") && !SECRET_ENDS.iter().any(|end| own.ends_with(end));
        }
        let calls_out = match service {
            Service::Agent | Service::ChannelBridge => true,
            Service::Edge | Service::Session | Service::Config | Service::Broadcast => false,
        };
        COMMON.contains(&name)
            || name.starts_with(TRACES)
            || COMMON_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || (calls_out && PROXIES.contains(&name.to_ascii_uppercase().as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inherited() -> Inherited {
        let env = Env::of([
            ("PATH", "/bin"),
            ("TZ", "UTC"),
            ("LC_ALL", "C"),
            ("https_proxy", "http://me:word@proxy"),
            ("OPENROUTER_API_KEY", "named in the document"),
            ("GATEHOUSE_NAMED", "named in the document"),
            ("GATEHOUSE_SECRET_A", "a secret by its name"),
            ("GATEHOUSE_BOT_TOKEN", "a secret by its name"),
            ("AWS_SECRET_ACCESS_KEY", "nobody's business"),
            ("ANYTHING", "nobody's business"),
            ("GATEHOUSE_LOG", "debug"),
            ("GATEHOUSE_CREDENTIAL_DIR", "/run/credential"),
            ("GATEHOUSE_CREDENTIAL", "/run/one"),
            ("GATEHOUSE_TOKEN", "of a client"),
            ("GATEHOUSE_URL", "ws://elsewhere"),
            ("GATEHOUSE_METRICS_LISTEN", "127.0.0.1:9000"),
            ("GATEHOUSE_CHANNEL_BRIDGE_ADDRESS", "tcp:x:1"),
            ("GATEHOUSE_LISTEN", "tcp:x:1"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4317"),
            ("OTEL_SERVICE_NAME", "home"),
        ]);
        let named = ["OPENROUTER_API_KEY", "GATEHOUSE_NAMED", "PATH"];
        Inherited::new(&env, named.map(str::to_owned).into())
    }

    #[test]
    fn secrets_are_in_the_environment_of_the_config_service_alone() {
        let secrets = [
            "OPENROUTER_API_KEY",
            "GATEHOUSE_NAMED",
            "GATEHOUSE_SECRET_A",
            "GATEHOUSE_BOT_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "ANYTHING",
        ];
        for service in Service::ALL {
            let environment = inherited().by(service);
            for name in secrets {
                assert_eq!(
                    environment.contains_key(name),
                    service == Service::Config,
                    "{service}: {name}"
                );
            }
            for name in [
                "PATH",
                "TZ",
                "LC_ALL",
                "GATEHOUSE_LOG",
                "GATEHOUSE_CREDENTIAL_DIR",
            ] {
                assert!(environment.contains_key(name), "{service}: {name}");
            }
        }
    }

    #[test]
    fn a_plugin_finds_what_any_program_expects_and_nothing_of_the_gateways() {
        let names: Vec<String> = inherited().by_plugins().into_keys().collect();

        assert_eq!(names, ["LC_ALL", "PATH", "TZ"]);
    }

    #[test]
    fn all_services_send_their_traces_and_each_has_a_name_of_its_own() {
        for service in Service::ALL {
            let environment = inherited().by(service);
            assert!(
                environment.contains_key("OTEL_EXPORTER_OTLP_ENDPOINT"),
                "{service}"
            );
            assert_eq!(environment["OTEL_SERVICE_NAME"], format!("home-{service}"));
        }
    }

    #[test]
    fn what_is_meant_for_one_process_does_not_reach_the_others() {
        for service in Service::ALL {
            let environment = inherited().by(service);
            for name in [
                "GATEHOUSE_TOKEN",
                "GATEHOUSE_URL",
                "GATEHOUSE_CHANNEL_BRIDGE_ADDRESS",
                "GATEHOUSE_CREDENTIAL",
                "GATEHOUSE_LISTEN",
                "GATEHOUSE_METRICS_LISTEN",
            ] {
                assert!(!environment.contains_key(name), "{service}: {name}");
            }
        }
        assert!(inherited().by(Service::Agent).contains_key("https_proxy"));
        assert!(!inherited().by(Service::Session).contains_key("https_proxy"));
    }
}
