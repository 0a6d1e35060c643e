//! What is wrong with hooks as they are written. Whoever reads them applies the same rules, and what is wrong takes no request.

use super::{
    Action, Hooks, Mapping, Profile, Signature,
    template::{Place, Template},
};
use crate::{SecretInput, wrong::Wrong};

/// First words of paths that are the gateway's own.
const OWN: [&str; 15] = [
    "__openclaw__",
    "api",
    "assets",
    "connect",
    "favicon.ico",
    "favicon.svg",
    "health",
    "healthz",
    "ready",
    "readyz",
    "rpc",
    "startupz",
    "tools",
    "v1",
    "webhooks",
];

/// The shortest key that signs, in bytes: a shorter one can be guessed from one signed request.
const SECRET_BYTES_MIN: usize = 16;

/// Names behind the path that are no mapping's.
const FIXED: [&str; 2] = ["agent", "wake"];

impl Hooks {
    /// The path below which requests come in: it begins with a slash and ends with none.
    ///
    /// # Errors
    /// When no request could be meant by it.
    pub fn base(&self) -> Result<String, &'static str> {
        let path = self.path.trim().trim_matches('/');
        if path.is_empty() {
            return Err("must not be the root: every other page of the gateway is there");
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_word = |word: &str| !word.is_empty() && !word.starts_with('.') && word.bytes().all(plain);
        if !path.split('/').all(is_word) {
            return Err(
                "must be a path, for example \"/hooks\": letters, digits, dots, dashes and underscores between slashes",
            );
        }
        let first = path.split('/').next().unwrap_or_default();
        if first == "ws" || OWN.contains(&first) {
            return Err("is a path that the gateway uses for something else");
        }
        Ok(format!("/{path}"))
    }
}

impl Mapping {
    /// Its name.
    pub fn name(&self) -> &str {
        let written = [&self.id, &self.fits.path, &self.fits.source];
        written
            .into_iter()
            .flatten()
            .map(|text| text.trim())
            .find(|text| !text.is_empty())
            .unwrap_or("hook")
    }

    /// The path that it fits, without slashes around it. `None`: any.
    pub fn path(&self) -> Option<&str> {
        let path = self.fits.path.as_deref()?.trim().trim_matches('/');
        (!path.is_empty()).then_some(path)
    }

    /// The template that its action tells, and the key of it. `None`: the whole body is told.
    pub fn template(&self) -> (&'static [&'static str], Option<Result<Template, String>>) {
        let (key, text): (&'static [&'static str], _) = match self.action {
            Action::Agent => (&["messageTemplate"], &self.message_template),
            Action::Wake => (&["textTemplate"], &self.text_template),
        };
        (key, text.as_deref().map(Template::read))
    }

    /// What keeps it from being used.
    pub fn wrong(&self) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        let is_blank = |text: &Option<String>| text.as_ref().is_none_or(|text| text.trim().is_empty());
        if self.path().is_none() && is_blank(&self.fits.source) {
            wrong.push(Wrong::new(
                &["match"],
                "needs a path or a source: without one it fits no request",
            ));
        }
        if self.path().is_some_and(|path| FIXED.contains(&path)) {
            wrong.push(Wrong::new(
                &["match", "path"],
                "is one that the gateway answers itself: choose another",
            ));
        }
        let literal: [(&'static [&'static str], &Option<String>); 5] = [
            (&["sessionKey"], &self.session_key),
            (&["agentId"], &self.agent_id),
            (&["channel"], &self.channel),
            (&["to"], &self.to),
            (&["model"], &self.model),
        ];
        for (key, value) in literal {
            let Some(text) = value else { continue };
            if text.contains("{{") {
                wrong.push(Wrong::new(
                    key,
                    "is no template: what a request says decides what the agent reads, and nothing else",
                ));
            } else if text.trim().is_empty() {
                wrong.push(Wrong::new(key, "must not be empty: remove the key"));
            }
        }
        if self.to.is_some() && self.channel.as_deref().is_none_or(|channel| channel == "last") {
            wrong.push(Wrong::new(&["channel"], "is needed where `to` names a chat"));
        }
        if let Some(list) = &self.for_each
            && Place::read(list).is_none()
        {
            wrong.push(Wrong::new(
                &["forEach"],
                "names no place in a body: write for example commits, or push.changes, where a list is",
            ));
        }
        if let (key, Some(Err(problem))) = self.template() {
            wrong.push(Wrong::new(key, problem));
        }
        if let Some(signature) = &self.signature {
            // Whose body has to be read to know whose signature it is would be read before it is judged.
            if self.path().is_none() {
                wrong.push(Wrong::new(
                    &["match", "path"],
                    "is needed with a signature, which is judged before the body is read",
                ));
            }
            wrong.extend(signature.wrong());
        }
        wrong
    }
}

