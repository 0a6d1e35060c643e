use super::*;

#[tokio::test]
async fn the_same_message_sent_twenty_times_at_once_is_one_turn() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let sends = (0..20).map(|_| running.engine.submit(message("r1", "hi")));

    let taken = futures::future::join_all(sends).await;

    assert_eq!(
        taken
            .iter()
            .filter(|taken| !taken.as_ref().unwrap().duplicate)
            .count(),
        1
    );
    bench.call().await.done().await;
    running.end_of("r1").await;
    assert!(matches!(
        running.engine.submit(message("r1", "other")).await,
        Err(Error::RequestConflict)
    ));
    let again = running.engine.submit(message("r1", "hi")).await.unwrap();
    assert_eq!((again.duplicate, again.turn.state), (true, TurnState::Done));
    time::sleep(Duration::from_millis(50)).await;
    assert!(bench.calls.try_recv().is_err());
}

#[tokio::test]
async fn two_engines_on_one_store_run_one_turn_of_a_session_at_a_time() {
    let mut bench = Bench::new().await;
    bench.stores.sharing = shared();
    let mut engines: Vec<Running> = (0..2).map(|_| bench.run("{}")).collect();
    for n in 0..30 {
        let running = engines.get(n % 2).unwrap();
        let message = Admission {
            key: key(&format!("s{}", n % 3)),
            ..message(&format!("r{n}"), "hi")
        };
        running.engine.submit(message).await.unwrap();
    }

    let mut open: Vec<crate::testing::Call> = Vec::new();
    for _ in 0..30 {
        let call = bench.call().await;
        open.push(call);
        // While calls are open, each belongs to another session.
        let mut sessions = Vec::new();
        for call in &open {
            sessions.push(
                bench
                    .stores
                    .turns
                    .find(&RunId::new(&*call.request.run_id))
                    .await
                    .unwrap()
                    .unwrap()
                    .key,
            );
        }
        let all = sessions.len();
        sessions.sort();
        sessions.dedup();
        assert_eq!(sessions.len(), all);
        if open.len() == 3 || bench.calls.is_empty() {
            open.remove(0).done().await;
        }
    }
    for call in open {
        call.done().await;
    }
    until("all turns to end", async || {
        for n in 0..30 {
            if !state(&bench, &format!("r{n}")).await.is_terminal() {
                return false;
            }
        }
        true
    })
    .await;

    for running in &mut engines {
        running.die();
    }
    for n in 0..30 {
        let run = format!("r{n}");
        assert_eq!(
            engines.iter().map(|running| running.ends(&run)).sum::<usize>(),
            1,
            "{run}"
        );
    }
}

#[tokio::test]
async fn a_run_whose_lease_was_taken_says_nothing_more() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    running.engine.submit(message("r1", "hi")).await.unwrap();
    let call = bench.call().await;
    call.text("half").await;
    running
        .see("the text", |seen| seen.label().starts_with("chat delta"))
        .await;

    let thief = Reclaim {
        owner: Owner::new("thief"),
        others_are_dead: true,
        held: Vec::new(),
        notice: gatehouse_core::ForPeople::new("cut short"),
        limits: RunLimits {
            attempts_max: 3,
            shown_max: 1,
        },
        now: running.engine.now(),
        lease_until: running.engine.now().plus_ms(15_000),
    };
    assert_eq!(bench.stores.turns.reclaim(thief).await.unwrap().ended.len(), 1);
    call.cancelled().await;

    time::sleep(Duration::from_millis(50)).await;
    running.rest();
    assert_eq!(running.ends("r1"), 0, "the thief says the end");
}

#[tokio::test]
async fn a_clock_that_jumps_takes_nothing_from_a_living_run_and_holds_up_nobody() {
    let jumps = [3_600_000, 31_536_000_000, -3_600_000, -31_536_000_000];
    for (jump, sharing) in jumps
        .into_iter()
        .flat_map(|jump| [(jump, Sharing::Exclusive), (jump, shared())])
    {
        let mut bench = Bench::new().await;
        bench.clock = Clock::fixed(Clock::system().now_ms());
        // The dispatcher looks before the run renews its lease: the order that used to cost the answer.
        bench.timing.renew = Duration::from_secs(3);
        bench.timing.look = Duration::from_millis(20);
        bench.stores.sharing = sharing;
        let mut running = bench.run("{}");
        running.engine.submit(message("r1", "one")).await.unwrap();
        let call = bench.call().await;
        call.text("half").await;
        running.sees_text("half").await;
        running.engine.submit(message("r2", "two")).await.unwrap();

        bench.clock.advance_ms(jump);

        until("the lease by the new time", async || {
            let turn = bench.stores.turns.find(&RunId::new("r1")).await.unwrap().unwrap();
            turn.lease_until == Some(bench.clock.now() + bench.timing.lease)
        })
        .await;
        call.text(" and half").await;
        call.done().await;
        assert_eq!(running.end_of("r1").await.state(), State::Final, "{jump}");
        assert_eq!(
            rows(&bench).await.get(2),
            Some(&(Role::Assistant, "half and half".to_owned()))
        );
        bench.call().await.done().await;
        assert_eq!(running.end_of("r2").await.state(), State::Final, "{jump}");
    }
}
