use super::*;

#[test]
fn names_of_skills_and_tools_are_told_from_what_is_none() {
    for good in ["a", "read-mail", "x9"] {
        assert!(is_skill_name(good), "{good}");
    }
    for bad in ["", "-a", "a-", "a--b", "A", "a b", "a/b"] {
        assert!(!is_skill_name(bad), "{bad}");
    }
    assert!(is_tool_name("Read_mail-2"));
    assert!(!is_tool_name("2read") && !is_tool_name("") && !is_tool_name("a.b"));
}
