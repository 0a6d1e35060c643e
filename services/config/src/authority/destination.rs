//! A credential does not follow its server's address to another server: whoever can change an address would else be sent the
//! key. Every credential of the document is paired with where it is sent. A pair that is new is fine when the credential is
//! given with the change; a mark, silence, or a reference that is already sent elsewhere is not giving it.

use std::collections::BTreeSet;

use serde_json::Value;
use url::Url;

use super::Change;
use crate::{
    brought::Brought,
    issue::Issue,
    marker::MARKER,
    outline::sounds_secret,
    secrets::{Sources, is_reference, variables},
};

pub(super) fn check(change: &Change<'_>) -> Vec<Issue> {
    let before = credentials(change.before);
    let mut issues = Vec::new();
    for credential in credentials(change.after) {
        let is_kept = before
            .iter()
            .any(|old| old.secret == credential.secret && old.destination == credential.destination);
        if is_kept {
            continue;
        }
        let names = names_of(credential.secret, change.sources, change.after);
        let elsewhere = before.iter().find(|old| {
            old.destination != credential.destination
                && (old.secret == credential.secret
                    || !names.is_disjoint(&names_of(old.secret, change.sources, change.before)))
        });
        let given = change.sent.pointer(&credential.pointer).is_some_and(|sent| {
            if names.is_empty() {
                !holds_mark(sent)
            } else {
                // Naming a variable or a file proves no knowledge of what is in it.
                elsewhere.is_none()
            }
        });
        if given || (elsewhere.is_none() && !was_there(&before, &credential)) {
            continue;
        }
        let from = elsewhere.map_or("another server", |old| old.destination.as_str());
        let way = if names.is_empty() {
            "give it again in the same change, written out"
        } else {
            "write the key out in the same change, name a variable or file that is not in use yet, or make this change by \
             editing the configuration file"
        };
        let problem = format!(
            "belongs to {from} and does not follow the address to {}: {way}",
            credential.destination
        );
        issues.push(Issue::error(
            credential.pointer.trim_start_matches('/').replace('/', "."),
            problem,
        ));
    }
    issues
}

/// Whether a credential of the same place was there before: then it is the address that changed.
fn was_there(before: &[Credential<'_>], credential: &Credential<'_>) -> bool {
    before
        .iter()
        .any(|old| old.pointer == credential.pointer && old.secret == credential.secret)
}

/// A credential and where it is sent.
#[derive(Debug)]
struct Credential<'d> {
    /// Where it stands: an RFC 6901 pointer.
    pointer: String,
    /// As it is written.
    secret: &'d Value,
    /// For a person, and to compare.
    destination: String,
}

fn credentials(document: &Value) -> Vec<Credential<'_>> {
    let mut found = Vec::new();
    models(document, &mut found);
    irc(document, &mut found);
    brought(document, &mut found);
    found
}

fn members<'d>(document: &'d Value, pointer: &str) -> Vec<(&'d String, &'d Value)> {
    let object = document.pointer(pointer).and_then(Value::as_object);
    object.into_iter().flatten().collect()
}

fn add<'d>(found: &mut Vec<Credential<'d>>, pointer: String, secret: Option<&'d Value>, destination: &str) {
    let Some(secret) = secret.filter(|secret| !secret.is_null() && secret.as_str() != Some("")) else {
        return;
    };
    found.push(Credential {
        pointer,
        secret,
        destination: destination.to_owned(),
    });
}

fn models<'d>(document: &'d Value, found: &mut Vec<Credential<'d>>) {
    for (id, provider) in members(document, "/models/providers") {
        let at = format!("/models/providers/{}", escape(id));
        let destination = provider
            .get("baseUrl")
            .and_then(Value::as_str)
            .map_or_else(|| "no server".to_owned(), origin);
        add(
            found,
            format!("{at}/apiKey"),
            provider.get("apiKey"),
            &destination,
        );
        let listed = provider
            .get("models")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let of_models = listed
            .enumerate()
            .map(|(index, model)| (format!("{at}/models/{index}"), model));
        for (at, holder) in std::iter::once((at.clone(), provider)).chain(of_models) {
            for (header, value) in members(holder, "/headers") {
                add(
                    found,
                    format!("{at}/headers/{}", escape(header)),
                    Some(value),
                    &destination,
                );
            }
        }
    }
}

