//! Nodes, what they were granted, and what they were asked for.

use super::*;
use crate::nodes::store::{HISTORY_MAX, KEPT_RESULT_BYTES_MAX, WAITING_MAX};
use crate::nodes::{
    Asker, Begun, End, Facts, HostStats, NewInvocation, NodeId, Payload, State, Surface, Trouble,
};

fn node(name: &str) -> NodeId {
    NodeId::new(name)
}

fn surface(commands: &[&str]) -> Surface {
    Surface {
        commands: commands.iter().map(|command| (*command).to_owned()).collect(),
        ..Surface::default()
    }
}

fn invocation(node: &NodeId, key: &str, expires_at: Option<Timestamp>) -> NewInvocation {
    NewInvocation {
        id: format!("i-{}-{key}", node.as_str()),
        node: node.clone(),
        command: "system.which".into(),
        params: Some("{}".into()),
        timeout_ms: 1_000,
        key: key.into(),
        fingerprint: vec![1],
        session_key: None,
        asker: Asker::default(),
        expires_at,
        now: T0,
    }
}

fn result(json: &str) -> Payload {
    Payload {
        json: Some(json.to_owned()),
        text: None,
    }
}

pub(super) async fn what_a_node_offers_waits_for_an_answer_and_more_asks_again(stores: &Stores) {
    let (nodes, a) = (&stores.nodes, node("a"));
    let connect = async |commands: &[&str], now| {
        nodes
            .connect(&a, Facts::default(), surface(commands), now)
            .await
            .unwrap()
            .unwrap()
    };

    let first = connect(&["x", "y"], T0).await;
    let request = first.node.request.clone().unwrap();
    assert!(first.asks && first.node.granted.is_none());
    let again = connect(&["x", "y"], T0.plus_ms(1)).await;
    assert!(!again.asks, "the same request stays");
    assert_eq!(again.node.request.as_ref().unwrap().id, request.id);
    assert_eq!(nodes.asking("nothing").await.unwrap(), None);

    let granted = nodes
        .answer(&request.id, true, T0.plus_ms(2))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (granted.granted, granted.request),
        (Some(surface(&["x", "y"])), None)
    );
    assert_eq!(
        nodes.answer(&request.id, true, T0.plus_ms(2)).await.unwrap(),
        None,
        "once"
    );
    assert!(
        !connect(&["x"], T0.plus_ms(3)).await.asks,
        "less is within what it has"
    );

    let more = connect(&["x", "z"], T0.plus_ms(4)).await;
    assert!(more.asks && more.node.granted == Some(surface(&["x", "y"])));
    let second = more.node.request.unwrap();
    assert_ne!(second.id, request.id);
    let refused = nodes
        .answer(&second.id, false, T0.plus_ms(5))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (refused.granted, refused.request),
        (Some(surface(&["x", "y"])), None)
    );
    assert_eq!(refused.created_at, Some(T0.plus_ms(2)));
    assert!(connect(&["x", "z"], T0.plus_ms(6)).await.asks, "it asks again");
    assert!(
        connect(&["x"], T0.plus_ms(7)).await.node.request.is_none(),
        "what it no longer offers"
    );
}

pub(super) async fn a_node_is_named_seen_and_forgotten_with_what_waited_for_it(stores: &Stores) {
    let (nodes, a) = (&stores.nodes, node("a"));
    nodes
        .connect(&a, Facts::default(), surface(&[]), T0)
        .await
        .unwrap();

    nodes.rename(&a, "kitchen".into()).await.unwrap().unwrap();
    assert_eq!(nodes.rename(&node("b"), "x".into()).await.unwrap(), None);
    let stats = HostStats {
        cpu_count: Some(4),
        load_average: vec![0.5],
        ..HostStats::default()
    };
    nodes.keep_stats(&a, stats.clone()).await.unwrap();
    nodes.host_sessions(&a, true).await.unwrap();
    nodes.disconnect(&a, T0.plus_ms(-1), T0.plus_ms(5)).await.unwrap();
    assert_eq!(
        nodes.node(&a).await.unwrap().unwrap().disconnected_at,
        None,
        "an older connection says nothing about a newer one"
    );
    nodes.disconnect(&a, T0, T0.plus_ms(6)).await.unwrap();
    nodes.seen(&a, "background", T0.plus_ms(9)).await.unwrap();

    let known = nodes.node(&a).await.unwrap().unwrap();
    assert_eq!(
        (known.display_name(), known.stats.clone(), known.session_host),
        (Some("kitchen"), Some(stats), true)
    );
    assert_eq!(
        (known.disconnected_at, known.seen_at, known.seen_reason.as_str()),
        (Some(T0.plus_ms(6)), T0.plus_ms(9), "background")
    );
    assert_eq!(nodes.nodes().await.unwrap().len(), 1);
    nodes
        .begin(invocation(&a, "k", Some(T0.plus_ms(99))))
        .await
        .unwrap();

    assert_eq!(nodes.under_way().await.unwrap(), (0, 1));
    let ended = nodes.forget(&a, T0.plus_ms(10)).await.unwrap().unwrap();
    assert_eq!((ended.len(), ended[0].state), (1, State::Error));
    assert_eq!(nodes.forget(&a, T0.plus_ms(10)).await.unwrap(), None);
    assert_eq!(nodes.under_way().await.unwrap(), (0, 0));

    assert_eq!(nodes.node(&a).await.unwrap(), None);
    let ended = nodes.known(&a, &Asker::default(), "k").await.unwrap().unwrap();
    assert_eq!(
        (ended.state, ended.trouble.unwrap().code.as_str()),
        (State::Error, "NODE_REMOVED")
    );
}

