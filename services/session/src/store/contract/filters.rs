//! What lists of sessions are narrowed to.

use super::*;

pub(super) async fn a_list_is_of_what_is_pinned_grouped_active_or_no_job(store: &Stores) {
    let top = SessionPatch {
        pinned: Some(true),
        category: Some(Some("home".into())),
        ..SessionPatch::default()
    };
    for (name, patch) in [
        ("top", top),
        ("plain", SessionPatch::default()),
        ("cron:j1", SessionPatch::default()),
        ("x:cron:y", SessionPatch::default()),
    ] {
        store.sessions.create(&key(name), patch, None, T0).await.unwrap();
    }
    say(store, &key("busy"), "r1", "one").await;
    let list = async |filter: SessionFilter| {
        let filter = SessionFilter { limit: 10, ..filter };
        let page = store.sessions.list(filter).await.unwrap();
        let mut names: Vec<_> = page.sessions.iter().map(|s| s.key.rest().to_owned()).collect();
        names.sort();
        names.join(" ")
    };
    let all = SessionFilter::default;

    assert_eq!(
        list(SessionFilter {
            pinned: Some(true),
            ..all()
        })
        .await,
        "top"
    );
    assert_eq!(
        list(SessionFilter {
            pinned: Some(false),
            ..all()
        })
        .await,
        "busy cron:j1 plain x:cron:y"
    );
    let of = |group: &str| SessionFilter {
        group: Some(group.into()),
        ..all()
    };
    assert_eq!(list(of("home")).await, "top");
    assert_eq!(list(of("")).await, "busy cron:j1 plain x:cron:y");
    assert_eq!(
        list(SessionFilter {
            active: true,
            ..all()
        })
        .await,
        "busy",
        "it waits"
    );
    assert_eq!(
        list(SessionFilter {
            without_jobs: true,
            ..all()
        })
        .await,
        "busy plain top x:cron:y"
    );
    claim(store, &Owner::new("a"), T0).await;
    assert_eq!(
        list(SessionFilter {
            active: true,
            ..all()
        })
        .await,
        "busy",
        "it runs"
    );
}
