use super::*;

#[test]
fn an_empty_text_goes_back_to_the_default_and_what_is_not_named_stays() {
    let set = SessionsSet {
        key: "main".into(),
        label: Some("garden".into()),
        model: Some(String::new()),
        thinking: None,
        archived: Some(false),
        pinned: None,
    };

    assert_eq!(
        change(&set),
        json!({"key": "main", "label": "garden", "model": null, "archived": false})
    );
}

#[test]
fn a_message_of_blocks_is_read_by_its_texts() {
    let blocks = json!([{"type": "text", "text": "look:"}, {"type": "image"}]);

    assert_eq!(said(&blocks), "look:\n[image]");
    assert_eq!(said(&json!("plain")), "plain");
}
