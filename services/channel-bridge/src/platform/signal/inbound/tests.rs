use super::{Me, Mention, words};

#[test]
fn names_stand_where_they_were_counted_in_utf16() {
    let me = Me {
        number: "+1".into(),
        uuid: Some("us".into()),
    };
    let mention = |start: usize, uuid: &str, name: &str| Mention {
        name: Some(name.into()),
        uuid: Some(uuid.into()),
        start,
        length: 1,
        ..Mention::default()
    };

    assert_eq!(
        words("🎉 \u{fffc} came", &[mention(3, "anna", "Anna")], &me),
        "🎉 @Anna came"
    );
    assert_eq!(words("\u{fffc}, /new", &[mention(0, "us", "Gate")], &me), "/new");
    assert_eq!(
        words("so \u{fffc}?", &[mention(3, "us", "Gate")], &me),
        "so @Gate?"
    );
    assert_eq!(words("short", &[mention(90, "us", "Gate")], &me), "short@Gate");
    assert_eq!(words("plain", &[], &me), "plain");
    assert_eq!(words("\u{fffc}", &[mention(0, "us", "Gate")], &me), "@Gate");
    assert_eq!(words("\u{fffc} ?", &[mention(0, "us", "Gate")], &me), "?");
}