impl Signature {
    fn wrong(&self) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        match self.secret.as_ref().map(SecretInput::text) {
            None => wrong.push(Wrong::new(
                &["signature", "secret"],
                "is required: the key that signs",
            )),
            Some(Some(text)) if text.trim().len() < SECRET_BYTES_MIN => wrong.push(Wrong::new(
                &["signature", "secret"],
                format!("must have {SECRET_BYTES_MIN} characters or more"),
            )),
            Some(_) => {}
        }
        let headers: [(&'static [&'static str], &Option<String>); 2] = [
            (&["signature", "header"], &self.header),
            (&["signature", "timestampHeader"], &self.timestamp_header),
        ];
        for (key, value) in headers {
            let Some(name) = value else { continue };
            if self.profile != Profile::Hmac {
                wrong.push(Wrong::new(key, "is chosen with `profile: \"hmac\"` alone"));
            } else if !is_header(name) {
                wrong.push(Wrong::new(key, "is not the name of an HTTP header"));
            }
        }
        wrong
    }
}

fn is_header(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !name.is_empty() && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(path: &str) -> Option<String> {
        let hooks = Hooks {
            path: path.to_owned(),
            ..Hooks::default()
        };
        hooks.base().ok()
    }

    fn places(mapping: &str) -> Vec<String> {
        let mapping: Mapping = json5::from_str(mapping).expect("a mapping");
        mapping.wrong().iter().map(|wrong| wrong.key.join(".")).collect()
    }

    #[test]
    fn a_path_is_one_of_its_own() {
        assert_eq!(base("/hooks").as_deref(), Some("/hooks"));
        assert_eq!(base("in/from-outside/").as_deref(), Some("/in/from-outside"));
        for bad in [
            "",
            "/",
            "/v1",
            "/rpc/x",
            "/webhooks",
            "/a//b",
            "/a/../b",
            "/a b",
            "/%61",
            "/.well",
        ] {
            assert_eq!(base(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_mapping_fits_something_and_takes_nothing_from_a_request_but_words_for_the_agent() {
        assert!(places("{match: {path: 'github'}, messageTemplate: '{{a}}'}").is_empty());
        assert!(places("{match: {source: 'x'}, channel: 'irc', to: '#a'}").is_empty());
        for (bad, place) in [
            ("{}", "match"),
            ("{match: {path: ' / '}}", "match"),
            ("{match: {path: 'wake'}}", "match.path"),
            ("{match: {path: 'a'}, sessionKey: 'hook:{{id}}'}", "sessionKey"),
            ("{match: {path: 'a'}, agentId: ' '}", "agentId"),
            ("{match: {path: 'a'}, channel: 'irc', to: '{{who}}'}", "to"),
            ("{match: {path: 'a'}, to: '#a'}", "channel"),
            (
                "{match: {path: 'a'}, signature: {profile: 'github'}}",
                "signature.secret",
            ),
            (
                "{match: {path: 'a'}, signature: {profile: 'github', secret: 'short'}}",
                "signature.secret",
            ),
            (
                "{match: {path: 'a'}, signature: {profile: 'stripe', secret: 'kX9qmQ2vL7pR4wZ8', header: 'x'}}",
                "signature.header",
            ),
            (
                "{match: {source: 'a'}, signature: {profile: 'github', secret: 'kX9qmQ2vL7pR4wZ8'}}",
                "match.path",
            ),
            ("{match: {path: 'a'}, forEach: 'a..b'}", "forEach"),
            ("{match: {path: 'a'}, forEach: ''}", "forEach"),
            ("{match: {path: 'a'}, messageTemplate: '{{a'}", "messageTemplate"),
            (
                "{match: {path: 'a'}, messageTemplate: '{{a[x]}}'}",
                "messageTemplate",
            ),
            (
                "{match: {path: 'a'}, action: 'wake', textTemplate: '{{}}'}",
                "textTemplate",
            ),
        ] {
            assert_eq!(places(bad), [place], "{bad}");
        }
    }
}
