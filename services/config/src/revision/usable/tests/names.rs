//! Entries by names that cannot be used.

use super::*;

#[test]
fn a_provider_that_no_name_of_a_model_could_reach_is_left_out() {
    let provider = json!({"baseUrl": "http://127.0.0.1:11434/v1"});
    let revision = read(
        &json!({"models": {"providers": {"": provider, " ": provider, "a/b": provider, "a.b": provider}}}),
    );

    let agent = cut(&revision, Reader::Agent);
    let left: Vec<&String> = agent["models"]["providers"]
        .as_object()
        .expect("there")
        .keys()
        .collect();
    assert_eq!(left, ["a.b"]);
    let found = warnings(&revision);
    assert!(
        found.len() == 3
            && found
                .iter()
                .all(|line| line.contains("models.providers") && line.contains("without a slash")),
        "{found:?}"
    );
}