pub(super) async fn an_invocation_ends_once_and_a_repeat_is_told_how(stores: &Stores) {
    let (nodes, a) = (&stores.nodes, node("a"));
    assert_eq!(nodes.begin(invocation(&a, "k", None)).await.unwrap(), Begun::New);
    let Begun::Known(running) = nodes.begin(invocation(&a, "k", None)).await.unwrap() else {
        panic!("the key is known");
    };
    assert_eq!((running.state, running.started_at), (State::Running, Some(T0)));

    let done = End::ok(result("[1]"));
    assert!(nodes.end(&running.id, done, T0.plus_ms(1)).await.unwrap());
    let late = End::failed(State::Timeout, Trouble::new("TIMEOUT", "late"));
    assert!(
        !nodes.end(&running.id, late, T0.plus_ms(2)).await.unwrap(),
        "it had ended"
    );

    let known = nodes.known(&a, &Asker::default(), "k").await.unwrap().unwrap();
    assert_eq!(
        (known.state, known.ended_at, known.payload, known.trouble),
        (State::Ok, Some(T0.plus_ms(1)), Some(result("[1]")), None)
    );
    nodes.begin(invocation(&a, "large", None)).await.unwrap();
    let large = format!("\"{}\"", "x".repeat(KEPT_RESULT_BYTES_MAX));
    nodes
        .end("i-a-large", End::ok(result(&large)), T0.plus_ms(3))
        .await
        .unwrap();
    let known = nodes
        .known(&a, &Asker::default(), "large")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (known.state, known.payload),
        (State::Ok, None),
        "too large to keep"
    );
    let newest: Vec<_> = nodes.invocations(None, 9).await.unwrap();
    assert_eq!(
        newest.iter().map(|known| known.key.as_str()).collect::<Vec<_>>(),
        ["large", "k"]
    );
    assert_eq!(nodes.invocations(Some(node("b")), 9).await.unwrap(), []);
}

pub(super) async fn a_key_is_its_askers_own_on_one_node(stores: &Stores) {
    let (nodes, a) = (&stores.nodes, node("a"));
    let asker = |client: &str, device: Option<&str>, user: Option<&str>| Asker {
        client: Some(client.to_owned()),
        device: device.map(str::to_owned),
        user: user.map(str::to_owned),
    };
    let askers = [
        Asker::default(),
        asker("cli", None, None),
        asker("cli", Some("laptop"), None),
        asker("cli", None, Some("laptop")),
        asker("page", None, None),
    ];
    for (n, asker) in askers.iter().enumerate() {
        for node in [&a, &node("b")] {
            let new = NewInvocation {
                id: format!("{n} of {}", node.as_str()),
                asker: asker.clone(),
                ..invocation(node, "k", Some(T0.plus_ms(100)))
            };
            assert_eq!(nodes.begin(new).await.unwrap(), Begun::New, "{asker:?}");
        }
    }

    for (n, asker) in askers.iter().enumerate() {
        let known = nodes.known(&a, asker, "k").await.unwrap().unwrap();
        assert_eq!((known.id, &known.asker), (format!("{n} of a"), asker));
    }
    let waiting = nodes.waiting(&a, false, T0).await.unwrap();
    let whose: Vec<Asker> = waiting.into_iter().map(|waiting| waiting.asker).collect();
    assert_eq!(whose, askers);
}

