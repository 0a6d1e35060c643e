//! How people see that they were heard.

use super::*;

#[tokio::test]
async fn a_message_that_is_going_to_be_answered_is_reacted_to_once_where_somebody_wants_that() {
    for (policy, reacted) in [
        (
            json!({"dmPolicy": "open", "allowFrom": ["anna"], "ackReaction": "👀"}),
            1,
        ),
        (json!({"dmPolicy": "open", "allowFrom": ["anna"]}), 0),
    ] {
        let (_folder, stores) = stores();
        let bench = bench(&stores, &policy);
        bench.hear("1", "anna").await;
        bench.hear("2", "bert").await;
        bench.takes(1).await;
        bench.hear("1", "anna").await;
        bench.counts(Fate::Refused, 1).await;

        if reacted > 0 {
            until("a reaction", async || {
                (!bench.puppet.reacted.lock().unwrap().is_empty()).then_some(())
            })
            .await;
        }
        let seen = bench.puppet.reacted.lock().unwrap().clone();
        assert_eq!(seen.len(), reacted, "{seen:?}");
        assert!(
            seen.iter()
                .all(|(message, emoji)| (message.as_str(), emoji.as_str()) == ("1", "👀"))
        );
    }
}
