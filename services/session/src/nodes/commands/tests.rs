use super::*;

fn facts(platform: &str, family: &str) -> Facts {
    Facts {
        platform: Some(platform.to_owned()),
        device_family: Some(family.to_owned()),
        ..Facts::default()
    }
}

fn surface(commands: &[&str]) -> Surface {
    Surface {
        commands: commands.iter().map(|command| (*command).to_owned()).collect(),
        ..Surface::default()
    }
}

fn rules(allow: &[&str], deny: &[&str]) -> Rules {
    let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Rules::read(&NodeCommands {
        allow: list(allow),
        deny: list(deny),
    })
}

#[test]
fn a_platform_is_believed_only_if_its_family_agrees() {
    let table = [
        ("linux", "Linux", Platform::Linux),
        ("Linux", "", Platform::Linux),
        ("macOS 15.1", "Mac", Platform::MacOs),
        ("iOS 18.2.1", "iPhone", Platform::Ios),
        ("ios", "Mac", Platform::Unknown),
        ("linux", "iPhone", Platform::Unknown),
        ("watchos", "", Platform::Unknown),
        ("android 15 (sdk 35)", "Android", Platform::Android),
        ("plan9", "", Platform::Unknown),
        ("", "Linux", Platform::Unknown),
    ];
    for (platform, family, expected) in table {
        assert_eq!(
            Platform::of(&facts(platform, family)),
            expected,
            "{platform} {family}"
        );
    }
}

#[test]
fn a_command_must_be_declared_allowed_and_approved_and_deny_comes_first() {
    let linux = facts("linux", "Linux");
    let declared = surface(&["system.run", "camera.snap", "x.y", "worker.launch.v1"]);
    let judge = |rules: &Rules, granted: Option<&Surface>, command: &str| {
        rules.judge(&linux, &declared, granted, command)
    };
    let plain = rules(&[], &[]);

    assert_eq!(judge(&plain, Some(&declared), "system.run"), Ok(()));
    assert_eq!(
        judge(&plain, None, "system.run"),
        Err(NotAllowed::NotApproved),
        "nobody agreed"
    );
    assert_eq!(
        judge(&plain, Some(&declared), "system.which"),
        Err(NotAllowed::NotDeclared)
    );
    assert_eq!(
        judge(&plain, Some(&declared), "camera.snap"),
        Err(NotAllowed::Dangerous)
    );
    assert_eq!(
        judge(&plain, Some(&declared), "x.y"),
        Err(NotAllowed::NotAllowlisted)
    );
    let opened = rules(
        &["camera.snap", "x.y", " ", "worker.launch.v1"],
        &["x.y", "system.run"],
    );
    assert_eq!(judge(&opened, Some(&declared), "camera.snap"), Ok(()));
    for denied in ["x.y", "system.run"] {
        assert_eq!(judge(&opened, Some(&declared), denied), Err(NotAllowed::Denied));
    }
    assert!(
        judge(&opened, Some(&declared), "worker.launch.v1").is_err(),
        "no list opens what steers workers"
    );
}

#[test]
fn whoever_approves_programs_or_files_must_be_an_administrator() {
    assert_eq!(approval_scopes(&surface(&[])), ["operator.pairing"]);
    assert_eq!(
        approval_scopes(&surface(&["camera.list"])),
        ["operator.pairing", "operator.write"]
    );
    for command in PROGRAMS.iter().chain(&ADMIN) {
        assert_eq!(
            approval_scopes(&surface(&["camera.list", command])),
            ["operator.pairing", "operator.admin"],
            "{command}"
        );
    }
}
