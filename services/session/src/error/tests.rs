use gatehouse_core::store::Trouble;

use super::*;

#[test]
fn a_caller_is_told_what_keeps_the_store_from_working_and_what_to_do() {
    let cause = store::Error::new(Kind::Unavailable, "/home/anna/session.db: error 13");

    let failure = Failure::from(Error::Store(cause.with_trouble(Some(Trouble::DiskFull))));

    assert_eq!(
        (failure.kind, failure.reason.as_deref()),
        (Kind::Unavailable, Some("DISK_FULL"))
    );
    assert!(failure.message.contains("disk is full") && failure.message.contains("free some space"));
    assert!(
        !failure.message.contains("anna"),
        "where it is concerns nobody but the operator"
    );
}
