//! The table and the JSON file.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Serialize;

/// Everything that was measured, in order.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    figures: Vec<Figure>,
}

/// One measured figure.
#[derive(Debug, Serialize)]
struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    /// What the design aims at. A figure above it is marked.
    aim: Option<f64>,
    /// What a reference needed for the same work, beside it.
    reference: Option<f64>,
}

impl Report {
    /// Adds a figure. `aim` is the most it should be.
    pub(crate) fn add(
        &mut self,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        aim: Option<f64>,
        reference: Option<f64>,
    ) {
        let figure = Figure {
            name: name.into(),
            value,
            unit,
            aim,
            reference,
        };
        eprintln!("{}", line(&figure, figure.name.len()));
        self.figures.push(figure);
    }

    pub(crate) fn print(&self) {
        let width = self.figures.iter().map(|figure| figure.name.len()).max();
        let width = width.unwrap_or_default();
        println!(
            "\n{:<width$} {:>12} {:<8} {:>10} {:>12} {:>7}",
            "figure", "measured", "unit", "aim", "reference", "ratio"
        );
        for figure in &self.figures {
            println!("{}", line(figure, width));
        }
    }

    /// Writes the raw data and returns where.
    pub(crate) fn write(&self, folder: &Path) -> PathBuf {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let path = folder.join(format!("{now}.json"));
        fs::create_dir_all(folder).expect("a folder for the results");
        fs::write(
            &path,
            serde_json::to_vec_pretty(self).expect("figures are plain data"),
        )
        .expect("the results");
        path
    }
}

fn line(figure: &Figure, width: usize) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
    let ratio = figure.reference.map(|reference| figure.value / reference);
    let mark = if figure.aim.is_some_and(|aim| figure.value > aim) {
        "  over the aim"
    } else {
        ""
    };
    format!(
        "{:<width$} {:>12} {:<8} {:>10} {:>12} {:>7}{mark}",
        figure.name,
        number(Some(figure.value)),
        figure.unit,
        number(figure.aim),
        number(figure.reference),
        ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"))
    )
}

/// The value below which this share of the samples lies.
pub(crate) fn percentile(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into a small slice"
    )]
    let index = ((samples.len() as f64 * share) as usize).min(samples.len().saturating_sub(1));
    samples.get(index).copied().unwrap_or(f64::NAN)
}
