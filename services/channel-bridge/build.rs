//! Writes down the names of emoji, by which Slack takes reactions.

use std::{env, fmt::Write as _, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");

    let mut lines = String::new();
    for emoji in emojis::iter().flat_map(with_skin_tones) {
        write!(lines, "{}", emoji.as_str())?;
        for name in names(emoji) {
            write!(lines, " {name}")?;
        }
        lines.push('\n');
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    fs::write(out.join("emoji-names.txt"), lines)?;
    Ok(())
}

/// An emoji in all its skin tones.
fn with_skin_tones(emoji: &'static emojis::Emoji) -> Vec<&'static emojis::Emoji> {
    emoji.skin_tones().map_or_else(|| vec![emoji], Iterator::collect)
}

/// The likeliest first: most are called as on GitHub, and some as in Unicode.
fn names(emoji: &emojis::Emoji) -> Vec<String> {
    let unicode = emoji.name().to_lowercase().replace([' ', '-'], "_");
    let mut names: Vec<String> = emoji.shortcodes().map(str::to_owned).collect();
    if !names.contains(&unicode) {
        names.push(unicode);
    }
    names
}
