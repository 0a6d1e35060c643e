//! A stand-in of Microsoft: it publishes keys, and gives out tokens.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use gatehouse_msteams::auth::Issuers;
use ring::{
    hmac,
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Mutex};
use url::Url;

use crate::teams::Teams;

pub(crate) const APP: &str = "11111111-aaaa-4bbb-8ccc-222222222222";
pub(crate) const TENANT: &str = "99999999-aaaa-4bbb-8ccc-888888888888";

/// A key that is in no other place than these tests.
const KEY: &[u8] = include_bytes!("issuer.pk8");

/// What it does.
#[derive(Debug, Default)]
pub(crate) struct Deeds {
    /// How often its keys were asked for.
    pub(crate) asked: AtomicUsize,
    /// Whether it answers at all.
    pub(crate) down: AtomicBool,
    /// The keys of the Bot Framework: name and channels.
    pub(crate) keys: Mutex<Vec<(String, Option<Vec<String>>)>>,
    /// Keys of others that it publishes beside them, as they are.
    pub(crate) foreign: Mutex<Vec<Value>>,
}

/// The stand-in.
#[derive(Debug)]
pub(crate) struct Microsoft {
    pub(crate) deeds: Arc<Deeds>,
    pub(crate) origin: Url,
    pub(crate) teams: Teams,
    key: RsaKeyPair,
}

#[derive(Clone)]
struct Shared {
    deeds: Arc<Deeds>,
    origin: Url,
    modulus: String,
    exponent: String,
}

impl Microsoft {
    pub(crate) async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let origin = Url::parse(&format!("http://{address}/")).expect("a URL");
        let key = RsaKeyPair::from_pkcs8(KEY).expect("a key");
        let deeds = Arc::new(Deeds::default());
        *deeds.keys.lock().await = vec![
            ("good".into(), Some(vec!["msteams".into(), "webchat".into()])),
            ("other".into(), Some(vec!["webchat".into()])),
            ("bare".into(), None),
        ];
        let public = PublicKeyComponents::<Vec<u8>>::from(key.public());
        let shared = Shared {
            deeds: Arc::clone(&deeds),
            origin: origin.clone(),
            modulus: BASE64URL_NOPAD.encode(&public.n),
            exponent: BASE64URL_NOPAD.encode(&public.e),
        };
        let teams = Teams::default();
        let router = Router::new()
            .route("/v1/.well-known/openidconfiguration", get(metadata))
            .route("/v1/.well-known/keys", get(bot_framework_keys))
            .route("/{tenant}/discovery/v2.0/keys", get(tenant_keys))
            .with_state(shared)
            .merge(teams.router());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            deeds,
            origin,
            teams,
            key,
        }
    }

    /// Where the plugin finds it.
    pub(crate) fn issuers(&self) -> Issuers {
        let mut issuers = Issuers::public();
        issuers.bot_framework_metadata = self
            .origin
            .join("v1/.well-known/openidconfiguration")
            .expect("a URL");
        issuers.login = self.origin.clone();
        issuers
    }

    pub(crate) fn asked(&self) -> usize {
        self.deeds.asked.load(Ordering::SeqCst)
    }

    /// What a token of the Bot Framework says, as an `Authorization`.
    pub(crate) fn token(&self, change: &Value) -> String {
        let claims = json!({
            "iss": "https://api.botframework.com", "aud": APP, "nbf": now() - 10, "exp": now() + 3_600,
            "serviceurl": "https://smba.trafficmanager.net/emea/",
        });
        self.signed(
            &json!({"alg": "RS256", "typ": "JWT", "kid": "good"}),
            &changed(claims, change),
        )
    }

    /// What a token of the tenant says, as an `Authorization`.
    pub(crate) fn tenant_token(&self, change: &Value) -> String {
        let claims = json!({
            "iss": format!("https://sts.windows.net/{TENANT}/"), "aud": APP, "nbf": now() - 10, "exp": now() + 3_600,
            "tid": TENANT, "appid": APP,
        });
        self.signed(
            &json!({"alg": "RS256", "typ": "JWT", "kid": "tenant"}),
            &changed(claims, change),
        )
    }

    /// A token with this header and these claims, as an `Authorization`. It is signed as the header says.
    pub(crate) fn signed(&self, header: &Value, claims: &Value) -> String {
        let message = unsigned(header, claims);
        let signature = self.signature(header["alg"].as_str().expect("an algorithm"), &message);
        format!("Bearer {message}.{signature}")
    }

    /// The signature of a token, as it stands in it.
    pub(crate) fn signature(&self, algorithm: &str, message: &str) -> String {
        let encoding: &dyn RsaEncoding = match algorithm {
            "none" => return String::new(),
            // What is published is known to everybody, and is no password.
            "HS256" => {
                let password = hmac::Key::new(hmac::HMAC_SHA256, self.published().as_bytes());
                return BASE64URL_NOPAD.encode(hmac::sign(&password, message.as_bytes()).as_ref());
            }
            "RS256" => &RSA_PKCS1_SHA256,
            "RS512" => &RSA_PKCS1_SHA512,
            "PS256" => &RSA_PSS_SHA256,
            other => panic!("nothing here signs with {other}"),
        };
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(encoding, &SystemRandom::new(), message.as_bytes(), &mut signature)
            .expect("a signature");
        BASE64URL_NOPAD.encode(&signature)
    }

    /// The public key as PEM, in the form that is most often taken for a password.
    fn published(&self) -> String {
        let encoded = BASE64.encode(self.key.public_key().as_ref());
        let lines: Vec<&str> = encoded
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).expect("base64"))
            .collect();
        format!(
            "-----BEGIN RSA PUBLIC KEY-----\n{}\n-----END RSA PUBLIC KEY-----\n",
            lines.join("\n")
        )
    }
}

/// The two parts of a token that are signed.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    format!("{}.{}", part(header), part(claims))
}

pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("it is later than 1970").as_secs()
}

/// The claims with these in their place; null takes one out.
pub(crate) fn changed(mut claims: Value, change: &Value) -> Value {
    let map = claims.as_object_mut().expect("an object");
    for (key, value) in change.as_object().expect("an object") {
        if value.is_null() {
            map.remove(key);
        } else {
            map.insert(key.clone(), value.clone());
        }
    }
    claims
}

async fn metadata(State(shared): State<Shared>) -> Response {
    if shared.deeds.down.load(Ordering::SeqCst) {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let keys = format!("{}v1/.well-known/keys", shared.origin);
    Json(json!({"issuer": "https://api.botframework.com", "jwks_uri": keys})).into_response()
}

async fn bot_framework_keys(State(shared): State<Shared>) -> Json<Value> {
    shared.deeds.asked.fetch_add(1, Ordering::SeqCst);
    let mut keys = vec![json!({"kty": "EC", "kid": "curve", "crv": "P-256", "x": "AA", "y": "AA"})];
    for (kid, endorsements) in &*shared.deeds.keys.lock().await {
        let mut key =
            json!({"kty": "RSA", "use": "sig", "kid": kid, "n": shared.modulus, "e": shared.exponent});
        if let Some(endorsements) = endorsements {
            key["endorsements"] = json!(endorsements);
        }
        keys.push(key);
    }
    keys.extend(shared.deeds.foreign.lock().await.iter().cloned());
    Json(json!({ "keys": keys }))
}

async fn tenant_keys(State(shared): State<Shared>) -> Json<Value> {
    Json(json!({"keys": [{"kty": "RSA", "kid": "tenant", "n": shared.modulus, "e": shared.exponent}]}))
}
