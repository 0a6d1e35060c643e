//! In which form a page is written: as the scraper asks. Whoever asks for nothing is a person or an old program.

use http::{HeaderMap, HeaderValue, header};

/// A form of metrics in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text, version 0.0.4: what everybody reads.
    Text,
    /// `OpenMetrics` 1.0.
    OpenMetrics,
}

impl Format {
    /// What the `Accept` headers prefer; RFC 9110, 12.5.1. A scraper that likes both alike gets `OpenMetrics`.
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let (mut open, mut text) = (None, None);
        let ranges = headers.get_all(header::ACCEPT).iter();
        for range in ranges
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
        {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts
                .find_map(|part| part.strip_prefix("q="))
                .map_or(Some(1.0), |weight| weight.parse::<f32>().ok())
                .unwrap_or(0.0);
            let best = match kind.as_str() {
                "application/openmetrics-text" => &mut open,
                "text/plain" | "text/*" | "*/*" => &mut text,
                _ => continue,
            };
            *best = Some(best.unwrap_or(0.0_f32).max(weight));
        }
        match (open, text) {
            (Some(open), text) if open > 0.0 && open >= text.unwrap_or(0.0) => Self::OpenMetrics,
            _ => Self::Text,
        }
    }

    /// What the answer says it is.
    pub(super) const fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(values: &[&str]) -> Format {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::ACCEPT, value.parse().unwrap());
        }
        Format::accepted(&headers)
    }

    #[test]
    fn open_metrics_is_for_those_who_ask_for_it_and_text_for_everybody_else() {
        for values in [
            &[][..],
            &["*/*"],
            &["text/html,application/xhtml+xml,*/*;q=0.8"],
            &["text/plain"],
            &["text/plain;version=0.0.4;q=1,application/openmetrics-text;q=0.5"],
            &["application/openmetrics-text;q=0"],
            &["application/openmetrics-text;q=nonsense"],
            &["application/json"],
        ] {
            assert_eq!(accepted(values), Format::Text, "{values:?}");
        }
        for values in [
            // Prometheus 2.42, and 3.
            &[
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            ][..],
            &[
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=1.0.0;q=0.3,*/*;q=0.1",
            ],
            &["Application/OpenMetrics-Text"],
            &["text/plain;q=0.5", "application/openmetrics-text"],
        ] {
            assert_eq!(accepted(values), Format::OpenMetrics, "{values:?}");
        }
    }
}
