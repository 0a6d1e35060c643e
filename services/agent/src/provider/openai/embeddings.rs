//! Vectors of texts: `POST /embeddings`. The vectors are handed on as the server wrote them, digit by digit.

use std::time::Duration;

use gatehouse_proto::agent::v1::{
    EmbedTextsRequest, EmbedTextsResponse, EmbeddingUsage, FailureKind, TextVector,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::timeout;

use super::{
    Endpoint, reading,
    whole::{self, Unread},
};
use crate::provider::{Unanswered, failure};

/// The longest that vectors are waited for: a model may have to be loaded.
const EMBED_TIMEOUT: Duration = Duration::from_secs(120);

/// The largest answer that is read: somewhat less than one message between processes holds.
const ANSWER_BYTES_MAX: usize = 24 * 1024 * 1024;

/// What is asked.
#[derive(Serialize)]
struct Asked<'a> {
    model: &'a str,
    input: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding_format: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
}

#[derive(Deserialize)]
struct Told {
    data: Vec<Row>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Row {
    embedding: Box<RawValue>,
    #[serde(default)]
    index: Option<usize>,
}

#[derive(Default, Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: i64,
    #[serde(default)]
    total_tokens: i64,
}

impl Endpoint {
    /// The vectors of texts, in the order of the texts.
    pub(crate) async fn embed(&self, request: &EmbedTextsRequest) -> Result<EmbedTextsResponse, Unanswered> {
        let limit = self.timeout.min(EMBED_TIMEOUT);
        match timeout(limit, self.read_embeddings(request)).await {
            Ok(answered) => answered,
            Err(_) => {
                let what = format!("did not answer within {} s", limit.as_secs());
                Err(self.no_vectors(FailureKind::Timeout, &what))
            }
        }
    }

    async fn read_embeddings(&self, request: &EmbedTextsRequest) -> Result<EmbedTextsResponse, Unanswered> {
        let callee = self.callee();
        let asked = Asked {
            model: &self.name.model,
            input: &request.input,
            dimensions: request.dimensions,
            encoding_format: request.encoding_format.as_deref(),
            user: request.user.as_deref(),
        };
        let sent = self
            .http
            .post(self.base.embeddings())
            .headers(self.headers.clone())
            .json(&asked)
            .send();
        let response = sent
            .await
            .map_err(|error| failure::from_transport(&callee, &error))?;
        if !response.status().is_success() {
            return Err(reading::refusal(&callee, response).await);
        }
        let told = match whole::read(&callee, response, ANSWER_BYTES_MAX).await {
            Ok(told) => told,
            Err(Unread::TooLong) => {
                let what = "sent more vectors than fit into one answer: ask for fewer texts at once";
                return Err(self.no_vectors(FailureKind::Rejected, what));
            }
            Err(Unread::Failed(why)) => return Err(why),
        };
        read(&told.text, request.input.len())
            .map(|(embeddings, usage)| EmbedTextsResponse {
                model: self.name.to_string(),
                embeddings: embeddings
                    .into_iter()
                    .map(|values| TextVector { values })
                    .collect(),
                usage: Some(usage),
            })
            .ok_or_else(|| told.refused(&callee, "did not send one vector for each text"))
    }

    fn no_vectors(&self, kind: FailureKind, what: &str) -> Unanswered {
        let callee = self.callee();
        let message = format!("provider {} at {} {what}", callee.provider, callee.origin());
        callee.failed(kind, message)
    }
}

/// One vector for each text, in their order.
fn read(text: &str, texts: usize) -> Option<(Vec<String>, EmbeddingUsage)> {
    let Told { data, usage } = serde_json::from_str(text).ok()?;
    let mut vectors: Vec<Option<String>> = vec![None; texts];
    for (place, row) in data.into_iter().enumerate() {
        let vector = row.embedding.get();
        // A list of numbers, or base64 of them where that was asked for.
        if !vector.starts_with('[') && !vector.starts_with('"') {
            return None;
        }
        let free = vectors.get_mut(row.index.unwrap_or(place))?;
        if free.replace(vector.to_owned()).is_some() {
            return None;
        }
    }
    let usage = usage.unwrap_or_default();
    Some((
        vectors.into_iter().collect::<Option<_>>()?,
        EmbeddingUsage {
            prompt_tokens: usage.prompt_tokens,
            total_tokens: usage.total_tokens,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_stand_in_the_order_of_the_texts_as_they_were_written() {
        let body = r#"{"data":[{"index":1,"embedding":[2e-3, 0.1]},{"index":0,"embedding":"AACAPw=="}],
            "usage":{"prompt_tokens":5,"total_tokens":6}}"#;

        let (vectors, usage) = read(body, 2).unwrap();

        assert_eq!(vectors, [r#""AACAPw==""#, "[2e-3, 0.1]"]);
        assert_eq!((usage.prompt_tokens, usage.total_tokens), (5, 6));
        let plain = read(r#"{"data":[{"embedding":[1]},{"embedding":[2]}]}"#, 2);
        assert_eq!(plain.unwrap().0, ["[1]", "[2]"]);
    }

    #[test]
    fn an_answer_that_has_not_one_vector_for_each_text_is_none() {
        for bad in [
            "{}",
            r#"{"data":[]}"#,
            r#"{"data":[{"embedding":[1]},{"embedding":[2]}]}"#,
            r#"{"data":[{"embedding":[1],"index":3}]}"#,
            r#"{"data":[{"embedding":null}]}"#,
            r#"{"data":[{"embedding":{"a":1}}]}"#,
        ] {
            assert!(read(bad, 1).is_none(), "{bad}");
        }
        let twice = r#"{"data":[{"embedding":[1],"index":0},{"embedding":[2],"index":0}]}"#;
        assert!(read(twice, 2).is_none());
    }
}
