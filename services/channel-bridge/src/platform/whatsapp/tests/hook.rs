//! Requests that Meta makes.

use super::*;

#[tokio::test]
async fn the_address_is_ours_for_who_knows_the_word_and_for_nobody_else() {
    let scene = Scene::start().await;
    let asked = async |query: &str| {
        let target = format!("/webhooks/whatsapp/a?{query}");
        call(&*scene.adapter, &scene.bench, "GET", &target, Vec::new(), "").await
    };

    let right = asked("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=a+word+of%20ours").await;

    assert_eq!((right.status, right.body.as_str()), (200, "1158201444"));
    for wrong in [
        "",
        "hub.mode=subscribe&hub.challenge=1",
        "hub.mode=subscribe&hub.challenge=1&hub.verify_token=another",
        "hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=a+word+of+ours",
        "hub.mode=subscribe&hub.challenge=%3Cscript%3E&hub.verify_token=a+word+of+ours",
    ] {
        assert_eq!(asked(wrong).await.status, 403, "{wrong}");
    }
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_post_is_answered_once_its_messages_are_committed_and_each_counts_once() {
    let scene = Scene::start().await;
    let both = post(
        ANNA,
        &[text(ANNA, "wamid.1", "grüße 🎉"), text(ANNA, "wamid.2", "more")],
        json!({}),
    );
    *scene.bench.heard.failures.lock().unwrap() = 1;

    let refused = scene.posts(&both).await;
    let taken = scene.posts(&both).await;
    let again = scene.posts(&both).await;

    assert_eq!((refused.status, refused.retry_after), (503, Some(5)));
    assert_eq!((taken.status, again.status), (200, 200));
    assert_eq!(scene.bench.heard.texts(), ["grüße 🎉", "more"]);
    let heard = scene.bench.heard.messages.lock().unwrap()[0].clone();
    assert_eq!(
        (heard.sender_id.as_str(), heard.sender_name.as_deref()),
        (ANNA, Some("Anna"))
    );
    assert!(heard.sender_aliases.iter().any(|alias| alias == &"+491701234567"));
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_post_that_nobody_signed_or_that_is_about_another_number_says_nothing() {
    let scene = Scene::start().await;
    let body = post(ANNA, &[text(ANNA, "wamid.1", "hello")], json!({})).to_string();
    let signed = scene.cloud.signed(&body);
    let mut other = signed.clone();
    other[1].1 = other[1].1.replace("sha256=", "sha1=");

    assert_eq!(scene.post(&body, Vec::new()).await.status, 401);
    assert_eq!(scene.post(&body, other).await.status, 401);
    assert_eq!(
        scene.post(&body.replace("hello", "jello"), signed).await.status,
        401
    );
    let elsewhere = json!({"metadata": {"phone_number_id": "7"}});
    let elsewhere = post(ANNA, &[text(ANNA, "wamid.2", "elsewhere")], elsewhere);
    assert_eq!(scene.posts(&elsewhere).await.status, 200);
    let unread = post(
        ANNA,
        &[
            json!({"id": 7}),
            json!({"id": "wamid.3", "from": ANNA, "type": "reaction"}),
        ],
        json!({}),
    );
    assert_eq!(scene.posts(&unread).await.status, 200);

    assert!(scene.bench.heard.texts().is_empty());
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_person_who_hides_their_number_is_known_and_answered_by_the_id_for_this_business() {
    let scene = Scene::start().await;
    let hidden = json!({"contacts": [{"profile": {"name": "Bert"}, "user_id": "DE.a1b2"}]});
    let mut said = text(ANNA, "wamid.1", "guess who");
    said.as_object_mut().unwrap().remove("from");
    said["from_user_id"] = json!("DE.a1b2");
    let both = json!({"contacts": [{"profile": {"name": "Anna"}, "wa_id": ANNA, "user_id": "DE.c3d4"}]});

    scene.posts(&post(ANNA, &[said], hidden)).await;
    scene
        .posts(&post(ANNA, &[text(ANNA, "wamid.2", "it is me")], both))
        .await;

    let heard = scene.bench.heard.messages.lock().unwrap().clone();
    assert_eq!(
        (heard[0].sender_id.as_str(), heard[0].reply_to.as_str()),
        ("DE.a1b2", "user:DE.a1b2")
    );
    assert_eq!(
        (heard[1].sender_id.as_str(), heard[1].reply_to.as_str()),
        ("DE.c3d4", ANNA)
    );
    assert!(heard[1].sender_aliases.iter().any(|alias| alias == &ANNA));
    scene.bench.say("k", "user:DE.a1b2", "Bert").await;
    assert_eq!(scene.seen(1).await[0].to, "DE.a1b2");
    assert!(scene.cloud.calls("message")[0].body.get("to").is_none());
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_status_is_the_word_on_a_message_that_meta_took_and_is_posted_again_until_it_is_kept() {
    let scene = Scene::start().await;
    let statuses = |words: &[(&str, &str)]| {
        let statuses: Vec<Value> = words
            .iter()
            .map(|(id, word)| json!({"id": id, "status": word, "timestamp": "1790000000", "recipient_id": ANNA}))
            .collect();
        post(ANNA, &[], json!({"statuses": statuses, "messages": []}))
    };
    let all = statuses(&[
        ("wamid.1", "read"),
        ("wamid.1", "delivered"),
        ("wamid.1", "sent"),
        ("wamid.2", "played"),
        ("", "read"),
        ("wamid.3", "failed"),
        ("wamid.4", "of a newer version"),
    ]);
    *scene.bench.heard.failures.lock().unwrap() = 1;

    let refused = scene.posts(&all).await;
    assert_eq!((refused.status, refused.retry_after), (503, Some(5)));
    assert_eq!(scene.posts(&all).await.status, 200);

    let kept = scene.bench.heard.reports.lock().unwrap().clone();
    let wanted = [
        ("wamid.1", Report::Read),
        ("wamid.1", Report::Delivered),
        ("wamid.2", Report::Read),
        ("wamid.3", Report::NotDelivered),
    ];
    assert_eq!(kept, wanted.map(|(id, report)| (id.to_owned(), report)));
    scene.bench.stop().await;
}

#[tokio::test]
async fn what_was_taken_and_not_delivered_is_told_to_the_operator_with_the_next_step() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let status = |status: &str, errors: Value| {
        let statuses = json!([{"id": "wamid.9", "status": status, "timestamp": "1790000000", "recipient_id": ANNA, "errors": errors}]);
        post(ANNA, &[], json!({"statuses": statuses, "messages": []}))
    };
    let window = json!([{"code": 131_047, "title": "Re-engagement message", "error_data": {"details": "more than 24 hours have passed"}}]);

    for word in ["read", "delivered", "sent"] {
        assert_eq!(scene.posts(&status(word, json!([]))).await.status, 200);
    }
    assert!(scene.bench.progress.snapshot().notices.is_empty());
    assert_eq!(scene.posts(&status("failed", window)).await.status, 200);

    let notices = scene.bench.progress.snapshot().notices;
    assert!(
        notices[0].contains("131047") && notices[0].contains("until they write again"),
        "{notices:?}"
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn files_are_named_and_fetched_by_their_id_with_the_token() {
    let scene = Scene::with(json!({"mediaMaxMb": 1})).await;
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    scene.cloud.keep("m1", bytes.clone());
    scene.cloud.keep("large", vec![7; 1_000_001]);
    let voice = json!({"from": ANNA, "id": "wamid.1", "timestamp": "1", "type": "audio", "audio": {"id": "m1", "voice": true}});
    let paper = json!({"from": ANNA, "id": "wamid.2", "timestamp": "1", "type": "document",
        "document": {"id": "m2", "filename": "../../bill.pdf", "caption": "my bill", "mime_type": "application/pdf"}});
    let place = json!({"from": ANNA, "id": "wamid.3", "timestamp": "1", "type": "location",
        "location": {"latitude": 52.5, "longitude": 13.4, "name": "Berlin"}});

    scene.posts(&post(ANNA, &[voice, paper, place], json!({}))).await;

    let heard = scene.bench.heard.messages.lock().unwrap().clone();
    let media = |at: usize| {
        let found = heard[at].content.blocks().iter().find_map(|block| match block {
            Block::Media(media) => Some(media.clone()),
            _ => None,
        });
        found.unwrap()
    };
    assert_eq!(media(0).mime_type.as_deref(), Some("audio/ogg"));
    assert_eq!(media(1).name.as_deref(), Some("bill.pdf"));
    assert!(heard[1].content.words().contains("my bill"));
    assert!(heard[2].content.words().contains("[place: Berlin]"));
    let MediaSource::Url(address) = media(0).source else {
        unreachable!("it is at Meta")
    };
    let remote = scene.adapter.fetch(&address).await.unwrap();
    assert_eq!(remote.declared.as_deref(), Some("image/png"));
    let parts: Vec<bytes::Bytes> = remote.bytes.try_collect().await.unwrap();
    assert_eq!(parts.concat(), bytes);
    for wrong in [
        "whatsapp-file:large",
        "whatsapp-file:unknown",
        "whatsapp-file:../x",
        "https://example.org/x",
    ] {
        let error = match scene.adapter.fetch(wrong).await {
            Ok(_) => unreachable!("{wrong} is not for us"),
            Err(error) => error,
        };
        assert!(matches!(error, FetchError::Never(_)), "{wrong}: {error}");
    }
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_reaction_comes_along_with_what_is_said_next() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let reaction = json!({"id": "wamid.r", "from": ANNA, "timestamp": "1790000000", "type": "reaction",
        "reaction": {"message_id": "wamid.1", "emoji": "🎉"}});

    let revoked = json!({"id": "wamid.v", "from": ANNA, "timestamp": "1790000000", "type": "revoke",
        "revoke": {"original_message_id": "wamid.1"}});
    scene.posts(&post(ANNA, &[reaction, revoked], json!({}))).await;
    let question = text(ANNA, "wamid.2", "and what is to be done about it?");
    scene.posts(&post(ANNA, &[question], json!({}))).await;

    assert_eq!(
        scene.bench.told(0),
        "[reactions to your messages: 🎉]\n[a message here was deleted]\nand what is to be done about it?"
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_contact_of_somebody_else_says_nothing_of_who_wrote_and_an_odd_one_loses_nothing() {
    let scene = Scene::start().await;
    let other = json!({"contacts": [{"profile": {"name": "Eve"}, "wa_id": "4966600", "user_id": "DE.eve"}]});
    let mut odd = text(ANNA, "wamid.2", "two");
    odd["context"] = Value::Null;
    odd["contacts"] = Value::Null;

    scene
        .posts(&post(ANNA, &[text(ANNA, "wamid.1", "one")], other))
        .await;
    for contacts in [json!([{"profile": null, "wa_id": ANNA}]), json!([7]), Value::Null] {
        odd["id"] = json!(format!("wamid.{contacts}"));
        let body = post(ANNA, std::slice::from_ref(&odd), json!({"contacts": contacts}));
        assert_eq!(scene.posts(&body).await.status, 200);
    }

    assert_eq!(scene.bench.heard.texts(), ["one", "two", "two", "two"]);
    let heard = scene.bench.heard.messages.lock().unwrap().clone();
    for heard in heard {
        let who = (heard.sender_id.as_str(), heard.chat_id.as_str());
        assert_eq!((who, heard.sender_name.as_deref()), ((ANNA, ANNA), None));
        assert!(
            !heard
                .sender_aliases
                .iter()
                .any(|alias| alias.as_str().contains("eve"))
        );
    }
    scene.bench.stop().await;
}
