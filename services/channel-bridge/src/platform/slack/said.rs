//! What people wrote, out of Slack's own form: `<@U1>`, `<#C1|general>`, `<https://a.b|words>`, and three escaped letters.

/// What a person sees of a text. `name` finds people's names.
pub(super) fn words(text: &str, name: impl Fn(&str) -> Option<String>) -> String {
    let (mut words, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, behind)) = rest.split_once('<') {
        words.push_str(before);
        let Some((inner, after)) = behind.split_once('>') else {
            words.push('<');
            rest = behind;
            continue;
        };
        words.push_str(&reference(inner, &name));
        rest = after;
    }
    words.push_str(rest);
    words
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

fn reference(inner: &str, name: impl Fn(&str) -> Option<String>) -> String {
    let (target, label) = match inner.split_once('|') {
        Some((target, label)) => (target, Some(label).filter(|label| !label.is_empty())),
        None => (inner, None),
    };
    if let Some(person) = target.strip_prefix('@') {
        let known = label.map(str::to_owned).or_else(|| name(person));
        return format!("@{}", known.as_deref().unwrap_or(person));
    }
    if let Some(channel) = target.strip_prefix('#') {
        return format!("#{}", label.unwrap_or(channel));
    }
    if let Some(special) = target.strip_prefix('!') {
        let group = special.split('^').next().unwrap_or(special);
        let shown = label.map(str::to_owned);
        return shown.unwrap_or_else(|| format!("@{group}"));
    }
    let address = target.strip_prefix("mailto:").unwrap_or(target);
    match label {
        Some(label) if label != address => format!("{label} ({address})"),
        Some(_) | None => address.to_owned(),
    }
}

/// Whether somebody is named in a text.
pub(super) fn names(text: &str, person: &str) -> bool {
    !person.is_empty() && (text.contains(&format!("<@{person}>")) || text.contains(&format!("<@{person}|")))
}

/// The people who are named, each once.
pub(super) fn people(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for part in text.split("<@").skip(1) {
        let person = part.split(['>', '|']).next().unwrap_or_default();
        if !person.is_empty() && !found.iter().any(|known| known == person) {
            found.push(person.to_owned());
        }
    }
    found
}

/// A name in front only says whom it is for.
pub(super) fn without_name<'a>(text: &'a str, person: &str) -> &'a str {
    let trimmed = text.trim_start();
    let rest = trimmed
        .strip_prefix("<@")
        .and_then(|rest| rest.strip_prefix(person));
    let behind = match rest.and_then(|rest| rest.split_once('>')) {
        Some((label, behind)) if label.is_empty() || label.starts_with('|') => behind,
        Some(_) | None => return text,
    };
    let said = behind.trim_start_matches([',', ':', ' ', '\n']);
    if said.is_empty() { text } else { said }
}

#[cfg(test)]
mod tests {
    use super::{names, people, without_name, words};

    #[test]
    fn a_text_is_read_as_a_person_sees_it() {
        let known = |id: &str| (id == "U1").then(|| "Anna".to_owned());
        for (text, seen) in [
            ("plain", "plain"),
            ("a &lt; b &amp;&amp; c &gt; d &amp;lt;", "a < b && c > d &lt;"),
            ("<@U1> and <@U2> and <@U3|carl>", "@Anna and @U2 and @carl"),
            ("see <#C1|general> or <#C2>", "see #general or #C2"),
            ("<!here> <!subteam^S1|@ops>", "@here @ops"),
            ("<https://a.b/?c=d&amp;e|there>", "there (https://a.b/?c=d&e)"),
            ("<https://a.b>", "https://a.b"),
            ("<mailto:a@b.c|a@b.c>", "a@b.c"),
            ("1 < 2", "1 < 2"),
            ("", ""),
        ] {
            assert_eq!(words(text, known), seen, "{text}");
        }
    }

    #[test]
    fn our_name_in_front_says_whom_it_is_for_and_nothing_else() {
        assert!(names("so <@U1>?", "U1") && names("<@U1|bot>", "U1"));
        assert!(!names("<@U12>", "U1") && !names("U1", "U1") && !names("<@>", ""));
        assert_eq!(without_name("<@U1>: /new", "U1"), "/new");
        assert_eq!(without_name("<@U1|bot> hi", "U1"), "hi");
        assert_eq!(without_name("<@U12> hi", "U1"), "<@U12> hi");
        assert_eq!(without_name("<@U1>", "U1"), "<@U1>");
        assert_eq!(people("<@U1> <@U2|b> <@U1>"), ["U1", "U2"]);
    }
}
