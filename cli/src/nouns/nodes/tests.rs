use super::*;

#[test]
fn a_request_is_named_by_a_beginning_or_the_name_of_its_node_or_by_being_the_only_one() {
    let asking = |request: &str, node: &str, name: &str| json!({"requestId": request, "nodeId": node, "displayName": name});
    let pending = [
        asking("r10", "aa11", "pi"),
        asking("r20", "aa22", "pi"),
        asking("r21", "bb", "tv"),
    ];
    let mut all: Waiting = serde_json::from_value(json!({ "pending": pending })).unwrap();
    let meant = |all: &Waiting, named| all.meant(named).map(|asking| asking.request_id.clone());

    for (named, request) in [("r1", "r10"), ("aa2", "r20"), ("tv", "r21"), ("b", "r21")] {
        assert_eq!(meant(&all, Some(named)).unwrap(), request, "{named}");
    }
    for named in ["pi", "aa", "r2"] {
        assert_eq!(
            meant(&all, Some(named)).unwrap_err().exit,
            Exit::Usage,
            "{named} may be two"
        );
    }
    assert_eq!(meant(&all, Some("zz")).unwrap_err().exit, Exit::Failed);
    assert_eq!(meant(&all, None).unwrap_err().exit, Exit::Usage);
    all.pending.truncate(1);
    assert_eq!(meant(&all, None).unwrap(), "r10");
    all.pending.clear();
    assert_eq!(meant(&all, None).unwrap_err().exit, Exit::Failed);
}
