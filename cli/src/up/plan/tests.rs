use super::*;

#[test]
fn a_taken_port_is_said_with_another_one() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port();

    let failed = port_is_free(Ipv4Addr::LOCALHOST.into(), port).expect_err("it is taken");

    assert!(failed.to_string().contains("--port"), "{failed}");
    drop(holder);
    port_is_free(Ipv4Addr::LOCALHOST.into(), port).unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_port_of_a_gateway_that_is_just_ending_is_waited_for() {
    let dying = TcpListener::bind("127.0.0.1:0").unwrap();
    let door = dying.local_addr().unwrap();
    tokio::spawn(async move {
        sleep(PREDECESSOR / 2).await;
        drop(dying);
    });

    port_is_free_in_time(door).await.expect("it ended in time");

    let _other = TcpListener::bind(door).unwrap();
    let began = Instant::now();
    port_is_free_in_time(door).await.expect_err("it goes on");
    assert!(began.elapsed() < PREDECESSOR + Duration::from_secs(1));
}

#[test]
fn an_address_of_another_machine_is_said() {
    let failed =
        port_is_free("192.0.2.1".parse().unwrap(), 0).expect_err("documentation addresses are nobody's");

    assert!(failed.to_string().contains("--bind"), "{failed}");
}

#[test]
fn a_path_too_long_for_sockets_is_said_before_anything_starts() {
    let env = Env::of([("GATEHOUSE_HOME", "/tmp/".to_owned() + &"x".repeat(100))]);

    let failed = sockets_fit(&Home::read(&env)).expect_err("too long");

    assert!(failed.to_string().contains("GATEHOUSE_RUN_DIR"), "{failed}");
}
