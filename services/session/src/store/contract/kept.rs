//! What is known of media, and the groups that people put sessions into.

use super::*;

fn medium(digit: char, kept_at: Timestamp) -> MediaRow {
    MediaRow {
        id: MediaId::parse(&digit.to_string().repeat(64)).unwrap(),
        mime_type: "image/png".to_owned(),
        bytes: 40,
        kept_at,
    }
}

pub(super) async fn media_are_kept_within_their_bound_and_forgotten_when_nothing_names_them(store: &Stores) {
    const ROOM: i64 = 100;
    let (old, named, young) = (medium('a', T0), medium('b', T0), medium('c', T0.plus_ms(50)));
    for row in [&old, &named] {
        store.media.keep(row.clone(), ROOM).await.unwrap();
    }
    assert!(
        matches!(store.media.keep(young.clone(), ROOM).await, Err(Error::MediaFull)),
        "three do not fit"
    );
    let shown = NewEntry {
        content: format!(
            r#"[{{"type":"image","id":"{}","mimeType":"image/png"}}]"#,
            named.id
        ),
        ..row(Role::User, "", None, T0)
    };
    store.transcripts.append(&key("main"), shown).await.unwrap();

    assert_eq!(store.media.find(&old.id).await.unwrap(), Some(old.clone()));
    assert_eq!(store.media.find(&young.id).await.unwrap(), None);
    assert_eq!(
        store.media.forget_unnamed(T0).await.unwrap(),
        [],
        "they are not old"
    );
    assert_eq!(
        store.media.forget_unnamed(T0.plus_ms(1)).await.unwrap(),
        std::slice::from_ref(&old.id)
    );
    assert_eq!(store.media.find(&old.id).await.unwrap(), None);

    // There is room again, and what comes a second time is kept for longer and weighs nothing more.
    store.media.keep(young.clone(), ROOM).await.unwrap();
    let again = MediaRow {
        kept_at: T0.plus_ms(90),
        ..young.clone()
    };
    store.media.keep(again.clone(), ROOM).await.unwrap();
    assert_eq!(store.media.find(&young.id).await.unwrap(), Some(again));
    assert_eq!(store.media.forget_unnamed(T0.plus_ms(60)).await.unwrap(), []);
    store.sessions.delete(&key("main"), None).await.unwrap();
    assert_eq!(
        store.media.forget_unnamed(T0.plus_ms(60)).await.unwrap(),
        [named.id]
    );
}

pub(super) async fn a_group_that_is_renamed_or_deleted_takes_its_sessions_along(store: &Stores) {
    let put = |names: &[&str], sections: &[&str]| {
        GroupChange::Put(GroupsOf {
            names: names.iter().map(|&name| name.to_owned()).collect(),
            sections: sections.iter().map(|&name| name.to_owned()).collect(),
        })
    };
    let change = async |change: GroupChange| {
        let (groups, moved) = store.groups.change_groups(change, Viewer::Owner).await.unwrap();
        let moved: Vec<String> = moved.iter().map(|key| key.rest().to_owned()).collect();
        assert_eq!(store.groups.groups().await.unwrap(), groups);
        (groups.names.join(" "), groups.sections.join(" "), moved)
    };
    let category = async |rest: &str| {
        let session = store.sessions.find(&key(rest)).await.unwrap();
        session.unwrap().category
    };
    assert_eq!(store.groups.groups().await.unwrap(), GroupsOf::default());
    for (rest, name) in [("s1", "work"), ("s2", "home")] {
        let patch = SessionPatch {
            category: Some(Some(name.to_owned())),
            ..SessionPatch::default()
        };
        store.sessions.create(&key(rest), patch, None, T0).await.unwrap();
    }

    let (names, sections, moved) = change(put(&["work", "home", "work"], &["home", "pinned", "work"])).await;
    assert_eq!(
        (names.as_str(), sections.as_str()),
        ("work home", "home pinned work")
    );
    assert_eq!(moved, Vec::<String>::new());
    let (names, sections, _) = change(put(&["home", "work"], &[])).await;
    assert_eq!(
        (names.as_str(), sections.as_str()),
        ("home work", "home pinned work")
    );
    let renamed = GroupChange::Rename {
        name: "work".to_owned(),
        to: "office".to_owned(),
    };
    let (names, sections, moved) = change(renamed).await;
    assert_eq!(
        (names.as_str(), sections.as_str()),
        ("home office", "home pinned office")
    );
    assert_eq!(moved, ["s1"]);
    assert_eq!(category("s1").await.as_deref(), Some("office"));
    let (names, _, moved) = change(GroupChange::Delete("home".to_owned())).await;
    assert_eq!((names.as_str(), moved), ("office", vec!["s2".to_owned()]));
    assert_eq!(category("s2").await, None);
}
