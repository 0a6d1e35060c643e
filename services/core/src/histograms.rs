//! Histograms with labels.

use prometheus_client::metrics::{family::Family, histogram::Histogram};

/// One histogram for each set of labels. It is made with its buckets: `Histograms::new_with_constructor(|| Histogram::new(SECONDS))`.
pub type Histograms<Labels> = Family<Labels, Histogram, fn() -> Histogram>;
