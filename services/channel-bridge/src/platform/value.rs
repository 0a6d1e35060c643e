//! What the configurations of several platforms have in common.

use serde::Deserialize;

use crate::adapter::Rate;

/// `{burst, perSecond}`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RateLimit {
    burst: u32,
    per_second: f64,
}

impl TryFrom<RateLimit> for Rate {
    type Error = String;

    fn try_from(RateLimit { burst, per_second }: RateLimit) -> Result<Self, String> {
        if burst == 0 || !per_second.is_finite() || per_second <= 0.0 {
            return Err("rateLimit: burst and perSecond must be above zero".into());
        }
        Ok(Self { burst, per_second })
    }
}
