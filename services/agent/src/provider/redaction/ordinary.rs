//! Where a secret is looked for. A key that is a word of the language stands in texts that are not about it: only where it stands as a
//! value is it the key. And what every manual tells people to write in the place of a key is none.

/// What people write where a server wants no key, and what stands in the place of a value. Cut out of texts, these would make them
/// unreadable, and tell the key by what is missing.
const PLACEHOLDERS: &[&str] = &[
    "anything",
    "api-key",
    "api_key",
    "apikey",
    "default",
    "dummy",
    "dummy-key",
    "empty",
    "fake",
    "fake-key",
    "false",
    "gpt4all",
    "ignored",
    "json",
    "key",
    "latest",
    "litellm",
    "llama-cpp",
    "llama.cpp",
    "llamacpp",
    "lm-studio",
    "lm_studio",
    "lmstudio",
    "local",
    "localai",
    "localhost",
    "no-auth",
    "no-key",
    "no-key-needed",
    "no-key-required",
    "no_key",
    "none",
    "not-needed",
    "not-required",
    "not_needed",
    "notneeded",
    "null",
    "ollama",
    "openai",
    "password",
    "placeholder",
    "preview",
    "required",
    "secret",
    "sk-no-key-required",
    "sk-xxx",
    "test",
    "text",
    "token",
    "true",
    "unused",
    "vllm",
    "whatever",
    "your-api-key",
    "your_api_key",
];

/// Headers that say who a client is, and not that it may.
const PUBLIC_HEADERS: &[&str] = &[
    "accept",
    "accept-encoding",
    "accept-language",
    "anthropic-beta",
    "anthropic-version",
    "content-type",
    "http-referer",
    "openai-beta",
    "openai-organization",
    "openai-project",
    "origin",
    "referer",
    "user-agent",
    "x-title",
];

/// Parameters of an address that error texts are about: a version or a model's name is no secret.
const PUBLIC_PARAMETERS: &[&str] = &[
    "alt",
    "api-version",
    "api_version",
    "beta",
    "deployment",
    "format",
    "location",
    "model",
    "project",
    "provider",
    "region",
    "stream",
    "timeout",
    "v",
    "version",
];

/// Words that announce a key.
const ANNOUNCING: &[&str] = &[
    "authorization",
    "basic",
    "bearer",
    "credential",
    "credentials",
    "header",
    "key",
    "apikey",
    "passphrase",
    "password",
    "provided",
    "secret",
    "token",
    "value",
];

/// Longer words than these are made up.
const WORD_BYTES_MAX: usize = 20;

/// Shorter ones may be parts of others by chance.
const ANYWHERE_BYTES_MIN: usize = 8;

/// Where a form of a secret is replaced. Earlier ones are replaced in more places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    Anywhere,
    /// Not as a part of a longer word.
    Bounded,
    /// As a word, behind a sign or a word that announces a value.
    Value,
}

impl Fit {
    /// Where a secret is looked for. `None`: it is none.
    pub(super) fn of(secret: &str) -> Option<Self> {
        let lower = secret.to_ascii_lowercase();
        if PLACEHOLDERS.contains(&lower.as_str()) {
            return None;
        }
        Some(if is_word(secret) {
            Self::Value
        } else if secret.len() < ANYWHERE_BYTES_MIN {
            Self::Bounded
        } else {
            Self::Anywhere
        })
    }

    /// The text with `shown` where the form fits.
    pub(super) fn replace(self, text: &str, form: &str, shown: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for (at, _) in text.match_indices(form) {
            let (before, behind) = (
                text.get(..at).unwrap_or_default(),
                text.get(at + form.len()..).unwrap_or_default(),
            );
            if self.fits(before, form, behind) {
                out.push_str(text.get(from..at).unwrap_or_default());
                out.push_str(shown);
                from = at + form.len();
            }
        }
        out.push_str(text.get(from..).unwrap_or_default());
        out
    }

    fn fits(self, before: &str, form: &str, behind: &str) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Bounded => is_bounded(before, form, behind),
            Self::Value => is_bounded(before, form, behind) && is_announced(before),
        }
    }
}

/// Whether a text is a word as it stands in sentences.
fn is_word(text: &str) -> bool {
    let mut letters = text.bytes();
    let first = letters.next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let rest_is = |is: fn(&u8) -> bool| text.bytes().skip(1).all(|byte| is(&byte));
    let all_large = rest_is(u8::is_ascii_uppercase) && text.bytes().all(|byte| byte.is_ascii_uppercase());
    first && text.len() <= WORD_BYTES_MAX && (rest_is(u8::is_ascii_lowercase) || all_large)
}

fn is_bounded(before: &str, form: &str, behind: &str) -> bool {
    let joins = |a: Option<char>, b: Option<char>| {
        let is_inside = |c: char| c.is_alphanumeric() || c == '_';
        a.zip(b).is_some_and(|(a, b)| is_inside(a) && is_inside(b))
    };
    !joins(before.chars().next_back(), form.chars().next())
        && !joins(form.chars().next_back(), behind.chars().next())
}

/// Whether what stands before a word says that a value follows: a colon, an equals sign, or one of the announcing words.
fn is_announced(before: &str) -> bool {
    let words = before.trim_end_matches(|c: char| !c.is_alphanumeric());
    let signs = before.get(words.len()..).unwrap_or_default();
    if signs.contains([':', '=']) {
        return true;
    }
    let begin = words.rfind(|c: char| !c.is_alphanumeric()).map_or(0, |at| at + 1);
    // The last byte of a sign of several bytes is no boundary: then no word of ours stands there.
    let last = words.get(begin..).unwrap_or_default().to_ascii_lowercase();
    ANNOUNCING.contains(&last.as_str())
}

/// Whether a header of this name says nothing that is secret.
pub(crate) fn is_public_header(name: &str) -> bool {
    PUBLIC_HEADERS
        .iter()
        .any(|public| name.eq_ignore_ascii_case(public))
}

pub(super) fn is_public_parameter(name: &str) -> bool {
    PUBLIC_PARAMETERS.contains(&name)
}
