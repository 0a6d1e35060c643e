use super::{User, said_at, without_name, words};

#[test]
fn a_text_is_read_as_a_person_sees_it() {
    let anna = User {
        id: "7".into(),
        username: "anna7".into(),
        global_name: Some("Anna".into()),
        bot: false,
    };
    for (text, seen) in [
        ("plain < text", "plain < text"),
        ("<@7> and <@!7> and <@8>", "@Anna and @Anna and <@8>"),
        ("hi <:wave:123> <a:dance:45>", "hi :wave: :dance:"),
        ("<https://a.b>", "<https://a.b>"),
    ] {
        assert_eq!(words(text, std::slice::from_ref(&anna)), seen, "{text}");
    }
    assert_eq!(without_name("<@!7>, /new", "7"), "/new");
    assert_eq!(without_name("<@77> hi", "7"), "<@77> hi");
    assert_eq!(without_name("<@7>", "7"), "<@7>");
}

/// The example of Discord's own documentation ("Snowflakes").
#[test]
fn when_a_message_was_said_stands_in_its_number() {
    assert_eq!(said_at("175928847299117063"), 1_462_015_105_796);
}
