//! `gatehouse methods`: what can be called, by whom. Needs no running gateway: the contract is in this binary.

use gatehouse_contract::{Map, Method, reference};
use serde_json::json;

use crate::{
    args::{Common, Methods},
    client::nearest,
    exit::{Exit, Failed},
    output,
    term::{Ink, Style, Table},
};

/// Lists the methods and events.
pub(crate) fn run(common: &Common, methods: &Methods, style: Style) -> Result<(), Failed> {
    let contract = Map::documented();
    if methods.markdown {
        return output::line(reference::markdown(contract).trim_end());
    }
    let prefix = methods.prefix.as_deref().unwrap_or_default();
    let wanted = |name: &str| name.starts_with(prefix);
    let mut names = contract.methods().map(|method| method.name.as_str());
    if !names.any(wanted) && !contract.events().any(|event| wanted(&event.name)) {
        return Err(nothing(prefix));
    }
    if common.json {
        let methods: Vec<_> = contract
            .methods()
            .filter(|method| wanted(&method.name))
            .map(|method| {
                json!({"name": method.name, "access": method.access.to_string(), "grpc": method.path, "description": method.comment})
            })
            .collect();
        let events: Vec<_> = contract
            .events()
            .filter(|event| wanted(&event.name))
            .map(|event| json!({"name": event.name, "access": event.access.to_string(), "description": event.comment}))
            .collect();
        return output::line(&json!({"methods": methods, "events": events}).to_string());
    }
    if let Some(method) = contract.method(prefix) {
        return one(method, style);
    }
    let mut table = Table::new(&["METHOD", "ACCESS", "WHAT IT DOES"]);
    for method in contract.methods().filter(|method| wanted(&method.name)) {
        table.row(vec![
            (Some(Ink::Cyan), method.name.clone()),
            (Some(Ink::Dim), method.access.to_string()),
            (None, first_sentence(&method.comment)),
        ]);
    }
    let mut events = Table::new(&["EVENT", "ACCESS", "WHAT IT SAYS"]);
    for event in contract.events().filter(|event| wanted(&event.name)) {
        events.row(vec![
            (Some(Ink::Cyan), event.name.clone()),
            (Some(Ink::Dim), event.access.to_string()),
            (None, first_sentence(&event.comment)),
        ]);
    }
    let tables: Vec<_> = [table, events]
        .iter()
        .filter(|table| !table.is_empty())
        .map(|table| table.render(style))
        .collect();
    output::line(tables.join("\n").trim_end())
}

/// All that somebody needs who calls it.
fn one(method: &Method, style: Style) -> Result<(), Failed> {
    let about = method.comment.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = format!(
        "{}\n{about}\naccess {}\n",
        style.paint(Ink::Cyan, &method.name),
        method.access
    );
    let takes = reference::takes(&method.request);
    if takes.is_empty() {
        text.push_str("\nIt takes no parameters.");
        return output::line(&text);
    }
    let mut table = Table::new(&["PARAMETER", "TYPE", "MEANING"]);
    for parameter in takes {
        table.row(vec![
            (Some(Ink::Cyan), parameter.name),
            (Some(Ink::Dim), parameter.kind),
            (None, parameter.meaning),
        ]);
    }
    text.push('\n');
    text.push_str(table.render(style).trim_end());
    output::line(&text)
}

/// A name that nothing begins with is a typing error.
fn nothing(prefix: &str) -> Failed {
    let failed = Failed::new(
        Exit::Failed,
        format!("no method and no event begins with {prefix}"),
    );
    match nearest(prefix) {
        Some(near) => failed.next(format!("did you mean {near}? `gatehouse methods` lists them all")),
        None => failed.next("`gatehouse methods` lists them all"),
    }
}

pub(crate) fn first_sentence(comment: &str) -> String {
    let text = comment.split_whitespace().collect::<Vec<_>>().join(" ");
    text.split_once(". ").map_or_else(
        || text.trim_end_matches('.').to_owned(),
        |(first, _)| first.to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    /// The committed reference. `UPDATE_DOCS=1` writes it anew.
    #[test]
    fn the_committed_reference_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/methods.md");
        let written = format!("{}\n", reference::markdown(Map::documented()).trim_end());
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &written).unwrap();
        }

        let committed = fs::read_to_string(&path).unwrap_or_default();

        assert!(
            committed == written,
            "docs/methods.md is out of date: `make docs` writes it anew"
        );
    }

    /// What stands between two marks of a page; the rest of it is written by hand.
    fn section<'a>(page: &'a str, name: &str) -> (&'a str, &'a str, &'a str) {
        let (begin, end) = (
            format!("<!-- {name}: make docs -->\n"),
            format!("<!-- end of {name} -->"),
        );
        let (before, rest) = page.split_once(&begin).expect("the mark of the beginning");
        let (section, after) = rest.split_once(&end).expect("the mark of the end");
        (before, section, after)
    }

    /// The same for what clients may send that no method has.
    #[test]
    fn the_committed_reference_of_parameters_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/compatibility.md");
        let written = format!("\n{}\n", reference::parameters(Map::documented()).trim_end());
        let page = fs::read_to_string(&path).unwrap_or_default();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            let (before, _, after) = section(&page, "parameters");
            let page =
                format!("{before}<!-- parameters: make docs -->\n{written}<!-- end of parameters -->{after}");
            fs::write(&path, page).unwrap();
            return;
        }

        assert!(
            section(&page, "parameters").1 == written,
            "docs/compatibility.md is out of date: `make docs` writes it anew"
        );
    }

    #[test]
    fn the_first_sentence_is_enough_for_a_list() {
        assert_eq!(first_sentence("One session.\nMore of it."), "One session");
        assert_eq!(
            first_sentence("Stops one run, or v1.2 of it."),
            "Stops one run, or v1.2 of it"
        );
    }
}