pub(super) async fn what_waits_for_a_node_is_bounded_ordered_and_ends_with_its_time(stores: &Stores) {
    let (nodes, a) = (&stores.nodes, node("a"));
    for n in 0..WAITING_MAX {
        let at = T0.plus_ms(100 + i64::from(n));
        assert_eq!(
            nodes
                .begin(invocation(&a, &n.to_string(), Some(at)))
                .await
                .unwrap(),
            Begun::New
        );
    }
    assert_eq!(
        nodes
            .begin(invocation(&a, "more", Some(T0.plus_ms(1))))
            .await
            .unwrap(),
        Begun::Full
    );
    assert_eq!(
        nodes
            .begin(invocation(&node("b"), "more", Some(T0.plus_ms(500))))
            .await
            .unwrap(),
        Begun::New,
        "another node's place"
    );

    let waiting = nodes.waiting(&a, false, T0.plus_ms(100)).await.unwrap();
    assert_eq!(waiting.len(), 63, "the first one's time is over");
    assert_eq!(
        (waiting[0].key.as_str(), waiting[0].params.as_deref()),
        ("1", Some("{}"))
    );
    assert!(nodes.start(&waiting[0].id, T0.plus_ms(50)).await.unwrap());
    assert!(
        !nodes.start(&waiting[0].id, T0.plus_ms(50)).await.unwrap(),
        "once"
    );

    let expiring = nodes.expire(T0.plus_ms(162)).await.unwrap();
    assert_eq!(expiring.next, Some(T0.plus_ms(163)));
    assert!(expiring.ended.iter().all(|ended| ended.state == State::Timeout));
    assert!(
        expiring
            .ended
            .iter()
            .any(|ended| ended.id == "i-a-2" && ended.node == a)
    );
    let expired = nodes.known(&a, &Asker::default(), "2").await.unwrap().unwrap();
    assert_eq!(
        (expired.state, expired.trouble.unwrap().code.as_str()),
        (State::Timeout, "EXPIRED")
    );
    assert_eq!(
        nodes
            .known(&a, &Asker::default(), "1")
            .await
            .unwrap()
            .unwrap()
            .state,
        State::Running,
        "what runs has no such time"
    );
    assert_eq!(nodes.expire(T0.plus_ms(1_000)).await.unwrap().next, None);
}

pub(super) async fn what_is_put_off_waits_for_the_foreground_alone(stores: &Stores) {
    let (nodes, a) = (&stores.nodes, node("a"));
    nodes.begin(invocation(&a, "k", None)).await.unwrap();

    assert!(
        nodes
            .put_off("i-a-k", Some("[2]".into()), T0.plus_ms(10))
            .await
            .unwrap()
    );
    assert!(
        !nodes.put_off("i-a-k", None, T0.plus_ms(10)).await.unwrap(),
        "it runs no longer"
    );

    assert_eq!(nodes.waiting(&a, false, T0).await.unwrap(), []);
    let waiting = nodes.waiting(&a, true, T0).await.unwrap();
    assert_eq!(waiting[0].params.as_deref(), Some("[2]"));
    assert!(
        !nodes.start("i-a-k", T0).await.unwrap(),
        "the node fetches it itself"
    );
    assert!(nodes.end("i-a-k", End::ok(Payload::default()), T0).await.unwrap());
}

pub(super) async fn what_ran_when_the_process_ended_is_lost_and_what_waited_waits_on(stores: &Stores) {
    let (nodes, a) = (&stores.nodes, node("a"));
    nodes
        .connect(&a, Facts::default(), surface(&[]), T0)
        .await
        .unwrap();
    nodes.begin(invocation(&a, "ran", None)).await.unwrap();
    nodes
        .begin(invocation(&a, "waits", Some(T0.plus_ms(9))))
        .await
        .unwrap();

    assert_eq!(nodes.under_way().await.unwrap(), (1, 1));
    let lost = nodes.lose(T0.plus_ms(5)).await.unwrap();
    assert_eq!((lost.len(), lost[0].state), (1, State::Lost));
    assert_eq!(nodes.lose(T0.plus_ms(5)).await.unwrap(), []);

    assert_eq!(
        nodes
            .known(&a, &Asker::default(), "ran")
            .await
            .unwrap()
            .unwrap()
            .state,
        State::Lost
    );
    assert_eq!(
        nodes
            .known(&a, &Asker::default(), "waits")
            .await
            .unwrap()
            .unwrap()
            .state,
        State::Queued
    );
    assert_eq!(nodes.node(&a).await.unwrap().unwrap().disconnected_at, Some(T0));
}

pub(super) async fn old_invocations_are_forgotten_and_results_before_them(stores: &Stores) {
    let (nodes, a) = (&stores.nodes, node("a"));
    for (key, at) in [("old", T0), ("young", T0.plus_ms(100))] {
        nodes.begin(invocation(&a, key, None)).await.unwrap();
        nodes
            .end(&format!("i-a-{key}"), End::ok(result("1")), at)
            .await
            .unwrap();
    }

    assert_eq!(nodes.forget_invocations(T0.plus_ms(1), T0).await.unwrap(), 0);
    assert_eq!(
        nodes
            .known(&a, &Asker::default(), "old")
            .await
            .unwrap()
            .unwrap()
            .payload,
        None
    );
    assert!(
        nodes
            .known(&a, &Asker::default(), "young")
            .await
            .unwrap()
            .unwrap()
            .payload
            .is_some()
    );
    assert_eq!(nodes.forget_invocations(T0, T0.plus_ms(1)).await.unwrap(), 1);
    assert_eq!(nodes.known(&a, &Asker::default(), "old").await.unwrap(), None);
    const { assert!(HISTORY_MAX > 2, "both were within what is remembered") }
}
