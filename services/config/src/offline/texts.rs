//! The texts of a configuration that stand outside of its document, and values that stand alone.

use super::*;

/// The folder of the document.
fn folder_of(document: &Path) -> Option<PathBuf> {
    Some(std::path::absolute(document).ok()?.parent()?.to_owned())
}

/// The files that the document of a home includes, each under its way in the folder of the document. What cannot be read, or is a link
/// that leads out of the folder, is none of them: no gateway reads it either.
pub fn included(home: &Home) -> BTreeMap<PathBuf, Vec<u8>> {
    let (Ok(text), Some(folder)) = (fs::read_to_string(&home.config), folder_of(&home.config)) else {
        return BTreeMap::new();
    };
    let real = folder.canonicalize().unwrap_or_else(|_| folder.clone());
    let bytes_max = u64::try_from(text::DOCUMENT_BYTES_MAX).unwrap_or(u64::MAX);
    let read = |way: PathBuf| {
        let content = NamedFile::within(&real.join(&way), &real)?.read(bytes_max).ok()?;
        Some((way, content.bytes))
    };
    let ways = include::look(&text, &folder).ways(&folder);
    ways.into_iter().filter_map(read).collect()
}

/// Which of these texts the document includes, itself or through another one of them. Each stands under its way in the folder of the document.
pub fn included_among(document: &str, home: &Home, texts: &BTreeMap<PathBuf, String>) -> BTreeSet<PathBuf> {
    let folder = folder_of(&home.config).unwrap_or_default();
    let ways = include::follow_among(document, &folder, texts).ways(&folder);
    ways.into_iter().filter(|way| texts.contains_key(way)).collect()
}

/// A value as it would be read in the document.
///
/// # Errors
/// When it cannot stand there.
pub fn value(text: &str) -> Result<Value, String> {
    let (value, _) = text::parse_value(text).map_err(|error| error.to_string())?;
    Ok(value)
}

/// Whether a text may stand in the document or in a file that it includes.
pub fn is_configuration(text: &str) -> bool {
    matches!(text::parse_value(text), Ok((_, Scan { root: Some(_), .. })))
}
