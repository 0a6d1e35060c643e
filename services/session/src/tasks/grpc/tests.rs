use super::*;

#[test]
fn a_client_asks_for_one_state_or_a_list_and_for_no_other() {
    let asked = |status: &str| states(Some(status)).unwrap().unwrap();

    assert_eq!(asked(r#""queued""#), [TurnState::Queued]);
    assert_eq!(
        asked(r#"["running","failed"]"#),
        [
            TurnState::Leased,
            TurnState::Running,
            TurnState::Failed,
            TurnState::Interrupted
        ]
    );
    assert_eq!(asked(r#""timed_out""#), []);
    assert_eq!(states(Some("null")).unwrap(), None);
    assert_eq!(states(None).unwrap(), None);
    for wrong in [r#""nope""#, r#"["queued",1]"#, "{}", "7"] {
        assert!(matches!(states(Some(wrong)), Err(Error::Field { .. })), "{wrong}");
    }
}
