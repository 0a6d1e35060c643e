use super::*;

#[test]
fn an_edge_that_was_asked_for_any_port_gets_its_own_again_and_another_one_when_that_is_taken() {
    let run = tempfile::tempdir().unwrap();
    let file = run.path().join("edge.url");
    assert_eq!(last_port(&file), None, "the first one takes any");
    fs::write(&file, "ws://[::1]:4321\n").unwrap();

    assert_eq!(last_port(&file), Some(4321));
    assert_eq!(
        last_port(&file),
        None,
        "the last one has written none: it did not get it"
    );
}

#[test]
fn every_service_is_stopped_in_one_step() {
    for service in Service::ALL {
        let steps = STEPS.iter().filter(|step| step.contains(&service));
        assert_eq!(steps.count(), 1, "{service}");
    }
}
