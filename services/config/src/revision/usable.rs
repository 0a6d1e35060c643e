//! What of a document can be used. An entry with a mistake is left out and named, and the rest runs; a mistake that cannot be left
//! out refuses the whole.

use std::collections::BTreeMap;

use gatehouse_document::Document;
use serde_json::{Map, Value};

use super::{Refused, typed};
use crate::{
    check::{self, rules},
    entry,
    issue::{ISSUES_MAX, Issue},
    path::{Path, Step},
    secrets::{Missing, Resolved},
};

/// More entries than anybody gets wrong one by one: a document with more is of another kind altogether.
const ENTRIES_MAX: usize = 100;

/// A document that runs, without what cannot be used of it.
pub(super) struct Usable {
    /// References followed.
    pub(super) value: Value,
    pub(super) document: Document,
    /// What deserves a look: what was left out first.
    pub(super) warnings: Vec<Issue>,
    pub(super) left_out: LeftOut,
}

/// The entries that are left out, by their place in the document as it is written.
#[derive(Debug, Default)]
pub(crate) struct LeftOut(BTreeMap<Path, Reason>);

#[derive(Debug)]
struct Reason {
    instead: Option<Value>,
    /// Everything that is wrong in it, as one would have to mend it.
    issues: Vec<Issue>,
    /// Whether it lacks nothing but a secret, which may come.
    waits: bool,
}

/// A mistake outside of every entry.
struct NotAnEntry;

/// Reads a document whose references were followed.
pub(super) fn read(written: &Value, resolved: Resolved) -> Result<Usable, Refused> {
    let Resolved {
        value: whole,
        missing,
        issues: references,
    } = resolved;
    let mut left_out = LeftOut::default();
    loop {
        let (value, shown) = (left_out.without(&whole), left_out.without(written));
        let mut issues: Vec<Issue> = references
            .iter()
            .filter(|issue| !left_out.holds(issue.place()))
            .cloned()
            .collect();
        issues.extend(left_out.as_written(check::check(&value, &shown)));
        let mut document = None;
        if !issues.iter().any(Issue::is_error) {
            match typed(&value) {
                Ok(typed) => {
                    // What a reference would have led to cannot be judged; that it leads nowhere is said once.
                    let known = |issue: &Issue| !missing.iter().any(|one| one.place() == issue.place());
                    issues.extend(
                        left_out
                            .as_written(rules::check(&typed, written))
                            .into_iter()
                            .filter(known),
                    );
                    document = Some(typed);
                }
                Err(issue) => issues.extend(left_out.as_written(vec![issue])),
            }
        }
        let needed: Vec<Missing> = missing
            .iter()
            .filter(|one| !left_out.holds(one.place()))
            .cloned()
            .collect();
        if issues.iter().any(Issue::is_error) {
            if left_out.leave(&issues, written).is_ok() {
                continue;
            }
            return Err(left_out.refused(issues, needed));
        }
        let Some(document) = document else {
            return Err(left_out.refused(issues, needed));
        };
        let (unused, needed): (Vec<_>, Vec<_>) =
            needed.into_iter().partition(|one| is_unused(one, &document));
        if !unused.is_empty() && left_out.leave_unused(&unused, written).is_ok() {
            continue;
        }
        if !needed.is_empty() {
            return Err(left_out.refused(issues, needed));
        }
        let mut warnings = left_out.warnings();
        warnings.append(&mut issues);
        warnings.truncate(ISSUES_MAX);
        return Ok(Usable {
            value,
            document,
            warnings,
            left_out,
        });
    }
}

/// Whether a secret is missing that nothing asks for: the key of a provider that no agent names.
fn is_unused(missing: &Missing, document: &Document) -> bool {
    match missing.place().steps() {
        [Step::Key(section), Step::Key(providers), Step::Key(id), ..] => {
            section == "models" && providers == "providers" && !rules::is_asked(document, id)
        }
        _ => false,
    }
}

impl LeftOut {
    /// Whether a secret that comes later changes what is left out.
    pub(crate) fn waits(&self) -> bool {
        self.0.values().any(|reason| reason.waits)
    }

    /// Whether nothing is left out.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where they are.
    pub(crate) fn places(&self) -> impl Iterator<Item = &Path> {
        self.0.keys()
    }

    /// The providers among them, each with what is wrong.
    pub(crate) fn providers(&self) -> Map<String, Value> {
        let providers = Path::of(["models", "providers"]);
        let reason = |(place, reason): (&Path, &Reason)| match place.steps() {
            [_, _, Step::Key(id)] if place.is_within(&providers) => {
                let problems: Vec<String> = reason.issues.iter().map(|issue| within(place, issue)).collect();
                Some((id.clone(), Value::from(problems.join("; "))))
            }
            _ => None,
        };
        self.0.iter().filter_map(reason).collect()
    }

    /// The mistakes of entries that another revision does not leave out for the same reason.
    pub(crate) fn beside(&self, other: &Self) -> Vec<Issue> {
        let known = |place: &Path, issue: &Issue| {
            let reason = other.0.get(place);
            reason.is_some_and(|reason| reason.issues.contains(issue))
        };
        self.0
            .iter()
            .flat_map(|(place, reason)| reason.issues.iter().filter(move |issue| !known(place, issue)))
            .cloned()
            .collect()
    }

    /// Leaves out the entries around all mistakes.
    fn leave(&mut self, issues: &[Issue], written: &Value) -> Result<(), NotAnEntry> {
        let mistakes = issues.iter().filter(|issue| issue.is_error());
        self.leave_each(mistakes.map(|issue| (issue.clone(), false)), written)
    }

