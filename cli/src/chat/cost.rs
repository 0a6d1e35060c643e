//! What an answer cost: the line below it under `--verbose`.

use tokio::time::Instant;

use super::wire::Usage;

/// Time, tokens and speed, as far as they are known. `spoke`: when the first word came.
pub(super) fn cost(since: Instant, spoke: Option<Instant>, usage: Option<Usage>) -> String {
    let now = Instant::now();
    let whole = now.duration_since(since).as_secs_f64();
    let mut parts = vec![format!("{whole:.1} s")];
    if let Some(spoke) = spoke {
        parts.push(format!(
            "first word after {:.1} s",
            spoke.duration_since(since).as_secs_f64()
        ));
    }
    match usage {
        Some(Usage { input, output }) if input > 0 || output > 0 => {
            parts.push(format!("{input} tokens read, {output} written"));
            // Of what was written while it was shown. An answer that came whole has no speed.
            let writing = spoke.map_or(0.0, |spoke| now.duration_since(spoke).as_secs_f64());
            if let Ok(output) = u32::try_from(output)
                && writing > 0.2
            {
                parts.push(format!("{:.0} a second", f64::from(output) / writing));
            }
        }
        Some(_) | None => parts.push("the model told no tokens".to_owned()),
    }
    format!("[{}]", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_and_tokens_of_an_answer_are_told() {
        let since = Instant::now();
        advance(Duration::from_millis(500)).await;
        let spoke = Instant::now();
        advance(Duration::from_secs(2)).await;
        let usage = Usage {
            input: 120,
            output: 50,
        };

        assert_eq!(
            cost(since, Some(spoke), Some(usage)),
            "[2.5 s, first word after 0.5 s, 120 tokens read, 50 written, 25 a second]"
        );
        assert_eq!(cost(since, None, None), "[2.5 s, the model told no tokens]");
    }
}
