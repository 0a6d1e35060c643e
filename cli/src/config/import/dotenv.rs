//! The file `.env` beside a document of OpenClaw: what its gateway finds there as well as in its environment.

use std::{collections::BTreeMap, fs, io, path::Path};

use crate::exit::{Exit, Failed};

/// The longest file that is read: thousands of variables.
const BYTES_MAX: u64 = 256 * 1024;

/// The variables of the file beside a document. None where there is no file.
pub(super) fn beside(document: &Path) -> Result<BTreeMap<String, String>, Failed> {
    let path = document.with_file_name(".env");
    let failed = |why: &dyn std::fmt::Display| {
        Failed::new(Exit::Failed, format!("cannot read {}: {why}", path.display()))
            .next("mend it, or import the document from a folder without it")
    };
    match fs::metadata(&path) {
        Ok(facts) if facts.len() > BYTES_MAX => return Err(failed(&"it is longer than 256 KiB")),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(failed(&error)),
    }
    let text = fs::read_to_string(&path).map_err(|error| failed(&error))?;
    Ok(read(&text))
}

/// `NAME=value` on each line, perhaps behind `export`; the value perhaps in quotes, and with a comment behind it where it is in none.
fn read(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=')?;
        let name = name.trim();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        (!name.is_empty() && name.chars().all(is_name)).then(|| (name.to_owned(), plain(value.trim())))
    });
    lines.collect()
}

fn plain(value: &str) -> String {
    for quote in ['"', '\'', '`'] {
        let inside = value.strip_prefix(quote).and_then(|rest| rest.split_once(quote));
        if let Some((inside, _)) = inside {
            return if quote == '"' {
                inside.replace("\\n", "\n")
            } else {
                inside.to_owned()
            };
        }
    }
    let end = value.find(" #").unwrap_or(value.len());
    value.get(..end).unwrap_or(value).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_variable_however_it_is_quoted() {
        let read = read(
            "# mine\nTOKEN=abc # the bot's\nexport KEY='a # b'\nTWO=\"x\\ny\"\n\nEMPTY=\nno line\n=x\nA B=c\nURL=http://a/?b=c#d\n",
        );

        let known: Vec<(&str, &str)> = read.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(
            known,
            [
                ("EMPTY", ""),
                ("KEY", "a # b"),
                ("TOKEN", "abc"),
                ("TWO", "x\ny"),
                ("URL", "http://a/?b=c#d")
            ]
        );
    }

    #[test]
    fn a_document_without_such_a_file_has_no_variables() {
        let folder = tempfile::tempdir().unwrap();
        let document = folder.path().join("openclaw.json");
        assert!(beside(&document).unwrap().is_empty());

        fs::write(folder.path().join(".env"), "A=b").unwrap();
        assert_eq!(beside(&document).unwrap()["A"], "b");
        fs::write(folder.path().join(".env"), [0xff]).unwrap();
        assert!(beside(&document).is_err());
    }
}
