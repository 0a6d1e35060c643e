use super::*;

fn programs(allowed: &[&str]) -> Programs {
    let allowed: Vec<_> = allowed.iter().map(|name| find(name).unwrap()).collect();
    Programs::allow(&allowed, None).unwrap()
}

async fn ran(allowed: &[&str], command: Value) -> Result<Value, Refused> {
    programs(allowed)
        .run(json!({ "command": command }), RUN_MAX)
        .await
}

#[tokio::test]
async fn only_what_is_allowed_runs_with_its_words_as_they_are_and_never_by_a_shell() {
    let said = ran(&["echo"], json!(["echo", "a b", "$HOME", ";", "id"]))
        .await
        .unwrap();
    assert_eq!(
        (&said["stdout"], &said["success"], &said["exitCode"]),
        (&json!("a b $HOME ; id\n"), &json!(true), &json!(0))
    );
    for denied in [
        json!(["id"]),
        json!(["sh", "-c", "echo"]),
        json!(["./echo"]),
        json!(["/none"]),
    ] {
        assert_eq!(
            ran(&["echo"], denied).await.unwrap_err().code,
            "SYSTEM_RUN_DENIED"
        );
    }
    for wrong in [json!([]), json!("echo"), json!([1])] {
        assert_eq!(ran(&["echo"], wrong).await.unwrap_err().code, "INVALID_PARAMS");
    }
    let with_env = json!({"command": ["echo"], "env": {"LD_PRELOAD": "/tmp/x.so"}});
    let refused = programs(&["echo"]).run(with_env, RUN_MAX).await.unwrap_err();
    assert_eq!(refused.code, "INVALID_PARAMS");
    assert!(
        Programs::allow(&[PathBuf::from("echo")], None).is_err(),
        "a name is not a whole path"
    );
}

#[tokio::test]
async fn a_link_to_an_allowed_program_is_that_program_and_one_to_another_is_not() {
    let home = tempfile::tempdir().unwrap();
    let (good, bad) = (home.path().join("good"), home.path().join("bad"));
    std::os::unix::fs::symlink(find("echo").unwrap(), &good).unwrap();
    std::os::unix::fs::symlink(find("id").unwrap(), &bad).unwrap();

    // Programs of one file tell themselves apart by their name; then both links mean the allowed file.
    assert!(ran(&["echo"], json!([good])).await.is_ok());
    if find("id") != find("echo") {
        assert_eq!(
            ran(&["echo"], json!([bad])).await.unwrap_err().code,
            "SYSTEM_RUN_DENIED"
        );
    }
}

#[tokio::test]
async fn a_program_that_does_not_end_is_ended_with_what_it_began() {
    let home = tempfile::tempdir().unwrap();
    let script = home.path().join("forks");
    let pid = home.path().join("pid");
    let text = format!("#!/bin/sh\nsleep 600 &\necho $! > {}\nwait\n", pid.display());
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();

    let running = run(&script, &[], Duration::from_millis(500)).await.unwrap();

    assert_eq!(
        (&running["timedOut"], &running["success"]),
        (&json!(true), &json!(false))
    );
    let child: i32 = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    let gone = async {
        while std::fs::read_to_string(format!("/proc/{child}/stat")).is_ok_and(|stat| !stat.contains(") Z")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(10), gone).await.expect("it is ended");
}

#[tokio::test]
async fn a_long_output_is_cut_and_holds_nobody_up() {
    let said = ran(&["head"], json!(["head", "-c", "1000000", "/dev/zero"]))
        .await
        .unwrap();

    assert_eq!(said["stdout"].as_str().unwrap().len(), OUTPUT_BYTES_MAX);
    assert_eq!(
        (&said["truncated"], &said["success"]),
        (&json!(true), &json!(true))
    );
}

#[test]
fn programs_are_looked_up_by_name() {
    let found = programs(&[])
        .which(json!({"bins": ["sh", "no-such-program", "../sh"]}))
        .unwrap();

    let bins = found["bins"].as_object().unwrap();
    assert_eq!(bins.keys().collect::<Vec<_>>(), ["sh"]);
    assert!(Path::new(bins["sh"].as_str().unwrap()).is_absolute());
}
