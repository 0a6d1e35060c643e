//! A call of a model as a step of the trace, by the names of OpenTelemetry for generative models. What was asked and answered is no part
//! of it.

use gatehouse_core::trace::{Kind, Span};

use crate::{
    metrics,
    provider::{Answered, Unanswered},
    request::ModelName,
};

pub(super) fn of_call(name: &ModelName) -> Span {
    let ModelName { provider, model } = name;
    let mut step = Span::here(Kind::Client, || format!("chat {model}"));
    step.set("gen_ai.operation.name", "chat");
    step.set("gen_ai.provider.name", provider.as_str());
    step.set("gen_ai.request.model", model.as_str());
    step
}

/// Ends it. A call that is cancelled ends without a word about it.
pub(super) fn ended(mut step: Span, called: Result<&Answered, &Unanswered>) {
    match called {
        Ok(answered) => {
            let usage = answered.usage.as_ref();
            step.set("gen_ai.usage.input_tokens", usage.map(|usage| usage.input));
            step.set("gen_ai.usage.output_tokens", usage.map(|usage| usage.output));
        }
        Err(why) => {
            step.set("http.response.status_code", why.status.map(u32::from));
            step.fail(metrics::word(why.kind));
        }
    }
}