    fn leave_unused(&mut self, missing: &[Missing], written: &Value) -> Result<(), NotAnEntry> {
        let mistakes = missing.iter().map(|one| {
            let problem = format!("{}; {}", one.looked_for, one.remedy);
            (Issue::error(one.place(), problem), true)
        });
        self.leave_each(mistakes, written)
    }

    fn leave_each(
        &mut self,
        mistakes: impl Iterator<Item = (Issue, bool)>,
        written: &Value,
    ) -> Result<(), NotAnEntry> {
        let before: Vec<Path> = self.0.keys().cloned().collect();
        for (issue, waits) in mistakes {
            let entry = entry::around(issue.place(), written).ok_or(NotAnEntry)?;
            // A mistake in what was left out already, or in what is not there, would never come to an end.
            let is_out = before.iter().any(|outer| entry.place.is_within(outer));
            if is_out || entry.place.get(written).is_none() || self.0.len() >= ENTRIES_MAX {
                return Err(NotAnEntry);
            }
            let outer = self.0.keys().find(|outer| entry.place.is_within(outer));
            let place = outer.cloned().unwrap_or(entry.place);
            let reason = self.0.entry(place).or_insert_with(|| Reason {
                instead: entry.instead,
                issues: Vec::new(),
                waits: true,
            });
            reason.waits &= waits;
            if !reason.issues.contains(&issue) {
                reason.issues.push(issue);
            }
        }
        // What is within another entry goes with it.
        let places: Vec<Path> = self.0.keys().cloned().collect();
        self.0.retain(|place, _| {
            let has_outer = places
                .iter()
                .any(|outer| outer != place && place.is_within(outer));
            !has_outer
        });
        Ok(())
    }

    /// Whether a place is in an entry that is left out.
    fn holds(&self, place: &Path) -> bool {
        self.0.keys().any(|entry| place.is_within(entry))
    }

    /// A document without the entries.
    pub(crate) fn without(&self, document: &Value) -> Value {
        let mut value = document.clone();
        // From behind, so that earlier places of a list stay right.
        for (place, reason) in self.0.iter().rev() {
            let Some((last, outer)) = place.steps().split_last() else {
                continue;
            };
            let around = outer.iter().try_fold(&mut value, |value, step| match step {
                Step::Key(key) => value.get_mut(key),
                Step::Index(index) => value.get_mut(index),
            });
            match (around, last) {
                (Some(Value::Object(object)), Step::Key(key)) => match &reason.instead {
                    Some(instead) => {
                        object.insert(key.clone(), instead.clone());
                    }
                    None => {
                        object.shift_remove(key);
                    }
                },
                (Some(Value::Array(items)), Step::Index(index)) if *index < items.len() => {
                    items.remove(*index);
                }
                _ => {}
            }
        }
        value
    }

    /// Findings about the document without the entries, at their places in the document as it is written.
    fn as_written(&self, issues: Vec<Issue>) -> Vec<Issue> {
        if self.0.is_empty() {
            return issues;
        }
        let moved = issues.into_iter().map(|issue| {
            let mut place = Path::default();
            for step in issue.place().steps() {
                let step = match step {
                    Step::Key(_) => step.clone(),
                    Step::Index(index) => Step::Index(self.index_as_written(&place, *index)),
                };
                place = place.with(step);
            }
            issue.at(place)
        });
        moved.collect()
    }

    /// Where an item stands in its list with those that were left out.
    fn index_as_written(&self, list: &Path, index: usize) -> usize {
        let mut index = index;
        let mut at = 0;
        while at <= index {
            if self.0.contains_key(&list.index(at)) {
                index += 1;
            }
            at += 1;
        }
        index
    }

    /// One warning for each entry.
    pub(crate) fn warnings(&self) -> Vec<Issue> {
        let warning = |(place, reason): (&Path, &Reason)| {
            let problems: Vec<String> = reason.issues.iter().map(|issue| within(place, issue)).collect();
            let rest = match reason.instead {
                Some(_) => "is off",
                None => "is left out",
            };
            Issue::warning(place, format!("{rest}, the rest runs: {}", problems.join("; ")))
        };
        self.0.iter().map(warning).collect()
    }

    /// Everything that is wrong, what could have been left out included: whoever has to mend one mistake may mend all.
    fn refused(self, issues: Vec<Issue>, missing: Vec<Missing>) -> Refused {
        let of_entries = self.0.into_values().filter(|reason| !reason.waits);
        let mut all = issues;
        all.extend(of_entries.flat_map(|reason| reason.issues));
        let mut seen: Vec<Issue> = Vec::new();
        for issue in all {
            if !seen.contains(&issue) {
                seen.push(issue);
            }
        }
        seen.sort_by_key(|issue| !issue.is_error());
        seen.truncate(ISSUES_MAX);
        Refused {
            issues: seen,
            missing,
            only_absent: false,
        }
    }
}

/// A mistake as one says it of its entry: with the way from there.
fn within(entry: &Path, issue: &Issue) -> String {
    // A neighbour may be what is wrong: then it is named from where both stand.
    let both = entry.steps().iter().zip(issue.place().steps());
    let common = both.take_while(|(entry, issue)| entry == issue).count();
    let way = issue.place().steps().iter().skip(common);
    let way = way.fold(Path::default(), |way, step| way.with(step.clone()));
    match way.steps() {
        [] => issue.message.clone(),
        _ => format!("`{way}` {}", issue.message),
    }
}

#[cfg(test)]
mod tests;
