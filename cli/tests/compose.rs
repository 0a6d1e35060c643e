//! Holds the rules of docker-compose.yml: what is published, who may write what, and what every container is denied.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is the failure")]

use std::{collections::BTreeMap, fs, path::Path};

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
        SERVICES.len() + 1,
        "the six services and the operator's forwarder"
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
            _ => assert!(ports.is_empty(), "{name} is published: {ports:?}"),
        }
        assert!(container["network_mode"].is_null(), "{name}");
    }
}

#[test]
fn services_wait_for_healthy_ones_and_say_how_they_are() {
    for (name, container) in containers(&compose()) {
        if name == "operator" {
            continue;
        }
        assert_eq!(
            strings(&container["healthcheck"]["test"]),
            ["CMD", "/usr/local/bin/gatehouse", "healthcheck", &name],
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

#[test]
fn each_volume_has_one_owner_and_only_config_writes_the_credential() {
    let compose = compose();
    let mut writers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, container) in containers(&compose) {
        for volume in strings(&container["volumes"]) {
            let parts: Vec<_> = volume.split(':').collect();
            assert_eq!(parts[1], format!("/data/{}", parts[0]), "{name}");
            if parts.get(2) != Some(&"ro") {
                writers.entry(parts[0].to_owned()).or_default().push(name.clone());
            }
        }
        let reads = strings(&container["volumes"])
            .iter()
            .any(|volume| volume.starts_with("credential:"));
        assert_eq!(
            reads,
            name != "operator",
            "{name}: every service shows the credential, the forwarder has none"
        );
    }

    let owners: Vec<_> = writers
        .iter()
        .map(|(volume, writers)| (volume.as_str(), writers.join(" ")))
        .collect();
    let owners: Vec<_> = owners
        .iter()
        .map(|(volume, writers)| (*volume, writers.as_str()))
        .collect();
    let expected = [
        ("channel-bridge", "channel-bridge"),
        ("config", "config"),
        ("credential", "config"),
        ("session", "session"),
    ];
    assert_eq!(owners, expected);
    assert_eq!(compose["volumes"].as_mapping().unwrap().len(), expected.len());
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

    assert_eq!(compose["networks"]["house"]["internal"], Value::from(true));
    for (name, container) in containers(&compose) {
        let out = strings(&container["networks"]).contains(&"outside".to_owned());
        assert_eq!(
            out,
            matches!(name.as_str(), "agent" | "channel-bridge" | "edge" | "operator"),
            "{name}"
        );
    }
}
