//! Where a provider's API is: an address, put together by its parts and never as text. A query stays behind the path, as Azure's
//! `?api-version=...` has to.

use url::Url;

/// What people copy out of documentation instead of the base.
const ENDPOINT: &str = "/chat/completions";

/// The base of an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base(Url);

impl Base {
    /// Reads `baseUrl`.
    ///
    /// # Errors
    /// What is wrong with it, to be put behind its name.
    pub(crate) fn read(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text.trim()).ok();
        let mut url = url
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or("is not an http or https URL: write it as `http://127.0.0.1:11434/v1` or `https://api.example.org/v1`")?;
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix(ENDPOINT).unwrap_or(path);
        let path = path.trim_end_matches('/').to_owned();
        url.set_path(&path);
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// Where completions are asked for.
    pub(crate) fn completions(&self) -> Url {
        self.join(ENDPOINT)
    }

    /// Where its models are listed.
    pub(crate) fn models(&self) -> Url {
        self.join("/models")
    }

    /// Where vectors are asked for.
    pub(crate) fn embeddings(&self) -> Url {
        self.join("/embeddings")
    }

    /// Where recordings are transcribed.
    pub(crate) fn transcripts(&self) -> Url {
        self.join("/audio/transcriptions")
    }

    /// Whether it is OpenAI's own API or Azure's, which know newer names of fields and refuse some of the older ones.
    pub(crate) fn is_openai(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default().trim_end_matches('.');
        host == "api.openai.com"
            || host.ends_with(".api.openai.com")
            || host.ends_with(".openai.azure.com")
            || host.ends_with(".services.ai.azure.com")
    }

    fn join(&self, below: &str) -> Url {
        let mut url = self.0.clone();
        let path = format!("{}{below}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_joined_and_the_query_stays_behind_it() {
        for (base, asked) in [
            ("http://h", "http://h/chat/completions"),
            ("http://h/", "http://h/chat/completions"),
            ("http://h:8080/v1", "http://h:8080/v1/chat/completions"),
            ("http://h/v1///", "http://h/v1/chat/completions"),
            (" https://h/v1\n", "https://h/v1/chat/completions"),
            (
                "https://h/openai/deployments/gpt?api-version=2024-10-21",
                "https://h/openai/deployments/gpt/chat/completions?api-version=2024-10-21",
            ),
            (
                "https://h/openai/v1/?api-version=preview&a=b%2Fc#top",
                "https://h/openai/v1/chat/completions?api-version=preview&a=b%2Fc",
            ),
            ("https://h/v1/chat/completions", "https://h/v1/chat/completions"),
            (
                "https://h/v1/chat/completions/?api-version=1",
                "https://h/v1/chat/completions?api-version=1",
            ),
            (
                "https://me:pass@h/a%20b/v1",
                "https://me:pass@h/a%20b/v1/chat/completions",
            ),
            ("http://[::1]:1234/v1", "http://[::1]:1234/v1/chat/completions"),
            (
                "HTTPS://API.Example.ORG/v1",
                "https://api.example.org/v1/chat/completions",
            ),
        ] {
            assert_eq!(Base::read(base).unwrap().completions().as_str(), asked, "{base}");
        }
        assert_eq!(
            Base::read("https://h/v1/chat/completions?a=b")
                .unwrap()
                .models()
                .as_str(),
            "https://h/v1/models?a=b"
        );
    }

    #[test]
    fn what_is_no_address_of_an_api_is_refused() {
        for text in [
            "",
            "localhost:11434/v1",
            "127.0.0.1:11434",
            "ftp://h/v1",
            "/v1",
            "file:///v1",
            "http://",
        ] {
            assert!(Base::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn openai_is_known_by_its_host() {
        let is = |base| Base::read(base).unwrap().is_openai();

        assert!(is("https://api.openai.com/v1") && is("https://eu.api.openai.com/v1"));
        assert!(is("https://mine.openai.azure.com/openai/v1"));
        assert!(!is("https://openrouter.ai/api/v1") && !is("https://api.openai.com.example/v1"));
        assert!(!is("http://notapi.openai.com.evil/v1") && !is("http://127.0.0.1/api.openai.com"));
    }
}
