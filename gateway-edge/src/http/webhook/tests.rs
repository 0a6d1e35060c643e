use super::*;

#[test]
fn a_path_names_a_channel_and_an_account_letter_by_letter() {
    assert_eq!(target("/webhooks/webhook/home"), Some(("webhook", "home")));
    for bad in [
        "/webhooks/",
        "/webhooks/a",
        "/webhooks/a/",
        "/webhooks//b",
        "/webhooks/a/b/c",
        "/webhooks/../b",
        "/webhooks/a/%2e%2e",
        "/webhooks/a/.b",
        "/webhooks/a/b ",
        "/other/a/b",
    ] {
        assert_eq!(target(bad), None, "{bad}");
    }
}