/// Where requests go: scheme, host and port. What cannot be read is a destination of its own.
fn origin(address: &str) -> String {
    match Url::parse(address.trim()) {
        Ok(url) if url.has_host() => url.origin().ascii_serialization(),
        _ => "an address that cannot be read".to_owned(),
    }
}

fn irc<'d>(document: &'d Value, found: &mut Vec<Credential<'d>>) {
    let Some(base) = document.pointer("/channels/irc") else {
        return;
    };
    account(base, None, "/channels/irc", found);
    for (id, own) in members(base, "/accounts") {
        account(
            own,
            Some(base),
            &format!("/channels/irc/accounts/{}", escape(id)),
            found,
        );
    }
}

/// What is told to a plugin that brings a channel.
fn brought<'d>(document: &'d Value, found: &mut Vec<Credential<'d>>) {
    for (kind, plugin) in Brought::of(document).iter() {
        let Some(section) = document.pointer(&format!("/channels/{kind}")) else {
            continue;
        };
        let endpoint = document.pointer(&format!("/plugins/entries/{}/endpoint", escape(plugin)));
        let endpoint = endpoint.and_then(Value::as_str).unwrap_or("its own socket");
        let destination = format!("plugin {plugin} at {}", endpoint.trim());
        named(section, &format!("/channels/{kind}"), &destination, found);
    }
}

/// What is named like a secret, wherever it stands.
fn named<'d>(value: &'d Value, at: &str, destination: &str, found: &mut Vec<Credential<'d>>) {
    let Some(members) = value.as_object() else { return };
    for (key, inner) in members {
        let at = format!("{at}/{}", escape(key));
        if sounds_secret(key) {
            add(found, at, Some(inner), destination);
        } else {
            named(inner, &at, destination, found);
        }
    }
}

/// An account has its own keys and those of the section that it does not have itself.
fn account<'d>(own: &'d Value, base: Option<&'d Value>, at: &str, found: &mut Vec<Credential<'d>>) {
    let inherits = base.is_some();
    let base = base.unwrap_or(own);
    let get = |key: &str| {
        own.get(key)
            .or_else(|| base.get(key))
            .filter(|value| !value.is_null())
    };
    let server = get("server")
        .or_else(|| get("host"))
        .and_then(Value::as_str)
        .unwrap_or("no server");
    let tls = get("tls").and_then(Value::as_bool) != Some(false);
    let port = get("port")
        .and_then(Value::as_u64)
        .unwrap_or(if tls { 6697 } else { 6667 });
    let way = if tls { "TLS" } else { "no TLS" };
    let destination = format!("{}:{port} ({way})", server.trim().to_ascii_lowercase());
    for pointer in ["/password", "/sasl/password", "/nickserv/password"] {
        let own_secret = own.pointer(pointer).filter(|secret| !secret.is_null());
        let secret = own_secret.or_else(|| base.pointer(pointer));
        let place = match own_secret {
            None if inherits => format!("/channels/irc{pointer}"),
            _ => format!("{at}{pointer}"),
        };
        let service = own
            .pointer("/nickserv/service")
            .or_else(|| base.pointer("/nickserv/service"));
        let service = service.and_then(Value::as_str).unwrap_or("NickServ");
        if pointer.starts_with("/nickserv") {
            add(found, place, secret, &format!("{service} on {destination}"));
        } else {
            add(found, place, secret, &destination);
        }
    }
}

/// One key as a piece of a pointer (RFC 6901).
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn holds_mark(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains(MARKER))
}

/// What a credential refers to; nothing when it is written out.
fn names_of(secret: &Value, sources: &Sources, document: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let text = |key: &str| secret.get(key).and_then(Value::as_str);
    if let Some(written) = secret.as_str() {
        names.extend(
            variables(written)
                .into_iter()
                .map(|name| format!("variable {name}")),
        );
    } else if is_reference(secret) {
        let file = |path: &str, id: &str| {
            let dirs = sources.dirs(document);
            format!("file {}#{id}", sources.file(path, &dirs).path().display())
        };
        match (text("source"), text("path"), text("provider")) {
            (Some("env"), ..) => names.extend(text("id").map(|name| format!("variable {name}"))),
            (_, Some(path), _) => names.extend([file(path, "")]),
            (_, None, Some(provider)) => {
                let path = document.pointer(&format!("/secrets/providers/{}/path", escape(provider)));
                let id = text("id").filter(|id| *id != "value").unwrap_or_default();
                names.extend(path.and_then(Value::as_str).map(|path| file(path, id)));
            }
            _ => {}
        }
    }
    names
}
