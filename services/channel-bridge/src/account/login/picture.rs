//! A code to scan as a PNG: one bit for each dot, no colour. Control UIs take such a picture as the address of an image.

use std::io::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, Crc, write::ZlibEncoder};
use qrcode::{Color, EcLevel, QrCode};

/// The longest address that Control UIs hand back: OpenClaw's protocol has this bound.
const URL_BYTES_MAX: usize = 16_384;
/// The empty border that a reader needs, in modules: ISO/IEC 18004 asks for four.
const BORDER: usize = 4;
/// About as wide as a phone reads it well from a screen, in dots.
const WIDTH: usize = 400;
const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";

/// The picture as the address of an image. `None`: the text is too long for one.
pub(super) fn data_url(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let usual = (WIDTH / (code.width() + 2 * BORDER)).clamp(1, 8);
    // A code of many modules is drawn smaller until its address is short enough.
    let urls = (1..=usual).rev().map(|scale| {
        let png = png(&code, scale)?;
        Some(format!("data:image/png;base64,{}", STANDARD.encode(png)))
    });
    urls.flatten().find(|url| url.len() <= URL_BYTES_MAX)
}

fn png(code: &QrCode, scale: usize) -> Option<Vec<u8>> {
    let width = (code.width() + 2 * BORDER) * scale;
    let is_light = |x: usize, y: usize| {
        let inside = |at: usize| at.checked_sub(BORDER).filter(|at| *at < code.width());
        match (inside(x / scale), inside(y / scale)) {
            (Some(x), Some(y)) => code[(x, y)] == Color::Light,
            _ => true,
        }
    };
    let mut rows = Vec::with_capacity(width * (width / 8 + 2));
    for y in 0..width {
        rows.push(0); // the row is not filtered
        for first in (0..width).step_by(8) {
            let dot = |bit: usize| first + bit < width && is_light(first + bit, y);
            rows.push((0..8).fold(0, |byte, bit| byte << 1 | u8::from(dot(bit))));
        }
    }
    let mut squeezed = ZlibEncoder::new(Vec::new(), Compression::best());
    squeezed.write_all(&rows).ok()?;
    let side = u32::try_from(width).ok()?.to_be_bytes();
    // One bit for each dot, grey, deflated, not filtered, not interlaced.
    let head = [&side[..], &side[..], &[1, 0, 0, 0, 0]].concat();
    let mut png = SIGNATURE.to_vec();
    chunk(&mut png, *b"IHDR", &head)?;
    chunk(&mut png, *b"IDAT", &squeezed.finish().ok()?)?;
    chunk(&mut png, *b"IEND", &[])?;
    Some(png)
}

fn chunk(png: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) -> Option<()> {
    png.extend(u32::try_from(data.len()).ok()?.to_be_bytes());
    let mut crc = Crc::new();
    crc.update(&kind);
    crc.update(data);
    png.extend(kind);
    png.extend(data);
    png.extend(crc.sum().to_be_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::ZlibDecoder;

    use super::*;

    #[test]
    fn every_module_of_the_code_is_in_the_picture() {
        let code = QrCode::with_error_correction_level("2@abc", EcLevel::L).unwrap();
        let png = png(&code, 3).unwrap();

        assert_eq!(png[..8], SIGNATURE);
        let width = u32::from_be_bytes(png[16..20].try_into().unwrap()) as usize;
        let length = u32::from_be_bytes(png[33..37].try_into().unwrap()) as usize;
        let mut rows = Vec::new();
        ZlibDecoder::new(&png[41..41 + length])
            .read_to_end(&mut rows)
            .unwrap();
        let (bytes, scale) = (width.div_ceil(8) + 1, 3);
        assert_eq!(width, (code.width() + 2 * BORDER) * scale);
        assert_eq!(rows.len(), bytes * width);
        for (y, x) in (0..code.width()).flat_map(|y| (0..code.width()).map(move |x| (y, x))) {
            let (row, dot) = ((y + BORDER) * scale, (x + BORDER) * scale);
            let bit = rows[row * bytes + 1 + dot / 8] >> (7 - dot % 8) & 1;
            assert_eq!(bit == 1, code[(x, y)] == Color::Light, "{x} {y}");
        }
        assert_eq!(rows[1], 0xff, "the border is empty");
    }

    #[test]
    fn a_picture_is_as_long_as_control_uis_hand_back_and_what_is_too_long_is_none() {
        for length in [20, 240, 1_000] {
            let text: String = (0..length)
                .map(|n: u32| char::from_digit(n * n % 36, 36).unwrap())
                .collect();
            let url = data_url(&text).expect("a picture");
            assert!(url.len() <= URL_BYTES_MAX && url.starts_with("data:image/png;base64,iVBOR"));
        }
        assert_eq!(data_url(&"x".repeat(4_000)), None);
    }
}
