use gatehouse_contract::{Grants, Role};

use super::*;

fn caller(role: &str, scopes: &[&str]) -> Caller {
    Caller {
        role: role.into(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        ..Caller::default()
    }
}

fn allowed(path: &str, identity: Identity, caller: Option<&Caller>) -> bool {
    decide(Map::core(), path, identity, caller).is_ok()
}

#[test]
fn whoever_is_not_listed_is_refused_for_every_method() {
    for method in Map::core().rpcs() {
        let listed = |identity: &Identity| method.callers.contains(identity);
        for identity in Identity::ALL.into_iter().filter(|identity| !listed(identity)) {
            let refusal = decide(Map::core(), &method.path, identity, None).unwrap_err();
            assert_eq!(refusal.kind, Kind::Forbidden);
            assert!(
                refusal.message.contains(identity.name()) && refusal.message.contains(&method.path),
                "{}",
                refusal.message
            );
        }
    }
}

#[test]
fn a_client_never_reaches_a_method_between_services_whatever_it_was_granted() {
    let all: Vec<_> = Grants::all(Role::Operator).scopes().collect();
    let internal = Map::core()
        .rpcs()
        .filter(|method| method.access == Access::Internal);
    for method in internal {
        for role in ["operator", "node", "internal", ""] {
            let client = caller(role, &all);
            for identity in Identity::ALL {
                assert!(
                    !allowed(&method.path, identity, Some(&client)),
                    "{identity}: {}",
                    method.path
                );
            }
        }
    }
}

#[test]
fn what_a_client_was_granted_is_checked_again_for_every_method() {
    let grants = [
        "read",
        "write",
        "admin",
        "pairing",
        "approvals",
        "questions",
        "everything",
    ];
    for method in Map::core().methods() {
        for scope in grants.map(|scope| format!("operator.{scope}")) {
            for role in ["operator", "node", "admin", ""] {
                let client = caller(role, &[&scope]);
                let granted = Role::parse(role)
                    .is_some_and(|role| method.access.allows(&Grants::new(role, [scope.as_str()])));
                assert_eq!(
                    allowed(&method.path, Identity::Edge, Some(&client)),
                    granted,
                    "{} for {role} with {scope}",
                    method.name
                );
            }
        }
    }
}

#[test]
fn the_agent_service_can_do_nothing_but_follow_its_configuration_and_say_how_it_is() {
    let may = |identity: Identity| -> Vec<&str> {
        Map::core()
            .rpcs()
            .filter(|method| allowed(&method.path, identity, None))
            .map(|method| method.path.rsplit('/').next().unwrap_or_default())
            .collect()
    };

    assert_eq!(may(Identity::Agent), ["ReportHealth", "WatchConfig"]);
    assert_eq!(
        may(Identity::Broadcast),
        ["ReportHealth", "WatchConfig", "SummariseSessions"]
    );
    assert_eq!(
        may(Identity::Config),
        ["GetPresence", "Publish", "ReportHealth", "ForgetNode"]
    );
    assert_eq!(
        may(Identity::ChannelBridge),
        [
            "ReportHealth",
            "DescribeChannel",
            "FetchMedia",
            "RunAccount",
            "TakeMedia",
            "WatchConfig",
            "KeepMedia",
            "ReadMedia",
            "DeliverMessage",
            "FindUnknownMessages",
            "FollowRun",
            "StopChat"
        ]
    );
    assert_eq!(
        may(Identity::Session),
        [
            "ListModels",
            "RunTurn",
            "Publish",
            "ReportHealth",
            "DropDeliveries",
            "EnqueueDelivery",
            "WatchConfig",
            "RemoveDeviceRole"
        ]
    );
    assert_eq!(
        may(Identity::Edge),
        [
            "ReportHealth",
            "ReportPresence",
            "Subscribe",
            "InspectWebhook",
            "ReceiveWebhook",
            "WatchConfig",
            "AdmitDevice",
            "WelcomeDevice",
            "AttachNode",
            "ServeHttp",
            "Configure",
            "Describe",
            "ReportPlugins",
            "InspectHook",
            "ReceiveHook",
            "OpenMedia"
        ]
    );
}

#[test]
fn what_does_not_exist_is_not_refused_here_and_a_claim_to_speak_for_a_client_is() {
    assert!(allowed("/nothing.v1.Nothing/Do", Identity::Agent, None));
    assert!(!allowed(
        "/nothing.v1.Nothing/Do",
        Identity::Agent,
        Some(&caller("operator", &[]))
    ));
    assert!(!allowed(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        Identity::Edge,
        None
    ));
}
