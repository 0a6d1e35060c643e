use gatehouse_core::Secret;

use super::{Isupport, Place};
use crate::{
    adapter::Case,
    platform::irc::{config::Wanted, line::Line},
};

fn server(words: &str) -> Isupport {
    let mut isupport = Isupport::default();
    isupport.learn(&Line::parse(&format!(
        ":s 005 gate {words} :are supported by this server"
    )));
    isupport
}

fn place(words: &str, target: &str) -> Option<(String, String)> {
    let isupport = server(words);
    let Place { status, room } = isupport.place(target)?;
    Some((status.to_owned(), room.to_owned()))
}

#[test]
fn what_is_said_to_a_part_of_a_room_is_said_in_that_room() {
    for words in [
        "CHANTYPES=# STATUSMSG=~&@%+ PREFIX=(qaohv)~&@%+",
        "CHANTYPES=# STATUSMSG=@+",
        "CHANTYPES=#& PREFIX=(ov)@+",
        "NICKLEN=9",
    ] {
        for target in ["#home", "+#home", "@#home", "@+#home"] {
            let (status, room) = place(words, target).unwrap();
            assert_eq!(
                (format!("{status}{room}").as_str(), room.as_str()),
                (target, "#home"),
                "{words}"
            );
        }
        assert_eq!(place(words, "anna"), None, "{words}");
    }
    assert_eq!(place("CHANTYPES=#", "&anna"), None);
}

#[test]
fn a_sign_that_also_begins_a_room_is_read_as_the_server_says() {
    let whole = |room: &str| Some((String::new(), room.to_owned()));
    assert_eq!(place("CHANTYPES=#&!+ PREFIX=(ov)@+", "+home"), whole("+home"));
    assert_eq!(
        place("CHANTYPES=#&!+ PREFIX=(ov)@+", "+#home"),
        whole("+#home"),
        "a modeless room of this name"
    );
    assert_eq!(
        place("CHANTYPES=#& STATUSMSG=&@", "&#home"),
        Some(("&".into(), "#home".into()))
    );
    assert_eq!(place("CHANTYPES=#& STATUSMSG=&@", "&local"), whole("&local"));
    assert_eq!(
        place("CHANTYPES=#& PREFIX=(ov)@+", "@&local"),
        Some(("@".into(), "&local".into()))
    );
}

#[test]
fn a_safe_channel_is_one_room_with_and_without_its_id() {
    let isupport = server("CHANTYPES=#&!+ CASEMAPPING=rfc1459");
    assert!(isupport.is_same_room("!home", "!ABCDEhome") && isupport.is_same_room("!!home", "!ABCDEhome"));
    assert!(!isupport.is_same_room("!home", "!ABCDEother"));
    assert_eq!(isupport.room_id("!ABCDEHome"), "!home");
    assert_eq!(isupport.room_id("#Ho[me"), "#ho{me");
}

#[test]
fn a_name_that_the_server_cuts_is_still_the_wanted_room() {
    let isupport = server("CHANNELLEN=6");
    assert!(isupport.is_same_room("#kitchen", "#KITCH"));
    assert!(!server("CHANNELLEN=50").is_same_room("#kitchen", "#kitch"));
}

#[test]
fn many_rooms_are_joined_in_few_lines_that_the_server_takes() {
    let rooms: Vec<Wanted> = (0..40).map(|n| format!("#room{n}").as_str().into()).collect();

    assert_eq!(server("NICKLEN=9").joins(&rooms).len(), 4);
    assert_eq!(server("TARGMAX=PRIVMSG:3,JOIN:").joins(&rooms).len(), 4);
    let fours = server("TARGMAX=NAMES:1,JOIN:4").joins(&rooms);
    assert_eq!(
        (fours.len(), fours[0].as_str()),
        (10, "JOIN #room0,#room1,#room2,#room3")
    );
    assert_eq!(server("TARGMAX=JOIN:1").joins(&rooms).len(), 40);

    let long: Vec<Wanted> = (0..40)
        .map(|n| format!("#{n}{}", "x".repeat(100)).as_str().into())
        .collect();
    let lines = Isupport::default().joins(&long);
    assert!(lines.iter().all(|line| line.len() + 2 <= 512), "{lines:?}");
    assert_eq!(
        lines.iter().map(|line| line.split(',').count()).sum::<usize>(),
        40
    );
    assert!(Isupport::default().joins(&[]).is_empty());
}

#[test]
fn the_keys_of_rooms_stand_behind_the_names_in_their_order() {
    let locked = |name: &str, key: &str| Wanted {
        key: Some(Secret::new(key)),
        ..name.into()
    };
    let rooms = ["#a".into(), locked("#b", "one"), "#c".into(), locked("#d", "two")];

    assert_eq!(Isupport::default().joins(&rooms), ["JOIN #b,#d,#a,#c one,two"]);
    let twos = server("TARGMAX=JOIN:2").joins(&rooms);
    assert_eq!(twos, ["JOIN #b,#d one,two", "JOIN #a,#c"]);
    let long: Vec<Wanted> = (0..30)
        .map(|n| locked(&format!("#room{n}"), &"k".repeat(90)))
        .collect();
    let lines = Isupport::default().joins(&long);
    assert!(lines.iter().all(|line| line.len() + 2 <= 512), "{lines:?}");
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(words[1].split(',').count(), words[2].split(',').count(), "{line}");
    }
}

#[test]
fn what_the_server_says_is_read_and_may_be_taken_back() {
    let mut isupport = server("NICKLEN=9 CASEMAPPING=ascii");
    assert_eq!((isupport.nick_bytes, isupport.case), (Some(9), Case::Ascii));

    isupport.learn(&Line::parse(":s 005 gate -NICKLEN -CASEMAPPING :are supported"));

    assert_eq!(isupport, Isupport::default());
    assert_eq!(server("CASEMAPPING=rfc8265").case, Case::Unicode);
    assert_eq!(server("CASEMAPPING=of-tomorrow").case, Case::Ascii);
    assert_eq!(
        server("LINELEN=8192"),
        Isupport::default(),
        "every server takes 512 bytes"
    );
    assert_eq!(server("NICKLEN=0 CHANNELLEN= TARGMAX=").nick_bytes, None);
    let absurd = server(
        "LINELEN=1 CHANNELLEN=1 NICKLEN=99999999999999999999 TARGMAX=JOIN:0 PREFIX= STATUSMSG= CHANTYPES=",
    );
    assert_eq!(absurd.joins(&["#a".into(), "#b".into()]), ["JOIN #a", "JOIN #b"]);
    assert!(absurd.place("#a").is_some() && absurd.place("").is_none() && absurd.place("@").is_none());
}
