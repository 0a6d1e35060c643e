use super::*;

#[tokio::test]
async fn words_are_found_in_what_somebody_may_read_and_nowhere_else() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&bench, &running);
    exchange(
        &mut bench,
        &mut running,
        "r1",
        "where is the Harbour?",
        "The harbour is in the north, next to the mill.",
    )
    .await;
    let mut hers = message("r2", "my harbour is a secret");
    hers.key = key("diary");
    hers.seed.user = Some("anna".to_owned());
    running.engine.submit(hers).await.unwrap();
    bench.call().await.done().await;
    running.end_of("r2").await;
    let search = async |user: Option<&str>, query: &str, keys: &[&str], limit: i64| {
        let mut request = Request::new(SearchSessionsRequest {
            query: query.to_owned(),
            session_keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            limit: Some(limit),
            ..SearchSessionsRequest::default()
        });
        if let Some(user) = user {
            let caller = Caller {
                role: "operator".to_owned(),
                scopes: vec!["operator.read".to_owned()],
                user_id: Some(user.to_owned()),
                ..Caller::default()
            };
            caller.attach(request.metadata_mut());
        }
        grpc.search_sessions(request).await.map(Response::into_inner)
    };
    let keys = |found: &SearchSessionsResponse| -> Vec<String> {
        found.results.iter().map(|hit| hit.session_key.clone()).collect()
    };

    let all = search(None, "HARBOUR", &[], 10).await.unwrap();
    let berts = search(Some("bert"), "harbour", &[], 10).await.unwrap();
    let both = search(Some("bert"), "mill harbour", &["main"], 10).await.unwrap();
    let first = search(None, "harbour", &[], 1).await.unwrap();

    assert_eq!((all.results.len(), all.truncated), (3, false));
    assert!(all.results.is_sorted_by(|a, b| a.score >= b.score));
    assert_eq!(keys(&berts), ["agent:main:main", "agent:main:main"]);
    let [hit] = both.results.as_slice() else {
        panic!("{both:?}")
    };
    assert_eq!(hit.role, "assistant");
    assert_eq!(hit.snippet, "The harbour is in the north, next to the mill.");
    assert_eq!((first.results.len(), first.truncated), (1, true));
    let refused = search(Some("bert"), "harbour", &["agent:main:diary"], 10).await;
    assert_eq!(refusal(refused.map(Response::new)).0, Kind::Forbidden);
    assert_eq!(
        refusal(search(None, " ", &[], 10).await.map(Response::new)).0,
        Kind::Invalid
    );
}
