use super::*;

fn operator(scopes: &[&str]) -> Grants {
    Grants::new(Role::Operator, scopes.iter().copied())
}

#[test]
fn grants_cover_what_their_scopes_contain() {
    let covers = |had: &[&str], wanted: &[&str]| operator(had).covers(&operator(wanted));

    assert!(covers(
        &["operator.admin"],
        &["operator.pairing", "operator.read"]
    ));
    assert!(covers(&["operator.write"], &["operator.read"]) && covers(&[], &[]));
    assert!(!covers(&["operator.read"], &["operator.write"]));
    assert!(!covers(
        &["operator.write", "operator.pairing"],
        &["operator.admin"]
    ));
    assert!(!operator(&["operator.admin"]).covers(&Grants::new(Role::Node, [])));
}

#[test]
fn a_scope_opens_what_it_says_and_nothing_more() {
    let opened = |scope: &str| {
        let caller = operator(&[scope]);
        Access::ALL
            .into_iter()
            .filter(|access| access.allows(&caller))
            .collect::<Vec<_>>()
    };

    assert_eq!(opened("operator.read"), [Access::Connected, Access::Read]);
    assert_eq!(
        opened("operator.write"),
        [Access::Connected, Access::Read, Access::Write]
    );
    assert_eq!(opened("operator.pairing"), [Access::Connected, Access::Pairing]);
    assert_eq!(
        opened("operator.approvals"),
        [Access::Connected, Access::Approvals]
    );
    assert_eq!(
        opened("operator.questions"),
        [Access::Connected, Access::Questions]
    );
    assert_eq!(opened("operator.everything"), [Access::Connected]);
    assert_eq!(opened("operator.admin").len(), 7);
}

#[test]
fn a_node_passes_as_a_node_whatever_scopes_it_claims() {
    let node = Grants::all(Role::Node);

    let opened: Vec<_> = Access::ALL
        .into_iter()
        .filter(|access| access.allows(&node))
        .collect();

    assert_eq!(opened, [Access::Connected, Access::Node]);
    assert!(!Access::Node.allows(&Grants::all(Role::Operator)));
}

#[test]
fn internal_is_open_to_nobody() {
    assert!(!Access::Internal.allows(&Grants::all(Role::Operator)));
    assert!(!Access::Internal.allows(&Grants::all(Role::Node)));
}

#[test]
fn who_asks_gets_what_the_bound_allows_and_nothing_that_was_not_asked_for() {
    let asked = operator(&["operator.admin", "operator.read"]);
    let within = |bound: &[&str]| asked.within(&operator(bound)).scopes().collect::<Vec<_>>();

    assert_eq!(within(&["operator.read", "operator.pairing"]), ["operator.read"]);
    assert_eq!(
        within(&["operator.write"]),
        ["operator.read"],
        "writing contains reading"
    );
    assert_eq!(within(&["operator.admin"]), ["operator.read", "operator.admin"]);
    assert_eq!(within(&[]), [] as [&str; 0]);
    assert_eq!(operator(&[]).within(&asked).scopes().count(), 0);
}

#[test]
fn lower_means_that_somebody_new_passes() {
    assert!(Access::Read.is_lower_than(Access::Write));
    assert!(!Access::Write.is_lower_than(Access::Read));
    assert!(
        Access::Pairing.is_lower_than(Access::Read),
        "a pairing-only operator passes"
    );
    assert!(Access::Node.is_lower_than(Access::Internal));
    assert!(
        Access::ALL
            .into_iter()
            .all(|access| !access.is_lower_than(access))
    );
}
