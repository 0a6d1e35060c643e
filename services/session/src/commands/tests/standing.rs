//! Who may do what with a command.

use super::*;
use crate::agents::ModelName;
use gatehouse_core::Timestamp;

#[tokio::test]
async fn a_stranger_in_a_chat_changes_nothing_and_is_told_so_in_the_chat() {
    let mut bench = Bench::new().await;
    let mut running = bench.run(CONFIG);
    let in_chat = |run: &str, text: &str| Admission {
        reply: Reply::To(room("anna")),
        inbound: Some(InboundKey {
            channel: "irc".to_owned(),
            account: "home".to_owned(),
            message: run.to_owned(),
        }),
        ..message(run, text)
    };
    let stranger = Speaker::of_test_chat(Standing::Anybody, true, true);

    said(&running, &stranger, in_chat("r1", "/model fast"))
        .await
        .unwrap();
    let told = ended_with(&mut running, "r1").await;
    said(&running, &stranger, in_chat("r2", "/reset")).await.unwrap();
    running.end_of("r2").await;
    said(&running, &stranger, in_chat("r3", "/whoami")).await.unwrap();
    let known = ended_with(&mut running, "r3").await;

    assert!(
        told.starts_with("/model: Only those who were let in by name"),
        "{told}"
    );
    assert!(known.contains("irc:anna"), "{known}");
    let session = session_of(&running).await;
    assert_eq!((session.model_override, session.first_seq), (None, 1));
    let replies = running
        .engine
        .stores()
        .deliveries
        .waiting(Timestamp::MAX, 10)
        .await
        .unwrap();
    assert_eq!(replies.len(), 3, "each is answered in the chat");

    let known = Speaker::of_test_chat(Standing::Listed, true, true);
    said(&running, &known, in_chat("r4", "/model fast"))
        .await
        .unwrap();
    running.end_of("r4").await;
    let session = session_of(&running).await;
    assert_eq!(session.model_override, Some(ModelName::known("p/two")));
    bench.calls.close();
    assert!(bench.calls.recv().await.is_none(), "no model was asked");
}

#[tokio::test]
async fn a_client_begins_a_conversation_anew_only_with_the_scope_of_the_method_that_does_it() {
    let bench = Bench::new().await;
    let mut running = bench.run(CONFIG);
    let client = |scope: &str| {
        let caller = Caller {
            role: "operator".to_owned(),
            scopes: vec![scope.to_owned()],
            ..Caller::default()
        };
        Speaker::client(Some(caller), false)
    };

    let refused = said(&running, &client("operator.write"), message("r1", "/reset")).await;
    assert!(matches!(
        refused,
        Err(Error::Scope {
            scope: "operator.admin",
            ..
        })
    ));
    said(&running, &client("operator.write"), message("r2", "/queue"))
        .await
        .unwrap();
    running.end_of("r2").await;
    said(&running, &client("operator.admin"), message("r3", "/reset"))
        .await
        .unwrap();

    assert_eq!(
        ended_with(&mut running, "r3").await,
        "A new conversation begins here."
    );
}
