//! Which tokens open the door: those of a test issuer, right and wrong in one thing each.

use std::{sync::atomic::Ordering, time::Duration};

use gatehouse_msteams::auth::{Identity, Refused, Validator};
use serde_json::{Value, json};
use tokio::time;

use crate::microsoft::{APP, Microsoft, TENANT, now};

fn validator(microsoft: &Microsoft) -> Validator {
    let identity = Identity {
        app_id: APP.into(),
        tenant_id: TENANT.into(),
        callers: vec!["friend".into()],
    };
    Validator::new(identity, &microsoft.issuers()).expect("a validator")
}

async fn refusal(validator: &Validator, authorization: &str) -> Refused {
    match validator.check(Some(authorization)).await {
        Err(refused) => refused,
        Ok(claims) => panic!("{claims:?} was believed"),
    }
}

#[tokio::test]
async fn a_token_of_the_bot_framework_for_this_bot_is_believed() {
    let microsoft = Microsoft::start().await;
    let validator = validator(&microsoft);

    let claims = validator.check(Some(&microsoft.token(&json!({})))).await;

    assert_eq!(
        claims.expect("it is in order").service_url.as_deref(),
        Some("https://smba.trafficmanager.net/emea/")
    );
    let again = microsoft.token(&json!({"aud": [APP, "another"]}));
    assert!(validator.check(Some(&again)).await.is_ok());
    assert_eq!(microsoft.asked(), 1, "keys are kept");
}

