use super::*;

#[test]
fn a_failure_survives_the_wire_with_its_details() {
    let failure = Failure::new(Kind::Precondition, "the document changed")
        .reason("CONFIG_CHANGED")
        .path("/baseHash")
        .retry_after(Duration::from_millis(1500))
        .detail("hash", "abc");

    assert_eq!(Failure::from_status(&Status::from(failure.clone())), failure);
}

#[test]
fn a_bare_status_is_a_bare_failure() {
    assert_eq!(
        Failure::from_status(&Status::not_found("no such thing")),
        Failure::new(Kind::NotFound, "no such thing")
    );
}

#[test]
fn a_chain_names_every_cause() {
    #[derive(Debug, thiserror::Error)]
    #[error("outer step failed")]
    struct Outer(#[source] std::io::Error);

    assert_eq!(
        Chain(&Outer(std::io::Error::other("disk gone"))).to_string(),
        "outer step failed: disk gone"
    );
}
