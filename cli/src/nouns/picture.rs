//! Codes that a phone scans, as pictures on a terminal.

use qrcode::{EcLevel, QrCode, render::unicode};

use crate::exit::{Exit, Failed};

/// A text as a picture that a phone reads: two modules in the height of a line.
pub(super) fn picture(text: &str) -> Result<String, Failed> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L)
        .map_err(|error| Failed::new(Exit::Failed, format!("the code fits into no picture: {error}")))?;
    let mut drawn = code.render::<unicode::Dense1x2>().quiet_zone(true).build();
    drawn.push('\n');
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_drawn_as_a_picture_of_lines() {
        let drawn = picture(&"x".repeat(150)).unwrap();

        assert!(
            drawn.lines().count() > 20 && drawn.lines().count() < 60,
            "{drawn}"
        );
        assert!(drawn.contains('█'));
    }
}