#[tokio::test]
async fn a_token_that_is_wrong_in_one_thing_is_refused() {
    let microsoft = Microsoft::start().await;
    let validator = validator(&microsoft);

    for wrong in [
        json!({"aud": "another-bot"}),
        json!({"aud": null}),
        json!({"iss": "https://api.botframework.com.evil.example"}),
        json!({"iss": null}),
        json!({"exp": now() - 360}),
        json!({"exp": null}),
        json!({"exp": "soon"}),
        json!({"nbf": now() + 360}),
        json!({"serviceurl": null}),
        json!({"serviceurl": null, "serviceUrl": "https://smba.trafficmanager.net/emea/"}),
    ] {
        let refused = refusal(&validator, &microsoft.token(&wrong)).await;
        assert!(
            matches!(refused, Refused::Unauthorized(_)),
            "{wrong}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn clocks_may_differ_by_five_minutes() {
    let microsoft = Microsoft::start().await;
    let validator = validator(&microsoft);

    for near in [json!({"exp": now() - 200}), json!({"nbf": now() + 200})] {
        assert!(
            validator.check(Some(&microsoft.token(&near))).await.is_ok(),
            "{near}"
        );
    }
}

#[tokio::test]
async fn what_is_no_token_signed_with_rs256_is_refused_whatever_it_says() {
    let microsoft = Microsoft::start().await;
    let validator = validator(&microsoft);
    let good = microsoft.token(&json!({}));
    let claims = json!({"iss": "https://api.botframework.com", "aud": APP, "exp": now() + 60});
    let header = |header: Value| microsoft.signed(&header, &claims);
    let (unsigned, _) = good.rsplit_once('.').expect("three parts");

    for wrong in [
        String::new(),
        "Bearer".into(),
        "Bearer ".into(),
        "Bearer a.b.c".into(),
        "Basic Zm9vOmJhcg==".into(),
        format!("{unsigned}."),
        format!("{unsigned}.AAAA"),
        good.replace("Bearer ", "Bearer a."),
        good.replace("Bearer ", "Bot "),
        format!("Bearer {}", "a".repeat(9_000)),
        header(json!({"alg": "none", "kid": "good"})),
        header(json!({"alg": "HS256", "kid": "good"})),
        header(json!({"alg": "RS512", "kid": "good"})),
        header(json!({"alg": "PS256", "kid": "good"})),
        header(json!({"alg": "RS256"})),
        header(json!({"alg": "RS256", "kid": "curve"})),
        header(json!({"alg": "RS256", "kid": "good", "crit": ["exp"]})),
    ] {
        let refused = refusal(&validator, &wrong).await;
        assert!(
            matches!(refused, Refused::Unauthorized(_)),
            "{wrong}: {refused:?}"
        );
    }
    assert!(matches!(
        validator.check(None).await,
        Err(Refused::Unauthorized(_))
    ));
}

#[tokio::test]
async fn a_key_that_may_not_speak_for_teams_is_forbidden() {
    let microsoft = Microsoft::start().await;
    let validator = validator(&microsoft);
    let claims = json!({
        "iss": "https://api.botframework.com", "aud": APP, "exp": now() + 60, "serviceurl": "https://smba.trafficmanager.net/",
    });

    for kid in ["other", "bare"] {
        let token = microsoft.signed(&json!({"alg": "RS256", "kid": kid}), &claims);
        let refused = refusal(&validator, &token).await;
        assert!(matches!(refused, Refused::Forbidden(_)), "{kid}: {refused:?}");
    }
}

#[tokio::test]
async fn a_token_of_the_own_tenant_is_believed_of_the_bot_and_of_listed_apps_alone() {
    let microsoft = Microsoft::start().await;
    let validator = validator(&microsoft);

    for good in [
        json!({}),
        json!({"appid": null, "azp": "friend", "iss": format!("{}{TENANT}/v2.0", microsoft.origin)}),
    ] {
        let outcome = validator.check(Some(&microsoft.tenant_token(&good))).await;
        assert!(outcome.is_ok(), "{good}: {outcome:?}");
    }
    for wrong in [
        json!({"appid": "stranger"}),
        json!({"appid": null}),
        json!({"tid": "another"}),
        json!({"tid": null}),
        json!({"scp": "user_impersonation"}),
        json!({"aud": "another-bot"}),
        json!({"iss": "https://sts.windows.net/another/", "tid": "another"}),
    ] {
        refusal(&validator, &microsoft.tenant_token(&wrong)).await;
    }
}

#[tokio::test]
async fn a_new_key_is_fetched_and_a_flood_of_unknown_ones_is_not() {
    let microsoft = Microsoft::start().await;
    let validator = validator(&microsoft);
    let claims = json!({
        "iss": "https://api.botframework.com", "aud": APP, "exp": now() + 3_600, "serviceurl": "https://smba.trafficmanager.net/",
    });
    let with = |kid: &str| microsoft.signed(&json!({"alg": "RS256", "kid": kid}), &claims);
    validator
        .check(Some(&with("good")))
        .await
        .expect("it is in order");

    for number in 0..20 {
        refusal(&validator, &with(&format!("unknown-{number}"))).await;
    }
    assert_eq!(microsoft.asked(), 1);

    microsoft
        .deeds
        .keys
        .lock()
        .await
        .push(("new".into(), Some(vec!["msteams".into()])));
    time::pause();
    time::advance(Duration::from_secs(31)).await;
    time::resume();
    validator.check(Some(&with("new"))).await.expect("it is in order");
    assert_eq!(microsoft.asked(), 2);
}

#[tokio::test]
async fn while_the_keys_are_not_to_be_had_nobody_is_believed_and_nobody_is_called_a_liar() {
    let microsoft = Microsoft::start().await;
    let validator = validator(&microsoft);
    microsoft.deeds.down.store(true, Ordering::SeqCst);

    let refused = refusal(&validator, &microsoft.token(&json!({}))).await;
    assert!(matches!(refused, Refused::Unavailable(_)), "{refused:?}");

    microsoft.deeds.down.store(false, Ordering::SeqCst);
    time::pause();
    time::advance(Duration::from_secs(31)).await;
    time::resume();
    assert!(validator.check(Some(&microsoft.token(&json!({})))).await.is_ok());
}

#[tokio::test]
async fn keys_that_are_known_serve_on_while_microsoft_is_away() {
    let microsoft = Microsoft::start().await;
    let validator = validator(&microsoft);
    let token = microsoft.token(&json!({"exp": now() + 200_000}));
    validator.check(Some(&token)).await.expect("it is in order");
    microsoft.deeds.down.store(true, Ordering::SeqCst);

    time::pause();
    time::advance(Duration::from_secs(25 * 60 * 60)).await;
    time::resume();

    assert!(validator.check(Some(&token)).await.is_ok());
}
