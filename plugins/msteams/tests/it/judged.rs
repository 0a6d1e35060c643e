//! The tokens about which Microsoft's own packages are asked in tests/teams, put before the plugin: it decides as is written there.

use gatehouse_proto::channel::v1::run_account_response::Message as Said;
use serde_json::{Map, Value, json};

use crate::{
    gateway::{Plugin, bot},
    microsoft::{APP, TENANT, changed, now, unsigned},
};

const TABLE: &str = include_str!("../../../../tests/teams/tokens.json");
/// An app that the bot lists.
const FRIEND: &str = "33333333-aaaa-4bbb-8ccc-333333333333";

/// What the words in braces stand for.
struct Words(Vec<(&'static str, String)>);

impl Words {
    fn of(plugin: &Plugin) -> Self {
        let service = plugin.service_url();
        let origin = plugin.microsoft.origin.as_str().trim_end_matches('/');
        Self(vec![
            ("{app}", APP.into()),
            ("{friend}", FRIEND.into()),
            ("{stranger}", "44444444-aaaa-4bbb-8ccc-444444444444".into()),
            ("{tenant}", TENANT.into()),
            ("{other-tenant}", "77777777-aaaa-4bbb-8ccc-777777777777".into()),
            ("{login}", origin.into()),
            ("{service-bare}", service.trim_end_matches('/').into()),
            ("{service-loud}", format!("{origin}/CONNECTOR/")),
            ("{service}", service),
        ])
    }

    /// An object of the table with what is meant in the place of its words.
    fn meant(&self, said: &Value) -> Value {
        let each = said.as_object().into_iter().flatten();
        let meant = each.map(|(name, value)| (name.clone(), self.meant_by(name, value)));
        Value::Object(meant.collect::<Map<_, _>>())
    }

    fn meant_by(&self, name: &str, value: &Value) -> Value {
        match value {
            Value::Number(seconds) if ["exp", "nbf"].contains(&name) => {
                json!(now().saturating_add_signed(seconds.as_i64().expect("seconds")))
            }
            Value::String(text) => {
                let replaced = self
                    .0
                    .iter()
                    .fold(text.clone(), |text, (word, meant)| text.replace(word, meant));
                json!(replaced)
            }
            Value::Array(values) => values.iter().map(|value| self.meant_by("", value)).collect(),
            other => other.clone(),
        }
    }
}

/// How the plugin answers the request of a row.
async fn answered(plugin: &Plugin, words: &Words, row: &Value) -> u16 {
    let of_tenant = row["of"] == "tenant";
    let (kid, claims) = if of_tenant {
        let issuer = format!("https://sts.windows.net/{TENANT}/");
        (
            "tenant",
            json!({"iss": issuer, "aud": APP, "tid": TENANT, "appid": APP, "ver": "1.0"}),
        )
    } else {
        let service = plugin.service_url();
        (
            "good",
            json!({"iss": "https://api.botframework.com", "aud": APP, "serviceurl": service}),
        )
    };
    let claims = changed(claims, &json!({"nbf": now() - 10, "exp": now() + 3_600}));
    let claims = changed(claims, &words.meant(&row["claims"]));
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": kid});
    let header = changed(header, &words.meant(&row["header"]));
    let algorithm = header["alg"].as_str().expect("an algorithm");
    let signature = plugin.microsoft.signature(algorithm, &unsigned(&header, &claims));
    let forged = unsigned(&header, &changed(claims, &words.meant(&row["forged"])));

    let typing = plugin.activity(&json!({"type": "typing", "text": null}));
    let request = plugin.request(&changed(typing, &words.meant(&row["activity"])));
    let authorization = row["authorization"]
        .as_str()
        .unwrap_or("Bearer {token}")
        .replace("{token}", &format!("{forged}.{signature}"))
        .replace("{unsigned}", &forged);
    let request = if authorization.is_empty() {
        request
    } else {
        request.header("authorization", authorization)
    };
    request.send().await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn tokens_are_taken_and_refused_as_microsofts_own_packages_do_or_as_the_table_says_why_not() {
    let table: Value = serde_json::from_str(TABLE).expect("JSON");
    let plugin = Plugin::start().await;
    let words = Words::of(&plugin);
    let (foreign, own): (Vec<&Value>, Vec<&Value>) = table["keys"]
        .as_array()
        .expect("keys")
        .iter()
        .partition(|key| key["n"].is_string());
    *plugin.microsoft.deeds.keys.lock().await = own
        .into_iter()
        .map(|key| {
            let name = key["kid"].as_str().expect("a name").to_owned();
            (
                name,
                serde_json::from_value(key["endorsements"].clone()).expect("channels"),
            )
        })
        .collect();
    *plugin.microsoft.deeds.foreign.lock().await = foreign
        .into_iter()
        .map(|key| changed(key.clone(), &json!({"kty": "RSA", "use": "sig"})))
        .collect();
    let mut config = bot();
    config["callers"] = json!([FRIEND]);
    let mut account = plugin.open(&config).await;
    assert!(matches!(account.said().await, Said::Connected(_)));

    let rows = table["tokens"].as_array().expect("tokens");
    assert!(rows.len() > 50, "{} rows", rows.len());
    let mut otherwise = Vec::new();
    for row in rows {
        let status = answered(&plugin, &words, row).await;
        let is_right = match row["taken"].as_bool().expect("taken or not") {
            true => status == 200,
            false => (400..500).contains(&status),
        };
        if !is_right {
            otherwise.push(format!("{}: {status}", row["name"]));
        }
    }
    assert!(otherwise.is_empty(), "{otherwise:#?}");
}
