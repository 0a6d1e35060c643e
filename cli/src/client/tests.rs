use super::*;

#[test]
fn a_command_asks_for_the_least_that_its_methods_need() {
    assert_eq!(scopes(&["sessions.list"]), ["operator.read"]);
    assert_eq!(
        scopes(&["config.get", "config.patch"]),
        ["operator.admin", "operator.read"]
    );
    assert_eq!(
        scopes(&["chat.history", "chat.send", "chat.abort"]),
        ["operator.read", "operator.write"]
    );
    assert_eq!(scopes(&[]), ["operator.read"]);
}

#[test]
fn a_method_that_only_the_gateway_knows_may_need_any_scope() {
    let all: Vec<_> = Grants::all(Role::Operator).scopes().collect();

    assert_eq!(scopes(&["sessions.list", "kitchen.boil"]), all);
}
