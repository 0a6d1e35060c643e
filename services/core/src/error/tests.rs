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
fn a_fault_of_ours_is_told_to_the_log_when_it_is_answered_and_not_when_it_is_made() {
    #[derive(Clone, Default)]
    struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let text = || String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .finish();

    tracing::subscriber::with_default(subscriber, || {
        let failure = Failure::internal(&std::io::Error::other("disk gone"));
        assert_eq!(
            (failure.message.as_str(), text().as_str()),
            ("internal failure", "")
        );

        let status = Status::from(failure);

        assert_eq!(
            (status.code(), status.message()),
            (Code::Internal, "internal failure")
        );
        assert!(!format!("{status:?}").contains("disk gone"), "{status:?}");
        assert_eq!(text().matches("disk gone").count(), 1, "{}", text());
    });
}

#[test]
fn a_refusal_for_good_stays_one_over_the_wire_and_its_kind_stays_what_it_is() {
    let failure = Failure::new(Kind::Unavailable, "SYSTEM_RUN_DENIED: not allowed on this node").for_good();

    let read = Failure::from_status(&Status::from(failure.clone()));

    assert_eq!(read, failure);
    assert!(!read.retryable() && read.details.is_empty());
    assert!(Failure::new(Kind::Unavailable, "away").retryable());
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
