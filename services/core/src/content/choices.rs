//! What whoever reads a message may choose from: buttons where a platform has them, a list in words elsewhere. What is chosen is said by
//! whoever chose it, as if they had typed it, so a choice lets nobody do more than words would.

/// Choices of one message: as many as the platform with the fewest rows of buttons shows (Discord: five rows of five). The contract
/// declares the same bound.
pub const CHOICES_MAX: usize = 25;
/// The longest value, in bytes: what the narrowest platform carries (Telegram, `callback_data`).
pub const VALUE_BYTES_MAX: usize = 64;
/// The longest label, in characters: what the narrowest platform shows in full width (Discord). Narrower ones shorten it.
pub const LABEL_CHARS_MAX: usize = 80;

/// One choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What people read.
    pub label: String,
    /// What is said when it is chosen.
    pub value: String,
}

impl Choice {
    /// Reads choices: labels, and what is said, which is the label where there is none.
    ///
    /// # Errors
    /// What is wrong with them, to be said behind the name of the field.
    pub fn read(given: impl IntoIterator<Item = (String, String)>) -> Result<Vec<Self>, &'static str> {
        let mut choices: Vec<Self> = Vec::new();
        for (label, value) in given {
            let (label, value) = (one_line(&label), one_line(&value));
            let value = if value.is_empty() { label.clone() } else { value };
            if label.is_empty() {
                return Err("holds a choice without a label");
            }
            if label.chars().count() > LABEL_CHARS_MAX {
                return Err("holds a choice with a label of more than 80 characters");
            }
            if value.len() > VALUE_BYTES_MAX {
                return Err("holds a choice that says more than 64 bytes: give it a shorter value");
            }
            if choices.iter().any(|known| known.value == value) {
                return Err("holds two choices that say the same");
            }
            choices.push(Self { label, value });
        }
        if choices.len() > CHOICES_MAX {
            return Err("has more than 25 choices");
        }
        Ok(choices)
    }

    /// The label in so many characters.
    #[must_use]
    pub fn short(&self, chars_max: usize) -> String {
        if self.label.chars().count() <= chars_max {
            return self.label.clone();
        }
        let kept = self.label.chars().take(chars_max.saturating_sub(1));
        kept.chain(['…']).collect()
    }

    /// Choices as a list for whoever has to type: each with what to say, where that is not what it is called.
    #[must_use]
    pub fn in_words(choices: &[Self]) -> String {
        let lines = (1..).zip(choices).map(|(number, Self { label, value })| {
            if label == value {
                format!("{number}. {label}")
            } else {
                format!("{number}. {label}: say {value}")
            }
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    pub(super) fn bytes(&self) -> usize {
        self.label.len() + self.value.len()
    }
}

fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[(&str, &str)]) -> Result<Vec<Choice>, &'static str> {
        let given = given.iter();
        Choice::read(given.map(|(label, value)| ((*label).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn a_choice_says_its_label_unless_it_has_a_value() {
        let choices = read(&[("Yes,\n please", ""), ("No", "/deny 7")]).unwrap();

        assert_eq!(choices[0].value, "Yes, please");
        assert_eq!(Choice::in_words(&choices), "1. Yes, please\n2. No: say /deny 7");
        assert_eq!(
            (choices[0].short(5), choices[1].short(5)),
            ("Yes,…".into(), "No".into())
        );
    }

    #[test]
    fn choices_that_no_platform_could_carry_are_refused() {
        let (long, longer) = ("é".repeat(40), "e".repeat(81));
        for (given, word) in [
            (vec![("", "x")], "without a label"),
            (vec![(long.as_str(), "")], "64 bytes"),
            (vec![(longer.as_str(), "x")], "80 characters"),
            (vec![("Yes", "y"), ("No", "y")], "the same"),
        ] {
            let refused = read(&given).unwrap_err();
            assert!(refused.contains(word), "{refused}");
        }
        let many = (0..=CHOICES_MAX).map(|n| (n.to_string(), String::new()));
        assert!(Choice::read(many).unwrap_err().contains("more than 25"));
        assert_eq!(read(&[(&long, "short")]).unwrap().len(), 1);
    }
}
