//! What models cost, as the document says it.

use std::collections::HashMap;

use gatehouse_document::Models;

use super::{Counts, ModelOf};

/// Prices are for so many tokens.
const TOKENS: f64 = 1_000_000.0;

/// The price of a model for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Price {
    input: f64,
    output: f64,
}

/// What tokens cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cost {
    pub(crate) input: f64,
    pub(crate) output: f64,
}

/// All models whose price is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prices(HashMap<(String, String), Price>);

impl Prices {
    pub(crate) fn read(models: &Models) -> Self {
        let mut prices = HashMap::new();
        for (provider, entry) in &models.providers {
            for model in &entry.models {
                let Some(cost) = &model.cost else { continue };
                let of = |name: &str| {
                    cost.get(name)
                        .and_then(serde_json::Value::as_f64)
                        .filter(|price| *price >= 0.0)
                };
                if let (Some(input), Some(output)) = (of("input"), of("output")) {
                    prices.insert((provider.clone(), model.id.clone()), Price { input, output });
                }
            }
        }
        Self(prices)
    }

    /// What the answers of a model cost. `None`: its price is not known.
    #[expect(
        clippy::cast_precision_loss,
        reason = "2^53 tokens are more than anybody pays for"
    )]
    pub(crate) fn cost(&self, model: &ModelOf, counts: &Counts) -> Option<Cost> {
        let key = (model.provider.clone()?, model.model.clone()?);
        let price = self.0.get(&key)?;
        Some(Cost {
            input: counts.input as f64 / TOKENS * price.input,
            output: counts.output as f64 / TOKENS * price.output,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_cost_what_the_document_says_and_nothing_is_guessed() {
        let models: Models = json5::from_str(
            "{ providers: { p: { baseUrl: 'http://h/v1', models: [
                { id: 'dear', cost: { input: 2, output: 10 } }, { id: 'half', cost: { input: 2 } }, { id: 'unknown' },
            ] } } }",
        )
        .unwrap();
        let prices = Prices::read(&models);
        let counts = Counts {
            input: 500_000,
            output: 100_000,
            ..Counts::default()
        };
        let model = |name: &str| ModelOf {
            provider: Some("p".to_owned()),
            model: Some(name.to_owned()),
        };

        assert_eq!(
            prices.cost(&model("dear"), &counts),
            Some(Cost {
                input: 1.0,
                output: 1.0
            })
        );
        assert_eq!(prices.cost(&model("half"), &counts), None);
        assert_eq!(prices.cost(&model("unknown"), &counts), None);
        assert_eq!(prices.cost(&ModelOf::default(), &counts), None);
    }
}
