//! Holds the rules of docker-compose.yml: what is published, who may write what, and what every container is denied.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is the failure")]

use std::{collections::BTreeMap, fs, path::Path};

use gatehouse_core::drain::plan;
use serde_yaml_ng::Value;

const SERVICES: [&str; 6] = [
    "config",
    "broadcast",
    "agent",
    "session",
    "channel-bridge",
    "edge",
];

fn compose() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docker-compose.yml");
    let mut compose: Value = serde_yaml_ng::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    // Once for each level: a merged mapping may bring a merge of its own.
    compose.apply_merge().unwrap();
    compose.apply_merge().unwrap();
    compose
}

fn containers(compose: &Value) -> BTreeMap<String, Value> {
    let services = compose["services"].as_mapping().unwrap();
    services
        .iter()
        .map(|(name, service)| (name.as_str().unwrap().to_owned(), service.clone()))
        .collect()
}

fn strings(value: &Value) -> Vec<String> {
    value
        .as_sequence()
        .into_iter()
        .flatten()
        .map(|item| item.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn each_service_is_a_container_of_the_one_image() {
    let compose = compose();
    let containers = containers(&compose);

    for name in SERVICES {
        assert_eq!(containers[name]["image"], Value::from("gatehouse"), "{name}");
        assert_eq!(strings(&containers[name]["command"]), [name]);
    }
    assert_eq!(
        containers.len(),
        SERVICES.len() + 2,
        "the six services, the operator's forwarder and the command line"
    );
}

#[test]
fn every_container_is_denied_what_it_does_not_need() {
    for (name, container) in containers(&compose()) {
        assert_eq!(
            container["read_only"],
            Value::from(true),
            "{name}: read-only root"
        );
        assert_eq!(
            strings(&container["cap_drop"]),
            ["ALL"],
            "{name}: no capabilities"
        );
        assert!(
            container["cap_add"].is_null() && container["privileged"].is_null(),
            "{name}: none given back"
        );
        assert_eq!(
            strings(&container["security_opt"]),
            ["no-new-privileges:true"],
            "{name}"
        );
        assert!(
            container["user"].is_null(),
            "{name}: the image's own user, which is not root"
        );
        assert!(container["mem_limit"].is_string(), "{name}: bounded memory");
        assert!(container["pids_limit"].is_number(), "{name}: bounded processes");
        assert_eq!(
            container["logging"]["options"]["max-file"],
            Value::from("5"),
            "{name}: bounded logs"
        );
        for volume in strings(&container["volumes"]) {
            assert!(
                !volume.contains("docker.sock") && !volume.starts_with('/'),
                "{name}: {volume}"
            );
        }
    }
}

#[test]
fn what_names_a_collector_is_handed_to_every_service() {
    let containers = containers(&compose());

    for name in SERVICES {
        let environment = containers[name]["environment"].as_mapping().unwrap();
        for variable in [
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "OTEL_EXPORTER_OTLP_HEADERS",
            "OTEL_TRACES_SAMPLER",
            "OTEL_TRACES_SAMPLER_ARG",
            "OTEL_RESOURCE_ATTRIBUTES",
            "OTEL_SDK_DISABLED",
        ] {
            let value = environment.get(variable);
            assert_eq!(
                value,
                Some(&Value::Null),
                "{name}: {variable} is that of whoever runs compose"
            );
        }
        let own = environment.get("OTEL_SERVICE_NAME");
        assert!(
            own.is_none(),
            "{name}: one name for all would make six services one"
        );
    }
}

#[test]
fn only_the_edge_is_published_and_only_on_this_machine() {
    for (name, container) in containers(&compose()) {
        let ports = strings(&container["ports"]);
        match name.as_str() {
            "edge" => assert_eq!(
                ports,
                ["${GATEHOUSE_PUBLISH:-127.0.0.1}:${GATEHOUSE_PORT:-18789}:18789"]
            ),
            "operator" => {
                assert_eq!(
                    strings(&container["profiles"]),
                    ["operator"],
                    "only when asked for"
                );
                assert!(
                    !ports.is_empty() && ports.iter().all(|port| port.starts_with("127.0.0.1:")),
                    "{ports:?}"
                );
            }
            "cli" => {
                assert_eq!(strings(&container["profiles"]), ["cli"], "only when asked for");
                assert!(ports.is_empty(), "{ports:?}");
            }
            _ => assert!(ports.is_empty(), "{name} is published: {ports:?}"),
        }
        assert!(container["network_mode"].is_null(), "{name}");
    }
}

#[test]
fn services_wait_for_healthy_ones_and_say_how_they_are() {
    for (name, container) in containers(&compose()) {
        if matches!(name.as_str(), "operator" | "cli") {
            continue;
        }
        assert_eq!(
            strings(&container["healthcheck"]["test"]),
            [
                "CMD",
                "/usr/local/bin/gatehouse",
                "healthcheck",
                &name,
                "--kill-after",
                "30"
            ],
            "{name}"
        );
        let waits = container["depends_on"].as_mapping().cloned().unwrap_or_default();
        assert_eq!(
            waits.is_empty(),
            name == "config",
            "{name}: everybody but the first waits"
        );
        for (on, condition) in &waits {
            assert_eq!(
                condition["condition"],
                Value::from("service_healthy"),
                "{name} waits for {on:?}"
            );
        }
    }
}

/// What a container may read or write: volume, folder, and whether it is read-only.
fn mounts(container: &Value) -> Vec<(String, String, bool)> {
    let mount = |text: &String| {
        let parts: Vec<_> = text.split(':').collect();
        (
            parts[0].to_owned(),
            parts[1].to_owned(),
            parts.get(2) == Some(&"ro"),
        )
    };
    strings(&container["volumes"]).iter().map(mount).collect()
}

/// Compose starts a service after those it depends on, and stops it before them; services that do not depend on each other are
/// stopped at the same time.
#[test]
fn services_are_stopped_as_gatehouse_up_stops_them() {
    let containers = containers(&compose());
    let depends = |name: &str, on: &str| !containers[name]["depends_on"][on].is_null();

    for first in ["session", "edge"] {
        for second in ["agent", "broadcast", "channel-bridge"] {
            assert!(
                depends(first, second) && !depends(second, first),
                "{first} before {second}"
            );
        }
    }
    assert!(
        !depends("edge", "session") && !depends("session", "edge"),
        "together, so that screens see the end of answers"
    );
    for name in SERVICES {
        assert_eq!(depends(name, "config"), name != "config", "{name} before config");
    }
}

#[test]
fn a_container_is_given_the_time_that_its_end_may_take() {
    let seconds = |text: &str| -> u64 {
        let text = text.rsplit_once(":-").map_or(text, |(_, default)| default);
        text.trim_end_matches('}').trim_end_matches('s').parse().unwrap()
    };
    for (name, container) in containers(&compose()) {
        let given = seconds(container["stop_grace_period"].as_str().unwrap());
        let takes = match name.as_str() {
            "session" | "edge" => plan::ANSWERS_DEFAULT + plan::FIRST,
            "config" | "operator" => plan::THIRD,
            _ => plan::SECOND,
        };
        assert!(
            given > takes.as_secs(),
            "{name}: {given} s, and its end may take {takes:?}"
        );
    }
}

#[test]
fn each_volume_has_one_owner() {
    let compose = compose();
    let mut writers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, container) in containers(&compose) {
        for (volume, folder, read_only) in mounts(&container) {
            let place = volume.replace("credential-", "credential/");
            assert_eq!(folder, format!("/data/{place}"), "{name}");
            if !read_only {
                writers.entry(volume).or_default().push(name.clone());
            }
        }
    }

    let declared = compose["volumes"].as_mapping().unwrap();
    assert_eq!(writers.len(), declared.len());
    for (volume, writers) in &writers {
        let owners = match volume.as_str() {
            "session" | "channel-bridge" => vec![volume.as_str()],
            "secrets" => vec!["cli", "config"], // a person's command keeps the keys that it is given
            _ => vec!["config"],
        };
        assert_eq!(writers, &owners, "{volume}");
    }
}

#[test]
fn a_service_reads_its_own_credential_and_the_digests_of_the_others() {
    for (name, container) in containers(&compose()) {
        let mut credentials: Vec<_> = mounts(&container)
            .into_iter()
            .filter(|(volume, ..)| volume.starts_with("credential"))
            .collect();
        credentials.sort();
        match name.as_str() {
            // Makes them all, that of operators' tools too.
            "config" => assert_eq!(credentials.len(), SERVICES.len() + 2),
            "operator" | "cli" => assert_eq!(credentials, [], "{name} is no service"),
            _ => {
                let mut expected = ["digests", &name].map(|place| {
                    let volume = format!("credential-{place}");
                    (volume, format!("/data/credential/{place}"), true)
                });
                expected.sort();
                assert_eq!(credentials, expected, "{name}");
            }
        }
    }
}

#[test]
fn the_image_has_a_folder_for_each_volume() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/Dockerfile");
    let image = fs::read_to_string(path).unwrap();

    for (name, container) in containers(&compose()) {
        for (_, folder, _) in mounts(&container) {
            let folder = folder.trim_start_matches("/data/");
            let made = image
                .split(|c: char| c.is_whitespace() || c == ';')
                .any(|word| word == folder);
            assert!(
                made,
                "{name}: without {folder} in the image the volume would be root's"
            );
        }
    }
}

#[test]
fn every_service_finds_every_other_where_it_listens() {
    let containers = containers(&compose());
    for name in SERVICES {
        let environment = &containers[name]["environment"];
        for peer in SERVICES.into_iter().filter(|peer| *peer != "edge") {
            let variable = format!("GATEHOUSE_{}_ADDRESS", peer.replace('-', "_").to_uppercase());
            assert_eq!(
                environment[&*variable],
                Value::from(format!("tcp:{peer}:7000")),
                "{name}"
            );
        }
        let listens = environment["GATEHOUSE_LISTEN"].as_str();
        assert_eq!(listens, (name != "edge").then_some("tcp:0.0.0.0:7000"), "{name}");
    }
}

#[test]
fn services_that_talk_to_nobody_outside_have_no_way_out() {
    let compose = compose();

    assert_eq!(compose["networks"]["gateway"]["internal"], Value::from(true));
    for (name, container) in containers(&compose) {
        let out = strings(&container["networks"]).contains(&"outside".to_owned());
        assert_eq!(
            out,
            matches!(
                name.as_str(),
                "agent" | "channel-bridge" | "edge" | "operator" | "cli"
            ),
            "{name}"
        );
    }
}
